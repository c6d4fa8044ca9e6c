import type { RecentPeer } from '../../shared/ipc.ts';
import { formatId } from '../home/format-id.ts';

/** Computers that were connected to before, as suggestions for a field that wants an ID. */
export function suggestPeers(peers: readonly RecentPeer[]): { value: string; label: string }[] {
  return peers.map(({ id, name }) => ({ value: formatId(id), label: name }));
}
