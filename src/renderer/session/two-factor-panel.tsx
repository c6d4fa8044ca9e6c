import { useEffect, useId, useRef, useState } from 'react';
import type { ErrorData } from '../errors.ts';
import { api, settle } from '../api.ts';
import { formatId } from '../home/format-id.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { ErrorNotice } from '../ui/error-notice.tsx';
import { Panel } from './panel.tsx';
import styles from './panel.module.css';

interface TwoFactorPanelProps {
  sessionId: string;
  peerId: string;
  /** Rises with every answer of the other side: one more after a code means that it was wrong. */
  answers: number;
}

/** Asks for the code of the second factor (session §2.7). */
export function TwoFactorPanel({ sessionId, peerId, answers }: TwoFactorPanelProps) {
  const { t } = useI18n();
  const [code, setCode] = useState('');
  /** The number of answers when a code was sent. */
  const [sentAt, setSentAt] = useState<number | null>(null);
  const [error, setError] = useState<ErrorData | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const hintId = useId();
  const busy = sentAt === answers;
  const wrong = sentAt !== null && sentAt < answers;

  useEffect(() => field.current?.select(), [answers]);
  const submit = async () => {
    if (busy || code === '') return;
    setSentAt(answers);
    setError(null);
    const result = await settle(api().giveCode(sessionId, code.replaceAll(/\s/g, '')));
    if (result.ok) return;
    setError(result.error);
    setSentAt(null);
  };
  return (
    <Panel title={t('session.codeTitle', { id: formatId(peerId) })} icon="lock" data-testid="session-two-factor">
      <form
        className={styles.panelForm}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div>
          <input
            ref={field}
            className={`field ${styles.passwordField} ${styles.codeField}`}
            aria-label={t('session.codeLabel')}
            placeholder="123 456"
            inputMode="numeric"
            autoComplete="one-time-code"
            maxLength={12}
            value={code}
            aria-invalid={wrong}
            aria-describedby={hintId}
            autoFocus
            onChange={(event) => setCode(event.target.value)}
            data-testid="code-input"
          />
          <p id={hintId} className={styles.fieldHint} data-wrong={wrong} role={wrong ? 'alert' : undefined}>
            {wrong ? t('session.codeWrong') : t('session.codeHint')}
          </p>
        </div>
        {error !== null && <ErrorNotice error={error} />}
        <div className={styles.actions}>
          <Button onClick={() => void settle(api().closeSession(sessionId))} data-testid="session-cancel">
            {t('common.cancel')}
          </Button>
          <Button look="primary" type="submit" disabled={code === ''} aria-disabled={busy} data-testid="code-submit">
            {busy ? t('session.passwordChecking') : t('session.passwordSubmit')}
          </Button>
        </div>
      </form>
    </Panel>
  );
}
