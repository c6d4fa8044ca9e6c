import { useState } from 'react';
import { PUBLISH_PROTOCOLS } from '../../shared/tunnels.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { SelectField } from '../ui/select-field.tsx';
import { type FieldsProps, VisitorFields } from './fields.tsx';
import { FormField } from './form-field.tsx';
import { hasLimits } from './publish-form.ts';
import styles from './tunnels.module.css';

/** Those that are folded away until something is wrong with one. */
const LIMIT_FIELDS = ['allow', 'maxConnections', 'bandwidthMbps', 'more', 'healthPath'] as const;

/** Where a service is published, who may come, and who answers. */
export function PublishFields(props: FieldsProps) {
  const { form, set, problems } = props;
  const { t } = useI18n();
  const [open, setOpen] = useState(() => hasLimits(form));
  const wrong = LIMIT_FIELDS.some((field) => problems[field] !== undefined);
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
          <FormField
            of={props}
            name="publicHost"
            label={t('tunnels.form.publicHost')}
            mono
            testId="tunnel-public-host"
            hint={t('tunnels.form.publicHostHint')}
          />
        ) : (
          <FormField
            of={props}
            name="publicPort"
            label={t('tunnels.form.publicPort')}
            mono
            testId="tunnel-public-port"
            hint={t('tunnels.form.publicPortHint')}
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

function LimitFields(props: FieldsProps) {
  const { form, set } = props;
  const { t } = useI18n();
  return (
    <>
      <FormField
        of={props}
        name="allow"
        label={t('tunnels.form.allow')}
        placeholder="203.0.113.0/24, 2001:db8::/32"
        mono
        testId="tunnel-allow"
        hint={t('tunnels.form.allowHint')}
      />
      <div className={styles.pair}>
        <FormField
          of={props}
          name="maxConnections"
          label={t('tunnels.form.maxConnections')}
          mono
          testId="tunnel-max-connections"
          hint={t('tunnels.form.maxConnectionsHint')}
        />
        <FormField
          of={props}
          name="bandwidthMbps"
          label={t('tunnels.form.bandwidth')}
          mono
          testId="tunnel-bandwidth"
          hint={t('tunnels.form.bandwidthHint')}
        />
      </div>
      <FormField
        of={props}
        name="more"
        label={t('tunnels.form.more')}
        placeholder="10.0.0.5:8000, 10.0.0.6:8000"
        mono
        testId="tunnel-more"
        hint={t('tunnels.form.moreHint')}
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
            <FormField
              of={props}
              name="healthPath"
              label={t('tunnels.form.healthPath')}
              mono
              testId="tunnel-health-path"
              hint={t('tunnels.form.healthPathHint')}
            />
          )}
        </div>
      )}
    </>
  );
}
