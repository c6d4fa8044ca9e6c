import { create } from 'zustand';
import type { LiteDeskApi } from '../../shared/ipc.ts';
import type { TunnelsState } from '../../shared/tunnels-state.ts';
import { settle } from '../api.ts';

/** The tunnels of this computer; null until the first answer. */
export const useTunnels = create<{ state: TunnelsState | null }>()(() => ({ state: null }));

/** Follows them until the returned function is called. */
export function startTunnels(api: LiteDeskApi): () => void {
  let ended = false;
  let pushed = false;
  const off = api.onTunnels((state) => {
    pushed = true;
    useTunnels.setState({ state });
  });
  void settle(api.getTunnels()).then((result) => {
    // A pushed state is newer than the answer to a question asked before it.
    if (!ended && !pushed && result.ok) useTunnels.setState({ state: result.value });
  });
  return () => {
    ended = true;
    off();
  };
}
