/** The commands of `litedesk admin`, put together over the parts of a server. */
import type { Clock } from '../core/clock.ts';
import { type PeerCommandParts, peerCommands } from './admin/peer-commands.ts';
import { AdminCommands } from './admin/registry.ts';
import { relayCommands } from './admin/relay-commands.ts';
import { type ServerCommandParts, serverCommands } from './admin/server-commands.ts';
import { AdminSocket } from './admin/socket.ts';
import type { Closers } from './closers.ts';
import type { ServerOptions } from './contract.ts';
import { addKeyCommands, type KeyCommandsOptions } from './enrolment/commands.ts';
import type { ReadyReport } from './observe/ready.ts';
import type { Relay } from './relay.ts';
import type { RelayPolicy } from './relay-policy.ts';

/** What the commands look at and change. */
export interface Administered extends PeerCommandParts, ServerCommandParts, Omit<KeyCommandsOptions, 'admin'> {
  readonly clock: Clock;
  readonly relay: Relay;
  readonly policy: RelayPolicy;
  readonly stats: () => Record<string, number>;
  readonly ready: () => Promise<ReadyReport>;
}

/** A server without its admin socket still serves: the folder may be on a file system that has none. */
export async function openAdmin({ dataDir, log }: ServerOptions, closers: Closers, parts: Administered): Promise<void> {
  const commands = new AdminCommands();
  // Each part adds its commands here (admin/registry.ts).
  commands.add({ name: 'stats', help: 'decisions by reason since the start, and what is held now', run: parts.stats });
  commands.addAll(peerCommands(parts));
  commands.addAll(relayCommands(parts.relay, parts.policy));
  commands.addAll(serverCommands(parts));
  commands.add({ name: 'ready', help: 'a self-test: registers, introduces and relays through the own sockets', run: parts.ready });
  addKeyCommands({ admin: commands, enrolment: parts.enrolment, keys: parts.keys, entry: parts.entry });
  try {
    const socket = await AdminSocket.open({ dataDir, commands, limits: parts.limits, clock: parts.clock });
    closers.add(() => socket.close());
  } catch (error) {
    log?.('warn', 'admin-socket-failed', { error: error instanceof Error ? error.message : String(error) });
  }
}
