import { useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { SessionState } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { formatId } from '../home/format-id.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Panel } from './panel.tsx';
import styles from './panel.module.css';

interface ClosedPanelProps {
  sessionId: string;
  session: Extract<SessionState, { state: 'closed' }>;
}

export function ClosedPanel({ sessionId, session }: ClosedPanelProps) {
  const { t, errorText } = useI18n();
  const [again, setAgain] = useState<ErrorData | null>(null);
  const error = again ?? session.error;
  const text = error === null ? null : errorText(error);
  const close = () => void settle(api().closeSession(sessionId));
  const connectAgain = async () => {
    const result = await settle(api().connect(session.peerId));
    if (result.ok) close();
    else setAgain(result.error);
  };
  return (
    <Panel
      title={text?.title ?? t('session.closedTitle')}
      icon={error === null ? 'power' : 'warning'}
      tone={error === null ? 'calm' : 'danger'}
      data-testid="session-closed"
    >
      <div role="alert">
        {session.peerId !== '' && <p className={styles.panelPeer}>{formatId(session.peerId)}</p>}
        {error === null && session.reason !== '' && <p className={styles.panelText}>{session.reason}</p>}
        {error !== null && (
          <p className={styles.panelText} lang="en">
            {error.message}
          </p>
        )}
        {text !== null && text.hint !== '' && (
          <p className={styles.nextStep}>
            <strong>{t('common.nextStep')}: </strong>
            {text.hint}
          </p>
        )}
      </div>
      {error !== null && (
        <p className={styles.code}>
          <span className="visually-hidden">{t('common.errorCode')} </span>
          <code data-testid="session-error-code">{error.code}</code>
          <span data-testid="session-error-stage" data-stage={error.stage}>
            {t('session.stage')}: {t(`session.stage.${error.stage}`)}
          </span>
        </p>
      )}
      <div className={styles.actions}>
        <Button onClick={close} data-testid="session-close">
          {t('session.closeWindow')}
        </Button>
        {session.peerId !== '' && (
          <Button look="primary" autoFocus onClick={() => void connectAgain()} data-testid="session-again">
            {t('session.again')}
          </Button>
        )}
      </div>
    </Panel>
  );
}
