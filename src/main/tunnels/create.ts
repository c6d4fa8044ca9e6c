/** The tunnels of the app: kept in the settings of its peer, carried by its connections. */
import { systemClock } from '../../core/clock.ts';
import type { Peer } from '../../peer/peer.ts';
import { failed } from './engine.ts';
import type { TunnelEngine } from './engine.ts';
import { Tunnels } from './tunnels.ts';
import type { TunnelStore } from './tunnels.ts';
import { hasViewer } from './viewer.ts';

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
  return new Tunnels({ store, engine: NO_ENGINE, clock: systemClock, viewers: { rdp: hasViewer('rdp'), vnc: hasViewer('vnc') } });
}

const NO_ENGINE: TunnelEngine = {
  start: () => ({
    status: failed({
      code: 'TUNNELS_UNAVAILABLE',
      stage: 'session',
      message: 'This version cannot carry tunnels yet.',
      hint: 'Update LiteDesk.',
    }),
    stop: () => Promise.resolve(),
  }),
  setRules: () => {},
};
