import { useEffect, useState } from 'react';
import type { RecentPeer } from '../../shared/ipc.ts';
import type { TunnelEntry, TunnelsState } from '../../shared/tunnels-state.ts';
import { api } from '../api.ts';
import { formatId } from '../home/format-id.ts';
import home from '../home/home.module.css';
import type { Run } from '../home/home-window.tsx';
import { useI18n } from '../i18n/use-i18n.ts';
import { useTunnels } from '../state/tunnels-store.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icons.tsx';
import { RulesCard } from './rules-card.tsx';
import { TunnelDialog } from './tunnel-dialog.tsx';
import { TunnelRow } from './tunnel-row.tsx';
import { titleOf } from './tunnel-words.ts';
import styles from './tunnels.module.css';

/** As long as a removed tunnel can be brought back. */
const UNDO_MS = 12_000;

export function TunnelsPage({ recentPeers, run }: { recentPeers: readonly RecentPeer[]; run: Run }) {
  const { t } = useI18n();
  const { state } = useTunnels();
  if (state === null)
    return (
      <p role="status" className={home.loading}>
        {t('app.loading')}
      </p>
    );
  return <Page state={state} recentPeers={recentPeers} run={run} />;
}

function Page({ state, recentPeers, run }: { state: TunnelsState; recentPeers: readonly RecentPeer[]; run: Run }) {
  const { t } = useI18n();
  /** The tunnel in the dialog; `new` for one that is added; null while it is closed. */
  const [edited, setEdited] = useState<TunnelEntry | 'new' | null>(null);
  const [removed, setRemoved] = useState<{ id: string; name: string } | null>(null);
  const nameOfPeer = (id: string) => recentPeers.find((peer) => peer.id === id)?.name || formatId(id);

  const remove = async ({ tunnel }: TunnelEntry) => {
    const result = await run(api().removeTunnel(tunnel.id));
    if (result.ok) setRemoved({ id: tunnel.id, name: titleOf(tunnel, t) });
  };
  return (
    <>
      <section className={home.card} aria-labelledby="tunnels-title">
        <div className={styles.head}>
          <div>
            <h2 id="tunnels-title" className={styles.title}>
              {t('tunnels.title')}
            </h2>
            <p className={styles.intro}>{t('tunnels.intro')}</p>
          </div>
          {state.tunnels.length > 0 && (
            <Button look="primary" icon="plus" aria-haspopup="dialog" onClick={() => setEdited('new')} data-testid="tunnel-add">
              {t('tunnels.add')}
            </Button>
          )}
        </div>
        {state.tunnels.length === 0 ? (
          <div className={styles.empty}>
            <span className={styles.emptyIcon}>
              <Icon name="tunnel" />
            </span>
            <h3>{t('tunnels.emptyTitle')}</h3>
            <p>{t('tunnels.emptyText')}</p>
            <Button look="primary" icon="plus" aria-haspopup="dialog" onClick={() => setEdited('new')} data-testid="tunnel-add">
              {t('tunnels.add')}
            </Button>
          </div>
        ) : (
          <ul className={styles.list} data-testid="tunnels">
            {state.tunnels.map((entry) => (
              <TunnelRow
                key={entry.tunnel.id}
                entry={entry}
                viewers={state.viewers}
                nameOfPeer={nameOfPeer}
                run={run}
                onEdit={() => setEdited(entry)}
                onRemove={() => void remove(entry)}
              />
            ))}
          </ul>
        )}
      </section>
      <RulesCard rules={state.rules} recentPeers={recentPeers} nameOfPeer={nameOfPeer} run={run} />
      {edited !== null && (
        <TunnelDialog
          entry={edited === 'new' ? null : edited}
          others={state.tunnels}
          recentPeers={recentPeers}
          onClose={() => setEdited(null)}
        />
      )}
      {removed !== null && (
        <UndoBar
          key={removed.id}
          text={t('tunnels.removed', { name: removed.name })}
          onUndo={() => {
            setRemoved(null);
            void run(api().restoreTunnel(removed.id));
          }}
          onGone={setRemoved}
        />
      )}
    </>
  );
}

function UndoBar({ text, onUndo, onGone }: { text: string; onUndo: () => void; onGone: (nothing: null) => void }) {
  const { t } = useI18n();
  useEffect(() => {
    const timer = setTimeout(() => onGone(null), UNDO_MS);
    return () => clearTimeout(timer);
  }, [onGone]);
  return (
    <div className={styles.undo} role="status" data-testid="tunnel-removed">
      <span>{text}</span>
      <Button look="quiet" onClick={onUndo} data-testid="tunnel-undo">
        {t('tunnels.undo')}
      </Button>
    </div>
  );
}
