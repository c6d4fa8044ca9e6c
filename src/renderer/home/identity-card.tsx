import { useState } from 'react';
import type { HomeState, NatLabel, NatVerdict } from '../../shared/ipc.ts';
import { api } from '../api.ts';
import type { PlainKey } from '../i18n/translate.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { CopyButton } from '../ui/copy-button.tsx';
import { Icon } from '../ui/icons.tsx';
import { Switch } from '../ui/switch.tsx';
import { formatId } from './format-id.ts';
import styles from './home.module.css';
import type { Run } from './home-window.tsx';
import { NetworkFacts } from './network-facts.tsx';
import { StatusLine } from './status-line.tsx';

const NAT: Readonly<Record<NatLabel, { text: PlainKey; hint: PlainKey }>> = {
  unknown: { text: 'nat.unknown', hint: 'nat.unknownHint' },
  asymmetric: { text: 'nat.asymmetric', hint: 'nat.asymmetricHint' },
  symmetric: { text: 'nat.symmetric', hint: 'nat.symmetricHint' },
};

/** A whole test says more than the label of the wire. */
const VERDICT: Readonly<Record<Exclude<NatVerdict, 'unknown'>, { text: PlainKey; hint: PlainKey }>> = {
  open: { text: 'nat.open', hint: 'nat.openHint' },
  easy: { text: 'nat.asymmetric', hint: 'nat.easyHint' },
  usual: { text: 'nat.asymmetric', hint: 'nat.usualHint' },
  counting: { text: 'nat.counting', hint: 'nat.countingHint' },
  random: { text: 'nat.symmetric', hint: 'nat.randomHint' },
  'no-udp': { text: 'nat.noUdp', hint: 'nat.noUdpHint' },
  'no-udp-random': { text: 'nat.relayed', hint: 'nat.relayedHint' },
  'one-port': { text: 'nat.onePort', hint: 'nat.onePortHint' },
};

/** Who this computer is, and whether others get in. */
export function IdentityCard({ home, run }: { home: HomeState; run: Run }) {
  const { t } = useI18n();
  const shared = home.settings.shareEnabled;
  const nat = home.natVerdict === null || home.natVerdict === 'unknown' ? NAT[home.nat] : VERDICT[home.natVerdict];
  // Without an id nobody can use one; the status line says why there is none.
  const sharedHint = home.id === '' ? undefined : t('home.shareHint');
  const hint = shared ? sharedHint : t('home.shareOffHint');
  return (
    <section className={styles.card} aria-labelledby="identity-title">
      <h2 id="identity-title" className={styles.cardTitle}>
        {t('home.thisComputer')}
      </h2>

      <div className={styles.identity}>
        <span className={styles.caption} id="identity-id">
          {t('home.id')}
        </span>
        <div className={styles.valueRow}>
          {home.id === '' ? (
            <span className={styles.pending} data-testid="home-id">
              {t('home.idPending')}
            </span>
          ) : (
            <output className={styles.id} aria-labelledby="identity-id" data-testid="home-id">
              {formatId(home.id)}
            </output>
          )}
          <CopyButton
            text={home.id}
            label={t('home.copyId', { id: formatId(home.id) })}
            data-testid="home-copy-id"
          />
        </div>
        <p className={styles.fingerprint} title={t('home.fingerprintHint')}>
          {t('home.fingerprint')} <code data-testid="home-fingerprint">{home.fingerprint}</code>
        </p>
      </div>

      {shared && home.oneTimePassword !== '' && <OneTimePassword password={home.oneTimePassword} run={run} />}

      <hr className={styles.rule} />
      <Switch
        label={t('home.share')}
        hint={hint}
        checked={shared}
        onChange={(shareEnabled) => void run(api().changeSettings({ shareEnabled }))}
        data-testid="share-switch"
      />
      <hr className={styles.rule} />
      <StatusLine registration={home.registration} />
      <div className={styles.factRow}>
        <Icon name="network" />
        <div>
          <p className={styles.fact}>
            <span className="visually-hidden">{t('nat.label')}: </span>
            <span data-testid="home-nat" data-nat={home.nat} data-verdict={home.natVerdict}>
              {t(nat.text)}
            </span>
          </p>
          <p className={styles.hint}>{t(nat.hint)}</p>
          {home.natFacts !== null && <NetworkFacts facts={home.natFacts} />}
        </div>
      </div>
    </section>
  );
}

function OneTimePassword({ password, run }: { password: string; run: Run }) {
  const { t } = useI18n();
  const [shown, setShown] = useState(true);
  const [renewed, setRenewed] = useState(false);
  const renew = async () => {
    setRenewed(false);
    const result = await run(api().renewPassword());
    if (result.ok) setRenewed(true);
  };
  return (
    <div className={styles.identity}>
      <span className={styles.caption} id="identity-password">
        {t('home.password')}
      </span>
      <div className={styles.valueRow}>
        <output className={styles.password} aria-labelledby="identity-password" data-testid="home-password">
          {shown ? (
            password
          ) : (
            <>
              <span aria-hidden="true">••••••••</span>
              <span className="visually-hidden">{t('home.passwordHidden')}</span>
            </>
          )}
        </output>
        <span className={styles.tools}>
          <Button
            look="quiet"
            icon={shown ? 'eyeOff' : 'eye'}
            label={shown ? t('home.hidePassword') : t('home.showPassword')}
            onClick={() => setShown(!shown)}
            data-testid="home-toggle-password"
          />
          <Button
            look="quiet"
            icon="renew"
            label={t('home.renewPassword')}
            onClick={() => void renew()}
            data-testid="home-renew-password"
          />
          <CopyButton text={password} label={t('home.copyPassword')} data-testid="home-copy-password" />
        </span>
      </div>
      <span role="status" className="visually-hidden">
        {renewed ? t('home.passwordRenewed') : ''}
      </span>
    </div>
  );
}
