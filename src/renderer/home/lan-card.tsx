import { useState } from 'react';
import type { LanPeer } from '../../shared/ipc.ts';
import { api } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import styles from './home.module.css';
import type { Run } from './home-window.tsx';
import { PeerRow } from './peer-list.tsx';

export function LanCard({ run }: { run: Run }) {
  const { t } = useI18n();
  const [peers, setPeers] = useState<LanPeer[] | null>(null);
  const [busy, setBusy] = useState(false);
  const search = async () => {
    if (busy) return;
    setBusy(true);
    const result = await run(api().discoverLan());
    if (result.ok) setPeers(result.value);
    setBusy(false);
  };
  const words = busy ? t('lan.searching') : peers === null ? t('lan.notSearched') : t('lan.none');
  return (
    <section className={styles.card} aria-labelledby="lan-title">
      <div className={styles.titleRow}>
        <h2 id="lan-title" className={styles.cardTitle}>
          {t('lan.title')}
        </h2>
        <Button icon="search" aria-disabled={busy} onClick={() => void search()} data-testid="lan-search">
          {t('lan.search')}
        </Button>
      </div>
      <div aria-live="polite" aria-busy={busy}>
        {busy || peers === null || peers.length === 0 ? (
          <p className={styles.empty}>{words}</p>
        ) : (
          <ul className={styles.peers} data-testid="lan-peers">
            {peers.map((peer) => (
              <PeerRow
                key={`${peer.id} ${peer.address}`}
                id={peer.id}
                name={peer.name}
                platform={peer.platform}
                detail={<span>{peer.address}</span>}
                onConnect={() => void run(api().connect(peer.id === '' ? peer.address : peer.id))}
              />
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}
