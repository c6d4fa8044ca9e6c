import { useEffect, useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { HomeState, Result } from '../../shared/ipc.ts';
import { settle } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { useHome } from '../state/home-store.ts';
import { Button } from '../ui/button.tsx';
import { ErrorNotice } from '../ui/error-notice.tsx';
import { ConnectCard } from './connect-card.tsx';
import styles from './home.module.css';
import { HostServerCard } from './host-server-card.tsx';
import { IdentityCard } from './identity-card.tsx';
import { IncomingCard } from './incoming-card.tsx';
import { LanCard } from './lan-card.tsx';
import { RecentCard } from './recent-card.tsx';
import { SettingsDialog } from './settings-dialog.tsx';

/** Runs a command of the home window; its failure is shown at the top until it is dismissed. */
export type Run = <T>(command: Promise<Result<T>>) => Promise<Result<T>>;

export function HomeWindow() {
  const { t } = useI18n();
  const { home, failure } = useHome();
  useEffect(() => {
    document.title = 'LiteDesk';
  }, []);
  if (home !== null) return <Home home={home} />;
  return (
    <main className={styles.alone}>
      {failure === null ? (
        <p role="status" className={styles.loading}>
          {t('app.loading')}
        </p>
      ) : (
        <>
          <h1 className={styles.aloneTitle}>{t('app.failed')}</h1>
          <ErrorNotice error={failure} />
        </>
      )}
    </main>
  );
}

function Home({ home }: { home: HomeState }) {
  const { t } = useI18n();
  const [settingsOpen, setSettingsOpen] = useState(false);
  const [problem, setProblem] = useState<ErrorData | null>(null);

  const run: Run = async (command) => {
    setProblem(null);
    const result = await settle(command);
    if (!result.ok) setProblem(result.error);
    return result;
  };

  return (
    <div className={styles.window}>
      <header className={styles.header}>
        <h1 className={styles.brand}>
          <span className={styles.mark} aria-hidden="true" />
          LiteDesk
        </h1>
        <Button
          look="quiet"
          icon="settings"
          aria-haspopup="dialog"
          data-testid="settings-open"
          onClick={() => setSettingsOpen(true)}
        >
          {t('home.settings')}
        </Button>
      </header>
      <main className={styles.columns}>
        {problem !== null && (
          <div className={styles.problem}>
            <ErrorNotice error={problem} onDismiss={() => setProblem(null)} data-testid="home-error" />
          </div>
        )}
        <div className={styles.side}>
          <IncomingCard incoming={home.incoming} run={run} />
          <IdentityCard home={home} run={run} />
          <p className={styles.version}>{t('home.version', { version: home.version })}</p>
        </div>
        <div className={styles.main}>
          <ConnectCard run={run} />
          <HostServerCard home={home} run={run} />
          <RecentCard peers={home.recentPeers} run={run} />
          <LanCard run={run} />
        </div>
      </main>
      {settingsOpen && <SettingsDialog settings={home.settings} onClose={() => setSettingsOpen(false)} />}
    </div>
  );
}
