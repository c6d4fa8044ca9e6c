import { useState } from 'react';
import { api } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { parseTarget } from './format-id.ts';
import styles from './home.module.css';
import type { Run } from './home-window.tsx';

export function ConnectCard({ run }: { run: Run }) {
  const { t } = useI18n();
  const [typed, setTyped] = useState('');
  const [invalid, setInvalid] = useState(false);
  const [busy, setBusy] = useState(false);

  const connect = async () => {
    const target = parseTarget(typed);
    setInvalid(target === null);
    if (target === null || busy) return;
    setBusy(true);
    await run(api().connect(target));
    setBusy(false);
  };
  return (
    <section className={styles.card} aria-labelledby="connect-title">
      <h2 id="connect-title" className={styles.bigTitle}>
        {t('connect.title')}
      </h2>
      <form
        className={styles.connectRow}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void connect();
        }}
      >
        <input
          className={`field ${styles.connectField}`}
          aria-label={t('connect.label')}
          aria-invalid={invalid}
          aria-describedby="connect-hint"
          placeholder={t('connect.placeholder')}
          value={typed}
          autoComplete="off"
          spellCheck={false}
          autoFocus
          onChange={(event) => {
            setTyped(event.target.value);
            setInvalid(false);
          }}
          data-testid="connect-input"
        />
        <Button
          look="primary"
          icon="arrow"
          type="submit"
          className={styles.connectButton}
          aria-disabled={busy}
          data-testid="connect-button"
        >
          {busy ? t('connect.busy') : t('connect.button')}
        </Button>
      </form>
      <p
        id="connect-hint"
        className={invalid ? styles.invalid : styles.hint}
        role={invalid ? 'alert' : undefined}
      >
        {invalid ? t('connect.invalid') : t('connect.hint')}
      </p>
    </section>
  );
}
