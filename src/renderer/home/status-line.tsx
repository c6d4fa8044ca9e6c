import type { RegistrationState } from '../../shared/ipc.ts';
import { type I18n, useI18n } from '../i18n/use-i18n.ts';
import { useCountdown } from '../ui/use-countdown.ts';
import styles from './home.module.css';

interface Line {
  tone: 'ok' | 'busy' | 'idle' | 'bad';
  title: string;
  detail: string;
}

/** The status line in words; what cannot be known is not said. */
function statusLine(registration: RegistrationState, { t, errorText }: I18n): Line {
  switch (registration.state) {
    case 'no-server':
      return { tone: 'idle', title: t('status.noServer'), detail: t('status.noServerHint') };
    case 'off':
      return { tone: 'idle', title: t('status.off'), detail: t('status.offHint') };
    case 'registering': {
      const { server, attempt } = registration;
      const title =
        attempt > 1 ? t('status.registeringAgain', { server, attempt }) : t('status.registering', { server });
      return { tone: 'busy', title, detail: '' };
    }
    case 'ready': {
      const { server, latencyMs } = registration;
      const transport = registration.transport.toUpperCase();
      const detail =
        latencyMs === null
          ? t('status.readyVia', { server, transport })
          : t('status.readyLatency', { server, transport, ms: Math.max(1, Math.round(latencyMs)) });
      return { tone: 'ok', title: t('status.ready'), detail };
    }
    case 'offline': {
      const { title } = errorText(registration.error);
      return { tone: 'bad', title: `${t('status.offline')}: ${title}`, detail: registration.error.message };
    }
  }
}

export function StatusLine({ registration }: { registration: RegistrationState }) {
  const i18n = useI18n();
  const line = statusLine(registration, i18n);
  const offline = registration.state === 'offline' ? registration : null;
  return (
    <div className={styles.factRow} data-testid="home-status" data-state={registration.state}>
      <span className={styles.dot} data-tone={line.tone} aria-hidden="true" />
      <div className={styles.factBody}>
        <div role="status">
          <p className={styles.fact}>
            <span className="visually-hidden">{i18n.t('status.label')}: </span>
            {line.title}
          </p>
          {line.detail !== '' && (
            <p className={styles.hint} lang={offline === null ? undefined : 'en'}>
              {line.detail}
            </p>
          )}
          {offline !== null && <p className={styles.next}>{i18n.errorText(offline.error).hint}</p>}
        </div>
        {offline !== null && (
          <p className={styles.codeRow}>
            <code data-testid="home-error-code">{offline.error.code}</code>
            <Countdown key={offline.retryInMs} ms={offline.retryInMs} />
          </p>
        )}
      </div>
    </div>
  );
}

/** Counts down on the screen, outside of the live region: nobody wants to hear every second. */
function Countdown({ ms }: { ms: number }) {
  const { t } = useI18n();
  const left = useCountdown(ms);
  return left > 0 ? <span>{t('status.offlineRetry', { seconds: left })}</span> : null;
}
