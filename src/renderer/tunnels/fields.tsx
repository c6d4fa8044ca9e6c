import { useI18n } from '../i18n/use-i18n.ts';
import { FormField, type FormState } from './form-field.tsx';
import type { TunnelForm } from './tunnel-form.ts';
import styles from './tunnels.module.css';

/** What every group of fields of the form of a tunnel gets. */
export interface FieldsProps extends FormState<TunnelForm> {
  /** A password for those who use the tunnel is kept already. */
  hasPassword: boolean;
}

/** User and password of those who use a proxy or a published page. */
export function VisitorFields(props: FieldsProps) {
  const { form, hasPassword } = props;
  const { t } = useI18n();
  return (
    <div className={styles.pair}>
      <FormField
        of={props}
        name="user"
        label={t('tunnels.form.user')}
        testId="tunnel-user"
        hint={t(form.kind === 'proxy' ? 'tunnels.form.userHint' : 'tunnels.form.visitorHint')}
      />
      <FormField
        of={props}
        name="proxyPassword"
        label={t('tunnels.form.proxyPassword')}
        type="password"
        testId="tunnel-proxy-password"
        hint={hasPassword ? t('tunnels.form.kept') : ''}
      />
    </div>
  );
}
