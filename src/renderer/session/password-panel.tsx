import { useEffect, useId, useRef, useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { SessionState } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { formatId } from '../home/format-id.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { ErrorNotice } from '../ui/error-notice.tsx';
import { Panel } from './panel.tsx';
import styles from './panel.module.css';

interface PasswordPanelProps {
  sessionId: string;
  session: Extract<SessionState, { state: 'password' }>;
  /** Rises with every answer of the other side. */
  answers: number;
}

/** Asks for the password, or waits for a click at the other end, where a password may be given all the same. */
export function PasswordPanel({ sessionId, session, answers }: PasswordPanelProps) {
  const { t } = useI18n();
  const [anyway, setAnyway] = useState(false);
  const id = formatId(session.peerId);
  const close = () => void settle(api().closeSession(sessionId));

  if (session.reason === 'waiting-accept' && !anyway)
    return (
      <Panel title={t('session.waitingTitle', { id })} icon="clock" data-testid="session-waiting">
        <p className={styles.panelText} role="status">
          {t('session.waitingText')}
        </p>
        <div className={styles.progress} aria-hidden="true" />
        <div className={styles.actions}>
          <Button onClick={close} data-testid="session-cancel">
            {t('common.cancel')}
          </Button>
          <Button onClick={() => setAnyway(true)} data-testid="session-use-password">
            {t('session.waitingPassword')}
          </Button>
        </div>
      </Panel>
    );
  return (
    <Panel title={t('session.passwordTitle', { id })} icon="lock" data-testid="session-password">
      <PasswordForm sessionId={sessionId} session={session} answers={answers} onCancel={close} />
    </Panel>
  );
}

function PasswordForm({
  sessionId,
  session,
  answers,
  onCancel,
}: PasswordPanelProps & { onCancel: () => void }) {
  const { t } = useI18n();
  const [password, setPassword] = useState('');
  const [remember, setRemember] = useState(false);
  /** The number of answers when the password was sent: busy until there is one more. */
  const [sentAt, setSentAt] = useState(-1);
  const busy = sentAt === answers;
  const [error, setError] = useState<ErrorData | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const fieldId = useId();
  const wrong = session.reason === 'wrong' && !busy;

  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, [answers]);

  const submit = async () => {
    if (busy || password === '') return;
    setSentAt(answers);
    setError(null);
    const result = await settle(api().givePassword(sessionId, password, remember));
    if (!result.ok) {
      setError(result.error);
      setSentAt(-1);
    }
  };
  return (
    <form
      className={styles.panelForm}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <div>
        <label htmlFor={fieldId} className="visually-hidden">
          {t('session.passwordLabel')}
        </label>
        <input
          id={fieldId}
          ref={field}
          className={`field ${styles.passwordField}`}
          type="password"
          autoComplete="off"
          maxLength={128}
          value={password}
          placeholder={t('session.passwordLabel')}
          aria-invalid={wrong}
          aria-describedby={`${fieldId}-hint`}
          autoFocus
          onChange={(event) => setPassword(event.target.value)}
          data-testid="password-input"
        />
        <p
          id={`${fieldId}-hint`}
          className={styles.fieldHint}
          data-wrong={wrong}
          role={wrong ? 'alert' : undefined}
        >
          {wrong ? t('session.passwordWrong') : t('session.passwordHint')}
        </p>
      </div>
      <label className={styles.remember}>
        <input
          type="checkbox"
          checked={remember}
          onChange={(event) => setRemember(event.target.checked)}
          data-testid="password-remember"
        />
        {t('session.passwordRemember')}
      </label>
      {error !== null && <ErrorNotice error={error} />}
      <div className={styles.actions}>
        <Button onClick={onCancel} data-testid="session-cancel">
          {t('common.cancel')}
        </Button>
        <Button
          look="primary"
          type="submit"
          disabled={password === ''}
          aria-disabled={busy}
          data-testid="password-submit"
        >
          {busy ? t('session.passwordChecking') : t('session.passwordSubmit')}
        </Button>
      </div>
    </form>
  );
}
