import { useState } from 'react';
import type { HomeState } from '../../shared/ipc.ts';
import { api } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { CopyButton } from '../ui/copy-button.tsx';
import { Icon } from '../ui/icons.tsx';
import styles from './home.module.css';
import type { Run } from './home-window.tsx';

/** Offers to be the server where there is none, and shows how others find it while it is. */
export function HostServerCard({ home, run }: { home: HomeState; run: Run }) {
  const { t } = useI18n();
  const [busy, setBusy] = useState(false);
  const hosted = home.hostedServer;
  if (hosted !== null)
    return (
      <section className={styles.card} aria-labelledby="host-title" data-testid="hosted-server">
        <div className={styles.titleRow}>
          <h2 id="host-title" className={styles.cardTitle}>
            {t('host.runningTitle')}
          </h2>
          <Button onClick={() => void run(api().stopHostedServer())} data-testid="host-server-stop">
            {t('host.stop')}
          </Button>
        </div>
        <dl className={styles.facts}>
          <dt>{t('host.address')}</dt>
          <dd>
            <code data-testid="hosted-address">{hosted.address}</code>
          </dd>
          <dt>{t('host.key')}</dt>
          <dd>
            <code data-testid="hosted-key">{hosted.key}</code>
            <CopyButton text={hosted.key} label={t('host.copyKey')} />
          </dd>
        </dl>
        <div className={styles.invitation}>
          <code data-testid="hosted-invitation">{hosted.invitation}</code>
          <CopyButton text={hosted.invitation} label={t('host.copyInvitation')} withText />
        </div>
        <p className={styles.hint}>{t('host.invitationHint')}</p>
      </section>
    );
  if (home.registration.state !== 'no-server') return null;

  const start = async () => {
    if (busy) return;
    setBusy(true);
    await run(api().hostServer());
    setBusy(false);
  };
  return (
    <section className={`${styles.card} ${styles.offer}`} aria-labelledby="host-title">
      <span className={styles.offerIcon}>
        <Icon name="server" />
      </span>
      <div className={styles.offerBody}>
        <h2 id="host-title" className={styles.cardTitle}>
          {t('host.offerTitle')}
        </h2>
        <p className={styles.hint}>{t('host.offerText')}</p>
        <Button aria-disabled={busy} onClick={() => void start()} data-testid="host-server">
          {busy ? t('host.starting') : t('host.start')}
        </Button>
      </div>
    </section>
  );
}
