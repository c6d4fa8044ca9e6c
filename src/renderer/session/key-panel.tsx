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

interface KeyPanelProps {
  sessionId: string;
  session: Extract<SessionState, { state: 'key-question' }>;
}

/** A known computer with another key, or with less protection than before. The safe answer has the focus. */
export function KeyPanel({ sessionId, session }: KeyPanelProps) {
  const { t } = useI18n();
  const [failure, setFailure] = useState<ErrorData | null>(null);
  const { known, offered } = session;
  const id = formatId(session.peerId);
  const less = offered === '';
  const trust = async () => {
    const result = await settle(api().trustKey(sessionId));
    if (!result.ok) setFailure(result.error);
  };
  return (
    <Panel title={t(less ? 'session.lessTitle' : 'session.keyTitle')} icon="shield" tone="danger" data-testid="session-key">
      <div role="alert">
        <p className={styles.alarmText}>{t(less ? 'session.lessText' : 'session.keyText', { id })}</p>
        {!less && (
          <>
            <dl className={styles.fingerprints}>
              <dt>{t('session.keyKnown')}</dt>
              <dd data-testid="key-known">{known}</dd>
              <dt>{t('session.keyOffered')}</dt>
              <dd data-testid="key-offered">{offered}</dd>
            </dl>
            <p className={styles.panelText}>{t('session.keyCompare')}</p>
          </>
        )}
      </div>
      {failure !== null && <ErrorNotice error={failure} />}
      <code className={styles.code} data-testid="session-error-code">
        {session.error.code}
      </code>
      <div className={styles.choices}>
        <Button look="primary" autoFocus onClick={() => void settle(api().closeSession(sessionId))} data-testid="key-stop">
          {t('session.keyStop')}
        </Button>
        <Button onClick={() => void trust()} data-testid="key-trust">
          {t(less ? 'session.lessTrust' : 'session.keyTrust')}
        </Button>
      </div>
    </Panel>
  );
}
