import { type ReactNode, useId, useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { Language, Settings } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import type { PlainKey } from '../i18n/translate.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorNotice } from '../ui/error-notice.tsx';
import { Switch } from '../ui/switch.tsx';
import { TextField } from '../ui/text-field.tsx';
import { formatId } from './format-id.ts';
import styles from './settings.module.css';
import { changeOf, formOf, parsePort, type SettingsForm } from './settings-form.ts';

/** Each language in its own words, so that everybody finds the way back. */
const LANGUAGES: readonly (readonly [Language, string])[] = [
  ['en', 'English'],
  ['zh-CN', '简体中文'],
  ['de', 'Deutsch'],
];
const APPROVE: readonly (readonly [Settings['approveMode'], PlainKey])[] = [
  ['password', 'settings.approvePassword'],
  ['click', 'settings.approveClick'],
  ['both', 'settings.approveBoth'],
];

export function SettingsDialog({ settings, onClose }: { settings: Settings; onClose: () => void }) {
  const { t } = useI18n();
  const [form, setForm] = useState(() => formOf(settings));
  const [error, setError] = useState<ErrorData | null>(null);
  const [portWrong, setPortWrong] = useState(false);
  const [busy, setBusy] = useState(false);
  const set = (change: Partial<SettingsForm>) => setForm((before) => ({ ...before, ...change }));

  const save = async () => {
    if (busy) return;
    const change = changeOf(form, settings);
    setPortWrong(change === null);
    if (change === null) return;
    setBusy(true);
    const result = Object.keys(change).length === 0 ? null : await settle(api().changeSettings(change));
    setBusy(false);
    if (result === null || result.ok) onClose();
    else setError(result.error);
  };
  const setLanguage = async (language: Language) => {
    const result = await settle(api().changeSettings({ language }));
    if (!result.ok) setError(result.error);
  };

  return (
    <Dialog title={t('settings.title')} onClose={onClose} wide>
      <form
        className={styles.form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <div className={styles.scroll}>
          <Group title={t('settings.server')}>
            <TextField
              label={t('settings.serverAddress')}
              hint={t('settings.serverHint')}
              value={form.server}
              onChange={(server) => set({ server })}
              disabled={form.invitation.trim() !== ''}
              testId="settings-server"
            />
            <TextField
              label={t('settings.key')}
              hint={t('settings.keyHint')}
              value={form.key}
              onChange={(key) => set({ key })}
              disabled={form.invitation.trim() !== ''}
              mono
              testId="settings-key"
            />
            <TextField
              label={t('settings.invitation')}
              hint={t('settings.invitationHint')}
              placeholder="litedesk://"
              value={form.invitation}
              onChange={(invitation) => set({ invitation })}
              mono
              testId="settings-invitation"
            />
          </Group>

          <Group title={t('settings.access')}>
            <PasswordField form={form} set={set} isSet={settings.hasPermanentPassword} />
            <fieldset className={styles.choices}>
              <legend className={styles.label}>{t('settings.approve')}</legend>
              {APPROVE.map(([mode, key]) => (
                <label key={mode} className={styles.choice}>
                  <input
                    type="radio"
                    name="approve"
                    value={mode}
                    checked={form.approveMode === mode}
                    onChange={() => set({ approveMode: mode })}
                    data-testid={`settings-approve-${mode}`}
                  />
                  {t(key)}
                </label>
              ))}
            </fieldset>
          </Group>

          <Group title={t('settings.network')}>
            <Switch
              label={t('settings.lanDiscovery')}
              checked={form.lanDiscovery}
              onChange={(lanDiscovery) => set({ lanDiscovery })}
              data-testid="settings-lan-discovery"
            />
            <Switch
              label={t('settings.portMapping')}
              hint={t('settings.portMappingHint')}
              checked={form.portMapping}
              onChange={(portMapping) => set({ portMapping })}
              data-testid="settings-port-mapping"
            />
            <Switch
              label={t('settings.directAccess')}
              hint={t('settings.directAccessHint')}
              checked={form.directAccess}
              onChange={(directAccess) => set({ directAccess })}
              data-testid="settings-direct-access"
            />
            {form.directAccess && (
              <TextField
                label={t('settings.directAccessPort')}
                hint={portWrong && parsePort(form.directAccessPort) === null ? t('settings.portInvalid') : ''}
                invalid={portWrong && parsePort(form.directAccessPort) === null}
                value={form.directAccessPort}
                onChange={(directAccessPort) => set({ directAccessPort })}
                short
                testId="settings-direct-port"
              />
            )}
            {form.plaintextPeers.length > 0 && (
              <div>
                <p className={styles.label}>{t('settings.plaintextPeers')}</p>
                <ul className={styles.peers}>
                  {form.plaintextPeers.map((peer) => (
                    <li key={peer}>
                      <span>{formatId(peer)}</span>
                      <Button
                        look="quiet"
                        icon="close"
                        label={`${t('common.remove')} ${formatId(peer)}`}
                        onClick={() =>
                          set({ plaintextPeers: form.plaintextPeers.filter((other) => other !== peer) })
                        }
                      />
                    </li>
                  ))}
                </ul>
              </div>
            )}
          </Group>

          <Group title={t('settings.language')}>
            <select
              className="field"
              aria-label={t('settings.language')}
              value={settings.language}
              onChange={(event) => {
                const chosen = LANGUAGES.find(([language]) => language === event.target.value);
                if (chosen !== undefined) void setLanguage(chosen[0]);
              }}
              data-testid="settings-language"
            >
              {LANGUAGES.map(([language, name]) => (
                <option key={language} value={language} lang={language}>
                  {name}
                </option>
              ))}
            </select>
          </Group>
        </div>
        {error !== null && (
          <div className={styles.error}>
            <ErrorNotice error={error} data-testid="settings-error" />
          </div>
        )}
        <footer className={styles.footer}>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button look="primary" type="submit" aria-disabled={busy} data-testid="settings-save">
            {t('common.save')}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className={styles.group} aria-labelledby={id}>
      <h3 id={id} className={styles.groupTitle}>
        {title}
      </h3>
      {children}
    </section>
  );
}

interface PasswordFieldProps {
  form: SettingsForm;
  set: (change: Partial<SettingsForm>) => void;
  isSet: boolean;
}

function PasswordField({ form, set, isSet }: PasswordFieldProps) {
  const { t } = useI18n();
  const id = useId();
  const hint = form.removePassword
    ? t('settings.permanentPasswordRemoving')
    : isSet
      ? t('settings.permanentPasswordSet')
      : t('settings.permanentPasswordUnset');
  return (
    <div className={styles.fieldRow}>
      <label htmlFor={id} className={styles.label}>
        {t('settings.permanentPassword')}
      </label>
      <div className={styles.inline}>
        <input
          id={id}
          className="field"
          type="password"
          autoComplete="new-password"
          maxLength={128}
          value={form.permanentPassword}
          placeholder={isSet && !form.removePassword ? '••••••••' : ''}
          aria-describedby={`${id}-hint`}
          onChange={(event) => set({ permanentPassword: event.target.value, removePassword: false })}
          data-testid="settings-permanent-password"
        />
        {isSet && !form.removePassword && (
          <Button
            onClick={() => set({ permanentPassword: '', removePassword: true })}
            data-testid="settings-remove-password"
          >
            {t('settings.permanentPasswordRemove')}
          </Button>
        )}
      </div>
      <p id={`${id}-hint`} className={styles.hint} role="status">
        {hint}
      </p>
    </div>
  );
}
