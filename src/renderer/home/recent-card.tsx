import { useEffect, useState } from 'react';
import type { Language, RecentPeer } from '../../shared/ipc.ts';
import { api } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icons.tsx';
import { formatId } from './format-id.ts';
import styles from './home.module.css';
import type { Run } from './home-window.tsx';
import { PeerRow } from './peer-list.tsx';
import { relativeTime } from './relative-time.ts';

export function RecentCard({ peers, run }: { peers: RecentPeer[]; run: Run }) {
  const { t, language } = useI18n();
  const now = useNow();
  return (
    <section className={styles.card} aria-labelledby="recent-title">
      <h2 id="recent-title" className={styles.cardTitle}>
        {t('recent.title')}
      </h2>
      {peers.length === 0 ? (
        <p className={styles.empty}>{t('recent.empty')}</p>
      ) : (
        <ul className={styles.peers} data-testid="recent-peers">
          {peers.map((peer) => (
            <PeerRow
              key={peer.id}
              id={peer.id}
              name={peer.name}
              platform={peer.platform}
              detail={<LastUsed peer={peer} language={language} now={now} />}
              onConnect={() => void run(api().connect(peer.id))}
              action={
                <Button
                  look="quiet"
                  icon="close"
                  className={styles.forget}
                  label={t('recent.forget', { name: peer.name === '' ? formatId(peer.id) : peer.name })}
                  onClick={() => void run(api().forgetPeer(peer.id))}
                />
              }
            />
          ))}
        </ul>
      )}
    </section>
  );
}

function LastUsed({ peer, language, now }: { peer: RecentPeer; language: Language; now: number }) {
  const { t } = useI18n();
  return (
    <>
      <span>{relativeTime(language, peer.lastUsedMs, now)}</span>
      {peer.remembered && (
        <span className={styles.remembered} title={t('recent.remembered')}>
          <Icon name="lock" />
          <span className="visually-hidden">{t('recent.remembered')}</span>
        </span>
      )}
    </>
  );
}

/** Milliseconds since 1970, a new value every minute. */
function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 60_000);
    return () => clearInterval(timer);
  }, []);
  // A peer that was used after the last tick is simply "now".
  return now;
}
