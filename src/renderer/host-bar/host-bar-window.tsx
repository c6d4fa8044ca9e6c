import { useEffect } from 'react';
import type { IncomingSession } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { clockTime } from '../home/relative-time.ts';
import { nameOf, PATH_WORDS } from '../i18n/words.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { useHome } from '../state/home-store.ts';
import { Button } from '../ui/button.tsx';
import styles from './host-bar.module.css';

/** Always on top while somebody is connected: who, since when, by which path, and how to end it. */
export function HostBarWindow() {
  const { t } = useI18n();
  const home = useHome((store) => store.home);
  useEffect(() => {
    document.title = t('hostBar.title');
  }, [t]);
  const open = home?.incoming.filter((session) => session.state === 'open') ?? [];
  return (
    <main className={styles.window} aria-labelledby="host-bar-title" data-testid="hostbar">
      <h1 id="host-bar-title" className={styles.title}>
        <span className={styles.live} aria-hidden="true" />
        {t('hostBar.title')}
      </h1>
      <div role="status" className="visually-hidden">
        {open.map((session) => t('hostBar.connected', { name: nameOf(session, t) })).join('. ')}
      </div>
      {open.length === 0 ? (
        <p className={styles.none}>{home === null ? t('app.loading') : t('hostBar.none')}</p>
      ) : (
        <ul className={styles.list}>
          {open.map((session) => (
            <Row key={session.sessionId} session={session} />
          ))}
        </ul>
      )}
    </main>
  );
}

function Row({ session }: { session: IncomingSession }) {
  const { t, language } = useI18n();
  const name = nameOf(session, t);
  return (
    <li className={styles.row}>
      <span className={styles.words}>
        <span className={styles.name}>{name}</span>
        <span className={styles.detail}>
          {session.kind !== 'desktop' && <span>{t(`kind.${session.kind}`)}</span>}
          <span>{t(PATH_WORDS[session.path])}</span>
          <span>{t('incoming.since', { time: clockTime(language, session.sinceMs) })}</span>
          {!session.encrypted && <span className={styles.unsafe}>{t('session.notEncrypted')}</span>}
        </span>
      </span>
      <Button
        look="danger"
        aria-label={t('incoming.disconnectName', { name })}
        onClick={() => void settle(api().closeIncoming(session.sessionId))}
        data-testid="hostbar-disconnect"
      >
        {t('incoming.disconnect')}
      </Button>
    </li>
  );
}
