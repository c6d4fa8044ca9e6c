import { PATH_WORDS } from '../i18n/words.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import type { RouteView } from './route-view.ts';
import styles from './route.module.css';

/** Both lanes on a grid of 560 × 178: the relay above, the direct way below. */
const DIRECT = 'M107 128H453';
const RELAY = 'M107 128H158C198 128 194 46 240 46H320C366 46 362 128 402 128H453';

/** Two computers, their routers, the relay, and the way between them that is taken. */
export function RoutePicture({ view, there }: { view: RouteView; there: string }) {
  const { t } = useI18n();
  const { taken, sameNetwork, direct, relay, searching } = view;
  const directWords = direct
    ? withTime(t(PATH_WORDS[direct.kind]), direct.rttMs)
    : searching
      ? t('route.searching')
      : t('route.none');
  const laneOf = (lane: 'relay' | 'direct', stands: boolean) => (lane === taken ? 'taken' : stands ? 'reserve' : 'none');
  const withRelay = !sameNetwork || relay !== null;
  const all = [
    ...(withRelay ? [{ lane: 'relay', stands: relay !== null, d: RELAY } as const] : []),
    { lane: 'direct', stands: direct !== null, d: DIRECT } as const,
  ];
  // What is taken is drawn over what is not.
  const lanes = all.toSorted((a, b) => Number(a.lane === taken) - Number(b.lane === taken));
  return (
    <div className={styles.picture}>
      <svg viewBox="0 0 560 178" aria-hidden="true" focusable="false" data-testid="route-picture" data-taken={taken}>
        {lanes.map(({ lane, stands, d }) => (
          <path key={lane} className={styles.lane} data-lane={laneOf(lane, stands)} data-searching={lane === 'direct' && searching} d={d} />
        ))}
        <Computer x={75} />
        <Computer x={485} />
        {!sameNetwork && <Router x={158} />}
        {!sameNetwork && <Router x={402} />}
        {withRelay && <Relay x={280} y={46} taken={taken === 'relay'} />}
      </svg>
      <span className={styles.place} data-at="here">
        {t('route.here')}
      </span>
      <span className={styles.place} data-at="there">
        {there}
      </span>
      {withRelay && (
        <span className={styles.laneWords} data-at="relay" data-lane={laneOf('relay', relay !== null)}>
          {taken === 'relay' || relay === null ? withTime(t('route.relay'), relay?.rttMs ?? null) : `${t('route.relay')} · ${t('route.standby')}`}
        </span>
      )}
      <span className={styles.laneWords} data-at="direct" data-lane={laneOf('direct', direct !== null)}>
        {directWords}
      </span>
    </div>
  );
}

function withTime(words: string, rttMs: number | null): string {
  return rttMs === null ? words : `${words} · ${Math.max(1, Math.round(rttMs))} ms`;
}

function Computer({ x }: { x: number }) {
  return (
    <g className={styles.node} transform={`translate(${x} 128)`}>
      <rect x="-32" y="-25" width="64" height="42" rx="5" />
      <path d="M-12 26h24M0 17v9" />
    </g>
  );
}

function Router({ x }: { x: number }) {
  return (
    <g className={styles.node} transform={`translate(${x} 128)`}>
      <rect x="-17" y="-11" width="34" height="22" rx="5" />
      <path d="M-8 0h.01M0 0h.01M8 0h.01M-9 -11v-8M9 -11v-8" />
    </g>
  );
}

function Relay({ x, y, taken }: { x: number; y: number; taken: boolean }) {
  return (
    <g className={styles.node} data-taken={taken} transform={`translate(${x} ${y})`}>
      <rect x="-24" y="-20" width="48" height="40" rx="5" />
      <path d="M-24 0h48M-15 -10h.01M-15 10h.01M-6 -10h18M-6 10h18" />
    </g>
  );
}
