import type { SessionState } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { useCountdown } from '../ui/use-countdown.ts';
import { Panel } from './panel.tsx';
import styles from './panel.module.css';

interface ReconnectingPanelProps {
  sessionId: string;
  session: Extract<SessionState, { state: 'reconnecting' }>;
}

export function ReconnectingPanel({ sessionId, session }: ReconnectingPanelProps) {
  const { t } = useI18n();
  const left = useCountdown(session.retryInMs);
  return (
    <Panel title={t('session.reconnectingTitle')} icon="renew" data-testid="session-reconnecting">
      {session.error.code === 'SESSION_SILENT' ? (
        <p className={styles.panelText} role="status">
          {t('session.silent')}
        </p>
      ) : (
        <p className={styles.panelText} role="status" lang="en">
          {session.error.message}
        </p>
      )}
      <div className={styles.progress} aria-hidden="true" />
      <p className={styles.panelText}>
        {left > 0 ? t('session.reconnectingIn', { seconds: left }) : t('session.reconnectingNow')}
      </p>
      <code className={styles.code}>{session.error.code}</code>
      <div className={styles.actions}>
        <Button onClick={() => void settle(api().closeSession(sessionId))} data-testid="session-cancel">
          {t('session.disconnect')}
        </Button>
      </div>
    </Panel>
  );
}
