import { useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { SessionState } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { formatId } from '../home/format-id.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { ErrorNotice } from '../ui/error-notice.tsx';
import { Panel } from './panel.tsx';
import styles from './panel.module.css';

interface PlaintextPanelProps {
  sessionId: string;
  session: Extract<SessionState, { state: 'plaintext-question' }>;
}

/** The safe answer has the focus: nobody allows this by pressing Enter without reading. */
export function PlaintextPanel({ sessionId, session }: PlaintextPanelProps) {
  const { t } = useI18n();
  const [failure, setFailure] = useState<ErrorData | null>(null);
  const allow = async () => {
    const result = await settle(api().allowPlaintext(sessionId));
    if (!result.ok) setFailure(result.error);
  };
  return (
    <Panel title={t('session.plaintextTitle')} icon="unlock" tone="danger" data-testid="session-plaintext">
      <div role="alert">
        <p className={styles.alarmText}>{t('session.plaintextText', { id: formatId(session.peerId) })}</p>
        <p className={styles.panelText} lang="en">
          {session.error.message}
        </p>
        <p className={styles.panelText}>{t('session.plaintextRemembered')}</p>
      </div>
      {failure !== null && <ErrorNotice error={failure} />}
      <code className={styles.code} data-testid="session-error-code">
        {session.error.code}
      </code>
      <div className={styles.actions}>
        <Button look="danger" onClick={() => void allow()} data-testid="plaintext-allow">
          {t('session.plaintextAllow')}
        </Button>
        <Button
          autoFocus
          onClick={() => void settle(api().closeSession(sessionId))}
          data-testid="plaintext-cancel"
        >
          {t('common.cancel')}
        </Button>
      </div>
    </Panel>
  );
}
