import { type KeyboardEvent, useEffect, useId, useRef } from 'react';
import type { SessionRoute } from '../../shared/route.ts';
import { PATH_WORDS } from '../i18n/words.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icons.tsx';
import { RoutePicture } from './route-picture.tsx';
import { reasonText } from './route-reasons.ts';
import { attemptsOf, routeView, whyWords } from './route-view.ts';
import styles from './route.module.css';

/** As many as fit without scrolling far; the command line has them all. */
const SHOWN_ATTEMPTS = 8;
const SHOWN_MOVES = 4;

interface RoutePanelProps {
  route: SessionRoute;
  /** As the session measures it; the ways that rest have measured for themselves. */
  rttMs: number | null;
  /** How the other computer is called. */
  there: string;
  onClose: () => void;
}

/** The way that the session takes: a picture, why, what else was tried, and how it moved. */
export function RoutePanel({ route, rttMs, there, onClose }: RoutePanelProps) {
  const { t, language } = useI18n();
  const titleId = useId();
  const panel = useRef<HTMLDivElement>(null);
  useEffect(() => panel.current?.focus(), []);
  const view = routeView(route, rttMs);
  const attempts = attemptsOf(route, SHOWN_ATTEMPTS);
  const moves = route.changes.slice(-SHOWN_MOVES).reverse();
  const time = new Intl.DateTimeFormat(language, { timeStyle: 'medium' });
  return (
    <div
      ref={panel}
      className={styles.panel}
      role="dialog"
      aria-labelledby={titleId}
      tabIndex={-1}
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key === 'Escape') onClose();
      }}
      data-testid="route-panel"
      data-path={route.path}
    >
      <header className={styles.header}>
        <h2 id={titleId} className={styles.title}>
          {t('route.title')}
        </h2>
        <Button look="quiet" icon="close" label={t('common.close')} onClick={onClose} data-testid="route-close" />
      </header>
      <div className={styles.scroll}>
        <RoutePicture view={view} there={there} />
        <p className={styles.why} role="status" data-testid="route-why">
          {whyWords(route, t)}
          {route.encrypted && view.taken === 'relay' && ` ${t('route.sealed')}`}
        </p>
        {attempts.length > 0 && (
          <table className={styles.table} data-testid="route-attempts">
            <caption className={styles.caption}>{t('route.tried')}</caption>
            <thead className="visually-hidden">
              <tr>
                <th scope="col">{t('route.way')}</th>
                <th scope="col">{t('route.outcome')}</th>
                <th scope="col">{t('route.time')}</th>
              </tr>
            </thead>
            <tbody>
              {attempts.map((attempt, index) => (
                <tr key={`${attempt.path} ${attempt.outcome} ${index}`} data-outcome={attempt.outcome}>
                  <th scope="row">{t(PATH_WORDS[attempt.path])}</th>
                  <td>
                    <span className={styles.outcome}>
                      <Icon name={attempt.outcome === 'ok' ? 'check' : 'close'} />
                      {t(`route.${attempt.outcome}`)}
                    </span>
                    {attempt.outcome !== 'ok' && attempt.reason !== '' && (
                      <span className={styles.reason}>{reasonText(attempt.reason, t)}</span>
                    )}
                  </td>
                  <td className={styles.ms}>{duration(language, attempt.ms)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {moves.length > 0 && (
          <section aria-label={t('route.moves')} data-testid="route-moves">
            <h3 className={styles.caption}>{t('route.moves')}</h3>
            <ul className={styles.moves}>
              {moves.map((move) => (
                <li key={`${move.atMs} ${move.to}`}>
                  <time>{time.format(move.atMs)}</time>
                  <span>
                    {t('route.move', {
                      from: move.from === null ? '–' : t(PATH_WORDS[move.from]),
                      to: t(PATH_WORDS[move.to]),
                      ms: Math.round(move.pauseMs),
                    })}
                    <span className={styles.reason}>{reasonText(move.reason, t)}</span>
                  </span>
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
    </div>
  );
}

function duration(language: string, ms: number): string {
  if (ms < 1_000) return `${Math.max(1, Math.round(ms))} ms`;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(ms / 1_000)} s`;
}
