/** What the main window may ask of the tunnels. */
import type { Handlers } from '../ipc.ts';
import type { Tunnels } from './tunnels.ts';
import { openViewer } from '../../peer/tunnel/viewer.ts';

type TunnelCommands = Pick<
  Handlers,
  'getTunnels' | 'saveTunnel' | 'removeTunnel' | 'restoreTunnel' | 'runTunnel' | 'openViewer' | 'saveRule' | 'removeRule'
>;

export function tunnelCommands(tunnels: Tunnels): TunnelCommands {
  const done = async (work: Promise<void>): Promise<null> => {
    await work;
    return null;
  };
  return {
    getTunnels: () => tunnels.state,
    saveTunnel: (_sender, tunnel, secrets) => done(tunnels.save(tunnel, secrets)),
    removeTunnel: (_sender, id) => done(tunnels.remove(id)),
    restoreTunnel: (_sender, id) => done(tunnels.restore(id)),
    runTunnel: (_sender, id, run) => done(tunnels.run(id, run)),
    openViewer: (_sender, id) => {
      const { kind, address } = tunnels.viewerOf(id);
      return done(openViewer(kind, address));
    },
    saveRule: (_sender, rule) => {
      tunnels.saveRule(rule);
      return null;
    },
    removeRule: (_sender, id) => {
      tunnels.removeRule(id);
      return null;
    },
  };
}
