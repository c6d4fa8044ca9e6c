import { useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { RecentPeer } from '../../shared/ipc.ts';
import type { TunnelKind } from '../../shared/tunnels.ts';
import type { TunnelEntry } from '../../shared/tunnels-state.ts';
import { api, settle } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Icon } from '../ui/icons.tsx';
import { SelectField } from '../ui/select-field.tsx';
import { TextField } from '../ui/text-field.tsx';
import { FormDialog } from './form-dialog.tsx';
import { TUNNEL_KINDS } from './kinds.ts';
import { type FieldsProps, VisitorFields } from './fields.tsx';
import { FormField } from './form-field.tsx';
import { PublishFields } from './publish-fields.tsx';
import { suggestPeers } from './suggest-peers.ts';
import { checkTunnel, formOfTunnel, type Problems, type TunnelForm, withKind } from './tunnel-form.ts';
import styles from './tunnels.module.css';

interface TunnelDialogProps {
  /** Null: a new one. */
  entry: TunnelEntry | null;
  others: readonly TunnelEntry[];
  recentPeers: readonly RecentPeer[];
  onClose: () => void;
}

export function TunnelDialog({ entry, others, recentPeers, onClose }: TunnelDialogProps) {
  const { t } = useI18n();
  const [form, setForm] = useState(() => formOfTunnel(entry?.tunnel ?? null));
  const [problems, setProblems] = useState<Problems>({});
  const [error, setError] = useState<ErrorData | null>(null);
  const set = (change: Partial<TunnelForm>) => setForm((before) => ({ ...before, ...change }));

  const save = async () => {
    const run = entry === null || entry.tunnel.run || entry.status.phase === 'password';
    const checked = checkTunnel(form, entry?.tunnel.id ?? crypto.randomUUID(), run, others);
    setProblems(checked.ok ? {} : checked.problems);
    if (!checked.ok) return;
    const result = await settle(api().saveTunnel(checked.value.tunnel, checked.value.secrets));
    if (result.ok) onClose();
    else setError(result.error);
  };
  const fields = { form, set, problems, hasPassword: entry?.hasProxyPassword === true };
  return (
    <FormDialog
      title={entry === null ? t('tunnels.form.new') : t('tunnels.form.change')}
      submit={entry === null ? t('tunnels.form.add') : t('common.save')}
      error={error}
      onSubmit={save}
      onClose={onClose}
      data-testid="tunnel-save"
    >
      <KindChoice kind={form.kind} onChange={(kind) => setForm(withKind(form, kind))} />
      {form.kind !== 'publish' && <PeerFields {...fields} recentPeers={recentPeers} />}
      {form.kind !== 'proxy' && <TargetFields {...fields} />}
      {form.kind === 'proxy' && <VisitorFields {...fields} />}
      {form.kind === 'publish' ? <PublishFields {...fields} /> : <ListenFields {...fields} />}
      <TextField
        label={t('tunnels.form.name')}
        value={form.name}
        onChange={(name) => set({ name: name.slice(0, 80) })}
        hint={t('tunnels.form.nameHint')}
        testId="tunnel-name"
      />
    </FormDialog>
  );
}

function KindChoice({ kind, onChange }: { kind: TunnelKind; onChange: (kind: TunnelKind) => void }) {
  const { t } = useI18n();
  return (
    <fieldset className={styles.kinds}>
      <legend className={styles.legend}>{t('tunnels.kind')}</legend>
      {TUNNEL_KINDS.map((each) => (
        <label key={each.kind} className={styles.kindChoice}>
          <input
            type="radio"
            name="tunnel-kind"
            value={each.kind}
            checked={kind === each.kind}
            onChange={() => onChange(each.kind)}
            data-testid={`tunnel-kind-${each.kind}`}
          />
          <Icon name={each.icon} />
          <span>
            <span className={styles.kindName}>{t(`tunnels.kind.${each.kind}`)}</span>
            <span className={styles.kindHint}>{t(`tunnels.kind.${each.kind}.hint`)}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function PeerFields({ recentPeers, ...props }: FieldsProps & { recentPeers: readonly RecentPeer[] }) {
  const { t } = useI18n();
  return (
    <div className={styles.pair}>
      <FormField
        of={props}
        name="peer"
        label={t('tunnels.form.peer')}
        placeholder="123 456 789"
        suggestions={suggestPeers(recentPeers)}
        testId="tunnel-peer"
        hint={t('tunnels.form.peerHint')}
      />
      <FormField
        of={props}
        name="peerPassword"
        label={t('tunnels.form.peerPassword')}
        type="password"
        testId="tunnel-peer-password"
        hint={t('tunnels.form.peerPasswordHint')}
      />
    </div>
  );
}

function TargetFields(props: FieldsProps) {
  const { t } = useI18n();
  const own = props.form.kind === 'publish';
  return (
    <fieldset className={styles.fieldset}>
      <legend className={styles.legend}>{own ? t('tunnels.form.local') : t('tunnels.form.target')}</legend>
      <div className={styles.hostPort}>
        <FormField
          of={props}
          name="host"
          label={t('tunnels.form.host')}
          mono
          testId="tunnel-host"
          hint={own ? t('tunnels.form.hostHintHere') : t('tunnels.form.hostHint')}
        />
        <FormField
          of={props}
          name="port"
          label={t('tunnels.form.port')}
          placeholder="80"
          mono
          testId="tunnel-port"
        />
      </div>
    </fieldset>
  );
}

function ListenFields(props: FieldsProps) {
  const { form, set } = props;
  const { t } = useI18n();
  return (
    <div className={styles.hostPort}>
      <SelectField
        label={t('tunnels.form.listenOn')}
        value={form.listenOn}
        options={[
          ['this-computer', t('tunnels.form.thisComputer')],
          ['network', t('tunnels.form.network')],
        ]}
        onChange={(listenOn) => set({ listenOn })}
        testId="tunnel-listen-on"
      />
      <FormField
        of={props}
        name="listenPort"
        label={t('tunnels.form.listenPort')}
        placeholder="8080"
        mono
        testId="tunnel-listen-port"
        hint={t('tunnels.form.listenPortHint')}
      />
    </div>
  );
}
