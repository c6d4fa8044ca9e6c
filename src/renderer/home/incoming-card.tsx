import type { IncomingSession } from '../../shared/ipc.ts';
import { api } from '../api.ts';
import { PATH_WORDS, nameOf } from '../i18n/words.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icons.tsx';
import styles from './home.module.css';
import type { Run } from './home-window.tsx';
import { clockTime } from './relative-time.ts';

export function IncomingCard({ incoming, run }: { incoming: IncomingSession[]; run: Run }) {
  const { t, language } = useI18n();
  if (incoming.length === 0) return null;
  return (
    <section className={styles.card} aria-labelledby="incoming-title" data-testid="incoming-sessions">
      <h2 id="incoming-title" className={styles.cardTitle}>
        {t('incoming.title')}
      </h2>
      <ul className={styles.incoming}>
        {incoming.map((session) => {
          const name = nameOf(session, t);
          return (
            <li key={session.sessionId} className={styles.incomingRow}>
              <span className={styles.peerIcon}>
                <Icon name="person" />
              </span>
              <span className={styles.peerBody}>
                <span className={styles.peerName}>{name}</span>
                <span className={styles.peerDetail}>
                  {session.state === 'asking' ? (
                    <span>{t('incoming.asking')}</span>
                  ) : (
                    <>
                      <span>{t(`kind.${session.kind}`)}</span>
                      <span>{t(PATH_WORDS[session.path])}</span>
                      <span>{t('incoming.since', { time: clockTime(language, session.sinceMs) })}</span>
                    </>
                  )}
                  {!session.encrypted && <span className={styles.alarm}>{t('session.notEncrypted')}</span>}
                </span>
              </span>
              <Button
                icon="close"
                look="quiet"
                label={t('incoming.disconnectName', { name })}
                onClick={() => void run(api().closeIncoming(session.sessionId))}
                data-testid="incoming-disconnect"
              />
            </li>
          );
        })}
      </ul>
    </section>
  );
}
