/** The tunnels of the app: kept in the settings of its peer, carried by its connections. */
import { systemClock } from '../../core/clock.ts';
import type { Peer } from '../../peer/peer.ts';
import { PeerEngine } from './peer-engine.ts';
import { Tunnels } from './tunnels.ts';
import type { TunnelStore } from './tunnels.ts';
import { hasViewer } from '../../peer/tunnel/viewer.ts';

export function createTunnels(peer: Peer): Tunnels {
  const store: TunnelStore = {
    get tunnels() {
      return peer.settings.tunnels;
    },
    get rules() {
      return peer.settings.accessRules;
    },
    change: ({ tunnels, rules }) =>
      void peer.changeSettings({ ...(tunnels ? { tunnels } : {}), ...(rules ? { accessRules: rules } : {}) }),
  };
  const engine = new PeerEngine(peer, (id, passwordHash) => tunnels.signedIn(id, passwordHash));
  const tunnels = new Tunnels({ store, engine, clock: systemClock, viewers: { rdp: hasViewer('rdp'), vnc: hasViewer('vnc') } });
  return tunnels;
}
