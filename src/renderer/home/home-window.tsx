import { useEffect, useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { HomeState, Result } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { useHome } from '../state/home-store.ts';
import { startTunnels } from '../state/tunnels-store.ts';
import { TunnelsPage } from '../tunnels/tunnels-page.tsx';
import tunnels from '../tunnels/tunnels.module.css';
import { ErrorNotice } from '../ui/error-notice.tsx';
import { ConnectCard } from './connect-card.tsx';
import { Header, type Page } from './header.tsx';
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
  const [page, setPage] = useState<Page>('home');
  const [settingsOpen, setSettingsOpen] = useState(false);
  const [problem, setProblem] = useState<ErrorData | null>(null);

  useEffect(() => startTunnels(api()), []);
  const run: Run = async (command) => {
    setProblem(null);
    const result = await settle(command);
    if (!result.ok) setProblem(result.error);
    return result;
  };

  return (
    <div className={styles.window}>
      <Header page={page} onPage={setPage} onSettings={() => setSettingsOpen(true)} />
      <main className={page === 'home' ? styles.columns : tunnels.page}>
        {problem !== null && (
          <div className={styles.problem}>
            <ErrorNotice error={problem} onDismiss={() => setProblem(null)} data-testid="home-error" />
          </div>
        )}
        {page === 'home' ? <HomePage home={home} run={run} /> : <TunnelsPage recentPeers={home.recentPeers} run={run} />}
      </main>
      {settingsOpen && <SettingsDialog settings={home.settings} onClose={() => setSettingsOpen(false)} />}
    </div>
  );
}

function HomePage({ home, run }: { home: HomeState; run: Run }) {
  const { t } = useI18n();
  return (
    <>
      <div className={styles.side}>
        <IncomingCard incoming={home.incoming} run={run} />
        <IdentityCard home={home} run={run} />
        <p className={styles.version}>
          {t('home.version', { version: home.version })}
          <button type="button" className={styles.quit} onClick={() => void run(api().quit())} data-testid="home-quit">
            {t('home.quit')}
          </button>
        </p>
      </div>
      <div className={styles.main}>
        <ConnectCard run={run} />
        <HostServerCard home={home} run={run} />
        <RecentCard peers={home.recentPeers} run={run} />
        <LanCard run={run} />
      </div>
    </>
  );
}
