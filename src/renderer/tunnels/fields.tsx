import { useI18n } from '../i18n/use-i18n.ts';
import { TextField } from '../ui/text-field.tsx';
import type { TunnelField, TunnelForm } from './tunnel-form.ts';
import styles from './tunnels.module.css';

/** What every group of fields of the form of a tunnel gets. */
export interface FieldsProps {
  form: TunnelForm;
  set: (change: Partial<TunnelForm>) => void;
  hint: (field: TunnelField, otherwise: string) => { hint: string; invalid?: boolean };
  /** A password for those who use the tunnel is kept already. */
  hasPassword: boolean;
}

/** User and password of those who use a proxy or a published page. */
export function VisitorFields({ form, set, hint, hasPassword }: FieldsProps) {
  const { t } = useI18n();
  return (
    <div className={styles.pair}>
      <TextField
        label={t('tunnels.form.user')}
        value={form.user}
        onChange={(user) => set({ user })}
        testId="tunnel-user"
        {...hint('user', t(form.kind === 'proxy' ? 'tunnels.form.userHint' : 'tunnels.form.visitorHint'))}
      />
      <TextField
        label={t('tunnels.form.proxyPassword')}
        type="password"
        value={form.proxyPassword}
        onChange={(proxyPassword) => set({ proxyPassword })}
        testId="tunnel-proxy-password"
        {...hint('proxyPassword', hasPassword ? t('tunnels.form.kept') : '')}
      />
    </div>
  );
}
