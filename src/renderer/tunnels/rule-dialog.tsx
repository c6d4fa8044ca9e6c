import { useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { RecentPeer } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { SelectField } from '../ui/select-field.tsx';
import { FormDialog } from './form-dialog.tsx';
import { FormField } from './form-field.tsx';
import { checkRule, EMPTY_RULE, type RuleForm, type RuleProblems } from './rule-form.ts';
import { suggestPeers } from './suggest-peers.ts';
import styles from './tunnels.module.css';

const KINDS = ['tcp', 'udp', 'any'] as const;

export function RuleDialog({ recentPeers, onClose }: { recentPeers: readonly RecentPeer[]; onClose: () => void }) {
  const { t } = useI18n();
  const [form, setForm] = useState(EMPTY_RULE);
  const [problems, setProblems] = useState<RuleProblems>({});
  const [error, setError] = useState<ErrorData | null>(null);
  const set = (change: Partial<RuleForm>) => setForm((before) => ({ ...before, ...change }));
  const fields = { form, set, problems };

  const save = async () => {
    const checked = checkRule(form, crypto.randomUUID());
    setProblems(checked.ok ? {} : checked.problems);
    if (!checked.ok) return;
    const result = await settle(api().saveRule(checked.rule));
    if (result.ok) onClose();
    else setError(result.error);
  };
  return (
    <FormDialog
      title={t('rules.form.title')}
      submit={t('rules.form.allow')}
      error={error}
      onSubmit={save}
      onClose={onClose}
      data-testid="rule-save"
    >
      <FormField
        of={fields}
        name="peer"
        label={t('rules.form.peer')}
        suggestions={suggestPeers(recentPeers)}
        testId="rule-peer"
        hint={t('rules.form.peerHint')}
      />
      <FormField
        of={fields}
        name="host"
        label={t('rules.form.host')}
        placeholder="192.168.1.10"
        mono
        autoFocus
        testId="rule-host"
        hint={t('rules.form.hostHint')}
      />
      <div className={styles.pair}>
        <FormField
          of={fields}
          name="ports"
          label={t('rules.form.ports')}
          placeholder="22"
          mono
          testId="rule-ports"
          hint={t('rules.form.portsHint')}
        />
        <SelectField
          label={t('rules.form.kind')}
          value={form.kind}
          options={KINDS.map((kind) => [kind, t(`rules.kind.${kind}`)])}
          onChange={(kind) => set({ kind })}
          testId="rule-kind"
        />
      </div>
    </FormDialog>
  );
}
