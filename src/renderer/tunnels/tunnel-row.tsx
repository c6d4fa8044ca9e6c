import { api } from '../api.ts';
import type { Run } from '../home/home-window.tsx';
import { useI18n } from '../i18n/use-i18n.ts';
import { PATH_WORDS } from '../i18n/words.ts';
import type { TunnelEntry, TunnelsState } from '../../shared/tunnels-state.ts';
import { Button } from '../ui/button.tsx';
import { CopyButton } from '../ui/copy-button.tsx';
import { ErrorNotice } from '../ui/error-notice.tsx';
import { Icon } from '../ui/icons.tsx';
import { Toggle } from '../ui/switch.tsx';
import { useCountdown } from '../ui/use-countdown.ts';
import { iconOf } from './kinds.ts';
import { RateGraph } from './rate-graph.tsx';
import { limitWords, listenWords, rateWords, streamWords, targetWords, titleOf } from './tunnel-words.ts';
import styles from './tunnels.module.css';

interface TunnelRowProps {
  entry: TunnelEntry;
  viewers: TunnelsState['viewers'];
  nameOfPeer: (id: string) => string;
  run: Run;
  onEdit: () => void;
  onRemove: () => void;
}

/** One tunnel: what it is, how it does, and what can be done with it. */
export function TunnelRow({ entry, viewers, nameOfPeer, run, onEdit, onRemove }: TunnelRowProps) {
  const { t, language } = useI18n();
  const { tunnel, status } = entry;
  const name = titleOf(tunnel, t);
  const target = targetWords(tunnel);
  const rateIn = rateWords(language, status.rates.inBps);
  const rateOut = rateWords(language, status.rates.outBps);
  const limits = limitWords(tunnel, t);
  const viewer = tunnel.kind === 'rdp' || tunnel.kind === 'vnc' ? tunnel.kind : null;
  return (
    <li className={styles.tunnel} data-testid="tunnel" data-tunnel={tunnel.id} data-phase={status.phase}>
      <span className={styles.kind}>
        <Icon name={iconOf(tunnel.kind)} />
      </span>
      <div className={styles.what}>
        <h3 className={styles.name}>{name}</h3>
        <p className={styles.way}>
          <code data-testid="tunnel-address">{listenWords(tunnel, status, t)}</code>
          {status.address !== '' && (
            <CopyButton
              text={status.address}
              label={t('tunnels.copyAddress', { address: status.address })}
              data-testid="tunnel-copy"
            />
          )}
          {target !== null && (
            <>
              <Icon name="arrow" />
              <code>{target}</code>
            </>
          )}
        </p>
        <StatusLine entry={entry} nameOfPeer={nameOfPeer} />
        {limits.length > 0 && (
          <p className={styles.limits} data-testid="tunnel-limits-shown">
            {limits.join(' · ')}
          </p>
        )}
        {viewer !== null && status.phase === 'ready' && (
          <div className={styles.next}>
            <Button
              icon="out"
              disabled={!viewers[viewer]}
              onClick={() => void run(api().openViewer(tunnel.id))}
              data-testid="tunnel-open"
            >
              {t('tunnels.openViewer')}
            </Button>
            {!viewers[viewer] && <p className={styles.remark}>{t('tunnels.noViewer')}</p>}
          </div>
        )}
        {status.phase === 'password' && (
          <div className={styles.next}>
            <Button icon="lock" onClick={onEdit} data-testid="tunnel-password">
              {t('tunnels.enterPassword')}
            </Button>
          </div>
        )}
      </div>
      {status.phase === 'ready' && (
        <div className={styles.rates}>
          <RateGraph rates={status.rates} label={t('tunnels.rates', { in: rateIn, out: rateOut })} />
          <p className={styles.rateNumbers} aria-hidden="true">
            <span data-direction="in" title={t('tunnels.rateIn', { rate: rateIn })}>
              {rateIn}
            </span>
            <span data-direction="out" title={t('tunnels.rateOut', { rate: rateOut })}>
              {rateOut}
            </span>
          </p>
        </div>
      )}
      <div className={styles.actions}>
        <Button look="quiet" icon="edit" label={t('tunnels.edit', { name })} onClick={onEdit} data-testid="tunnel-edit" />
        <Button
          look="quiet"
          icon="trash"
          label={t('tunnels.remove', { name })}
          onClick={onRemove}
          data-testid="tunnel-remove"
        />
        <Toggle
          label={t('tunnels.run', { name })}
          checked={tunnel.run}
          onChange={(on) => void run(api().runTunnel(tunnel.id, on))}
          data-testid="tunnel-run"
        />
      </div>
      {status.error !== null && (
        <div className={styles.error}>
          <ErrorNotice error={status.error} data-testid="tunnel-error" />
        </div>
      )}
    </li>
  );
}

function StatusLine({ entry, nameOfPeer }: Pick<TunnelRowProps, 'entry' | 'nameOfPeer'>) {
  const { t } = useI18n();
  const { tunnel, status } = entry;
  return (
    <p className={styles.status}>
      <span className={styles.phase} data-phase={status.phase} role="status">
        {t(`tunnels.phase.${status.phase}`)}
      </span>
      {tunnel.kind !== 'publish' && (
        <span>{t(tunnel.kind === 'proxy' ? 'tunnels.from' : 'tunnels.via', { peer: nameOfPeer(tunnel.peer) })}</span>
      )}
      {status.phase === 'waiting' && status.retryInMs !== null && (
        <Retry key={status.retryInMs} ms={status.retryInMs} />
      )}
      {status.phase === 'ready' && (
        <>
          {status.path !== null && <span data-testid="tunnel-path">{t(PATH_WORDS[status.path])}</span>}
          <span data-testid="tunnel-streams" data-count={status.streams}>
            {streamWords(status.streams, t)}
          </span>
          {!status.encrypted && <span className={styles.alarm}>{t(status.stock ? 'tunnels.stock' : 'tunnels.plain')}</span>}
        </>
      )}
    </p>
  );
}

/** Outside of the live region: nobody wants to hear every second. */
function Retry({ ms }: { ms: number }) {
  const { t } = useI18n();
  const left = useCountdown(ms);
  return <span>{left > 0 ? t('tunnels.retryIn', { seconds: left }) : t('tunnels.retryNow')}</span>;
}
