import { useState } from 'react';
import { PUBLISH_PROTOCOLS } from '../../shared/tunnels.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { SelectField } from '../ui/select-field.tsx';
import { TextField } from '../ui/text-field.tsx';
import { type FieldsProps, VisitorFields } from './fields.tsx';
import { hasLimits } from './publish-form.ts';
import styles from './tunnels.module.css';

/** Those that are folded away until something is wrong with one. */
const LIMIT_FIELDS = ['allow', 'maxConnections', 'bandwidthMbps', 'more', 'healthPath'] as const;

/** Where a service is published, who may come, and who answers. */
export function PublishFields(props: FieldsProps) {
  const { form, set, hint } = props;
  const { t } = useI18n();
  const [open, setOpen] = useState(() => hasLimits(form));
  const wrong = LIMIT_FIELDS.some((field) => hint(field, '').invalid === true);
  const named = form.protocol === 'http' || form.protocol === 'https';
  return (
    <>
      <div className={styles.pair}>
        <SelectField
          label={t('tunnels.form.protocol')}
          value={form.protocol}
          options={PUBLISH_PROTOCOLS.map((protocol) => [protocol, t(`tunnels.protocol.${protocol}`)])}
          onChange={(protocol) => set({ protocol })}
          testId="tunnel-protocol"
        />
        {named ? (
          <TextField
            label={t('tunnels.form.publicHost')}
            value={form.publicHost}
            onChange={(publicHost) => set({ publicHost })}
            mono
            testId="tunnel-public-host"
            {...hint('publicHost', t('tunnels.form.publicHostHint'))}
          />
        ) : (
          <TextField
            label={t('tunnels.form.publicPort')}
            value={form.publicPort}
            onChange={(publicPort) => set({ publicPort })}
            mono
            testId="tunnel-public-port"
            {...hint('publicPort', t('tunnels.form.publicPortHint'))}
          />
        )}
      </div>
      {form.protocol === 'http' && <VisitorFields {...props} />}
      <details className={styles.more} open={open || wrong} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary data-testid="tunnel-limits">{t('tunnels.form.limits')}</summary>
        <LimitFields {...props} />
      </details>
    </>
  );
}

function LimitFields({ form, set, hint }: FieldsProps) {
  const { t } = useI18n();
  return (
    <>
      <TextField
        label={t('tunnels.form.allow')}
        value={form.allow}
        onChange={(allow) => set({ allow })}
        placeholder="203.0.113.0/24, 2001:db8::/32"
        mono
        testId="tunnel-allow"
        {...hint('allow', t('tunnels.form.allowHint'))}
      />
      <div className={styles.pair}>
        <TextField
          label={t('tunnels.form.maxConnections')}
          value={form.maxConnections}
          onChange={(maxConnections) => set({ maxConnections })}
          mono
          testId="tunnel-max-connections"
          {...hint('maxConnections', t('tunnels.form.maxConnectionsHint'))}
        />
        <TextField
          label={t('tunnels.form.bandwidth')}
          value={form.bandwidthMbps}
          onChange={(bandwidthMbps) => set({ bandwidthMbps })}
          mono
          testId="tunnel-bandwidth"
          {...hint('bandwidthMbps', t('tunnels.form.bandwidthHint'))}
        />
      </div>
      <TextField
        label={t('tunnels.form.more')}
        value={form.more}
        onChange={(more) => set({ more })}
        placeholder="10.0.0.5:8000, 10.0.0.6:8000"
        mono
        testId="tunnel-more"
        {...hint('more', t('tunnels.form.moreHint'))}
      />
      {form.protocol !== 'udp' && (
        <div className={styles.pair}>
          <SelectField
            label={t('tunnels.form.health')}
            value={form.health}
            options={[
              ['none', t('tunnels.form.healthNone')],
              ['tcp', t('tunnels.form.healthTcp')],
              ...(form.protocol === 'http' ? ([['page', t('tunnels.form.healthPage')]] as const) : []),
            ]}
            onChange={(health) => set({ health })}
            testId="tunnel-health"
          />
          {form.protocol === 'http' && form.health === 'page' && (
            <TextField
              label={t('tunnels.form.healthPath')}
              value={form.healthPath}
              onChange={(healthPath) => set({ healthPath })}
              mono
              testId="tunnel-health-path"
              {...hint('healthPath', t('tunnels.form.healthPathHint'))}
            />
          )}
        </div>
      )}
    </>
  );
}
