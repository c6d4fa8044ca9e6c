import { type ReactNode, useState } from 'react';
import type { ErrorData } from '../errors.ts';
import settings from '../home/settings.module.css';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorNotice } from '../ui/error-notice.tsx';
import styles from './tunnels.module.css';

interface FormDialogProps {
  title: string;
  /** What the button says that carries it out. */
  submit: string;
  error: ErrorData | null;
  onSubmit: () => Promise<void>;
  onClose: () => void;
  children: ReactNode;
  'data-testid': string;
}

/** A form over the page: fields that scroll, a failure, Cancel and the button. */
export function FormDialog({ title, submit, error, onSubmit, onClose, children, ...rest }: FormDialogProps) {
  const { t } = useI18n();
  const [busy, setBusy] = useState(false);
  const send = async () => {
    if (busy) return;
    setBusy(true);
    await onSubmit();
    setBusy(false);
  };
  return (
    <Dialog title={title} onClose={onClose} wide>
      <form
        className={settings.form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <div className={`${settings.scroll} ${styles.fields}`}>{children}</div>
        {error !== null && (
          <div className={settings.error}>
            <ErrorNotice error={error} />
          </div>
        )}
        <footer className={settings.footer}>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button look="primary" type="submit" aria-disabled={busy} data-testid={rest['data-testid']}>
            {submit}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
