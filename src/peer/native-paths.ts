/** The search for better paths of one native session, from its login to its end: a path manager with what it needs around it. */
import { type Clock, systemClock } from '../core/clock.ts';
import { systemRandom } from '../core/crypto/random.ts';
import type { Family } from '../core/nat/observation.ts';
import type { PathRole } from '../core/nat/probe-packet.ts';
import { CHANNEL, type PathKind } from '../core/native/contract.ts';
import type { MultipathLink } from '../core/native/multipath.ts';
import type { HostPort } from '../core/wire/index.ts';
import type { NetLink, SecuredLink } from '../net/index.ts';
import { NetworkWatch } from '../net/network-watch.ts';
import type { GatewayPorts } from '../net/portmap/index.ts';
import { PathManager } from './path-manager.ts';
import type { PairMemory } from './path-memory.ts';
import type { PathAttempt } from './path-record.ts';
import type { PathPortMapper } from './path-round.ts';
import { resolveServer } from './rendezvous-client.ts';
import type { ServerAddress } from './server-address.ts';

export interface NativePathsOptions {
  readonly role: PathRole;
  readonly link: MultipathLink;
  /** 32 bytes. */
  readonly sessionSecret: Uint8Array;
  /** Who tells us our public addresses; null: nobody. */
  readonly server: ServerAddress | null;
  readonly gatewayPorts: GatewayPorts | null;
  /** What worked between these two before; null: it is not known who the other is. */
  readonly memory: PairMemory | null;
  /** The key exchange over a connection that may be one more path: ends with a link that joined this session, or rejects. */
  readonly exchange: (link: NetLink, signal: AbortSignal) => Promise<SecuredLink>;
  readonly onAttempt?: (attempt: PathAttempt) => void;
  readonly onNetworkChange?: () => void;
  readonly clock?: Clock;
}

/** Starts the search; it ends with the link. */
export function searchPaths(options: NativePathsOptions): PathManager {
  const { role, link, sessionSecret, server, gatewayPorts, exchange, onAttempt, clock = systemClock } = options;
  const mapper = gatewayPorts && new SessionPorts(gatewayPorts);
  const manager = new PathManager({
    role,
    channel: link.channel(CHANNEL.paths),
    sessionSecret,
    clock,
    random: systemRandom,
    servers: (signal) => natTestPorts(server, signal),
    mapper,
    memory: options.memory,
    hasDirect: () => link.paths.some(({ kind }) => kind !== 'relay'),
    join: async (connection: NetLink, kind: PathKind, signal) => {
      const secured = await exchange(connection, signal);
      if (!secured.native?.joined) {
        secured.destroy();
        throw new Error('the key exchange did not join the session');
      }
      link.addPath(secured, kind);
    },
    ...(onAttempt ? { onAttempt } : {}),
  });
  const watch = new NetworkWatch({
    clock,
    onChange: () => {
      options.onNetworkChange?.();
      gatewayPorts?.networkChanged();
      manager.networkChanged();
    },
  });
  link.onPathChange(() => manager.pathsChanged());
  link.onStateChange((state) => {
    if (state === 'closed') {
      watch.close();
      manager.close();
      mapper?.close();
    }
  });
  return manager;
}

/** The server's ports that answer NAT tests; one that carries everything on a single port has only that. */
async function natTestPorts(server: ServerAddress | null, signal: AbortSignal): Promise<readonly HostPort[]> {
  if (!server) return [];
  try {
    const main = await resolveServer(server, signal);
    return server.single ? [main] : [main, { host: main.host, port: main.port - 1 }];
  } catch {
    return [];
  }
}

/** The ports that a gateway opens for one session. */
class SessionPorts implements PathPortMapper {
  readonly #ports: GatewayPorts;
  readonly #open = new Map<string, () => void>();

  constructor(ports: GatewayPorts) {
    this.#ports = ports;
  }

  async map(family: Family, protocol: 'udp' | 'tcp', internalPort: number, signal: AbortSignal): Promise<HostPort> {
    this.#open.set(keyOf(family, protocol, internalPort), () => this.unmap(family, protocol, internalPort));
    const { externalAddress, externalPort, doubleNat } = await this.#ports.map(family, protocol, internalPort, signal);
    if (doubleNat) throw new Error('a second NAT stands outside the gateway');
    return { host: externalAddress, port: externalPort };
  }

  unmap(family: Family, protocol: 'udp' | 'tcp', internalPort: number): void {
    this.#open.delete(keyOf(family, protocol, internalPort));
    void this.#ports.unmap(family, protocol, internalPort).catch(() => {});
  }

  close(): void {
    for (const unmap of [...this.#open.values()]) unmap();
  }
}

function keyOf(family: Family, protocol: 'udp' | 'tcp', internalPort: number): string {
  return `${family} ${protocol} ${internalPort}`;
}
