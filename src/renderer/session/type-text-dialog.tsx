import { useState } from 'react';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import styles from './panel.module.css';

/** More than this is a file and not typing. */
const MAX_TYPED = 10_000;

/** For text that the keys cannot say: other layouts, pasted passwords. */
export function TypeTextDialog({ onSend, onClose }: { onSend: (text: string) => void; onClose: () => void }) {
  const { t } = useI18n();
  const [text, setText] = useState('');
  return (
    <Dialog title={t('session.typeTextTitle')} onClose={onClose}>
      <form
        className={styles.typeForm}
        onSubmit={(event) => {
          event.preventDefault();
          if (text !== '') onSend(text);
        }}
      >
        <textarea
          className={`field ${styles.typeField}`}
          rows={5}
          maxLength={MAX_TYPED}
          aria-label={t('session.typeTextTitle')}
          aria-describedby="type-text-hint"
          value={text}
          autoFocus
          onChange={(event) => setText(event.target.value)}
          data-testid="type-text-input"
        />
        <p id="type-text-hint" className={styles.fieldHint}>
          {t('session.typeTextHint')}
        </p>
        <div className={styles.actions}>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button look="primary" type="submit" disabled={text === ''} data-testid="type-text-send">
            {t('session.typeTextSend')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
