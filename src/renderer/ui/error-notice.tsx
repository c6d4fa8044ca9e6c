import type { ErrorData } from '../errors.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from './button.tsx';
import styles from './error-notice.module.css';
import { Icon } from './icons.tsx';

interface ErrorNoticeProps {
  error: ErrorData;
  onDismiss?: () => void;
  'data-testid'?: string;
}

/** A failure as people need it: what, why, what next; the stable code small, for whoever helps them. */
export function ErrorNotice({ error, onDismiss, ...rest }: ErrorNoticeProps) {
  const { t, errorText } = useI18n();
  const text = errorText(error);
  return (
    <div className={styles.notice} role="alert" {...rest}>
      <Icon name="warning" />
      <div className={styles.body}>
        <p className={styles.title}>{text.title}</p>
        <p className={styles.cause} lang="en">
          {error.message}
        </p>
        {text.hint !== '' && <p className={styles.hint}>{text.hint}</p>}
        <p className={styles.code}>
          <span className="visually-hidden">{t('common.errorCode')} </span>
          {error.code}
        </p>
      </div>
      {onDismiss !== undefined && (
        <Button look="quiet" icon="close" label={t('common.dismiss')} onClick={onDismiss} />
      )}
    </div>
  );
}
