/** Carries the app's tunnels with the connections of its peer. */
import { formatHostPort } from '../../net/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { type Credentials, TunnelManager, type TunnelStatus } from '../../peer/tunnel/manager.ts';
import type { TunnelSpec } from '../../peer/tunnel/spec.ts';
import type { AccessRule, PublishTunnel, StoredSecrets, Tunnel } from '../../shared/tunnels.ts';
import { NOTHING, type RunningStatus, type RunningTunnel, type TunnelEngine } from './engine.ts';
import { PublishedTunnels, serviceOf } from './published-tunnel.ts';

/** Codes after which only a password helps. */
const PASSWORD_CODES = new Set(['LOGIN_WRONG_PASSWORD', 'LOGIN_PASSWORD_REQUIRED', 'LOGIN_TIMEOUT']);

export class PeerEngine implements TunnelEngine {
  readonly #peer: Pick<Peer, 'connect' | 'settings' | 'publisher'>;
  readonly #manager: TunnelManager;
  readonly #published: PublishedTunnels;
  /** What the user gave for tunnels to that peer, or what is kept of it; the newest counts. */
  readonly #given = new Map<string, Credentials>();

  /** @param onSignedIn a password let us in: `passwordHash` is what is to be kept of it. */
  constructor(peer: Pick<Peer, 'connect' | 'settings' | 'publisher'>, onSignedIn: (peer: string, passwordHash: string) => void) {
    this.#peer = peer;
    this.#published = new PublishedTunnels(() => peer.publisher([]));
    this.#manager = new TunnelManager({ peer, credentials: (id) => this.#credentials(id) });
    this.#manager.on('link', ({ peer: id, state }) => {
      const h1 = state.state === 'open' ? state.connection.session.h1 : null;
      if (!h1 || this.#given.get(id)?.password === undefined) return;
      const passwordHash = Buffer.from(h1).toString('hex');
      this.#given.set(id, { passwordHash });
      onSignedIn(id, passwordHash);
    });
  }

  start(tunnel: Tunnel, secrets: StoredSecrets, onChange: () => void): RunningTunnel {
    if (tunnel.kind === 'publish') return this.#published.start(serviceOf(tunnel, secrets), onChange);
    const spec = specOf(tunnel, secrets);
    const { peerPassword: password, peerPasswordHash: passwordHash } = secrets;
    if (password !== undefined) this.#given.set(spec.peer, { password });
    else if (passwordHash !== undefined && !this.#given.has(spec.peer)) this.#given.set(spec.peer, { passwordHash });
    // Without a password somebody at the other computer would be asked to accept, again with each attempt.
    if (Object.keys(this.#credentials(spec.peer)).length === 0)
      return { status: { ...NOTHING, phase: 'password' }, stop: () => Promise.resolve() };
    const manager = this.#manager;
    const off = manager.on('changed', ({ id }) => {
      if (id === spec.id) onChange();
    });
    manager.add(spec);
    // With a new password a peer that was given up may let us in.
    manager.retry(spec.peer);
    return {
      get status(): RunningStatus {
        const status = manager.get(spec.id);
        return status ? runningStatus(status) : { ...NOTHING, phase: 'starting' };
      },
      stop: async () => {
        off();
        await manager.remove(spec.id);
      },
    };
  }

  /** The rules are in the peer's settings, from where it takes them by itself. */
  setRules(_rules: readonly AccessRule[]): void {}

  #credentials(peer: string): Credentials {
    const given = this.#given.get(peer);
    if (given) return given;
    const passwordHash = this.#peer.settings.recentPeers.find(({ id }) => id === peer)?.passwordHash;
    return passwordHash === undefined ? {} : { passwordHash };
  }
}

function specOf(tunnel: Exclude<Tunnel, PublishTunnel>, secrets: StoredSecrets): TunnelSpec {
  const common = {
    id: tunnel.id,
    name: tunnel.name,
    peer: tunnel.peer,
    listenHost: tunnel.listenOn === 'network' ? '::' : '127.0.0.1',
    listenPort: tunnel.listenPort,
    enabled: true,
  };
  if (tunnel.kind === 'proxy') {
    const { user } = tunnel;
    const password = secrets.proxyPassword ?? '';
    return { ...common, kind: 'proxy', ...(user === '' || password === '' ? {} : { auth: { user, password } }) };
  }
  return { ...common, kind: 'forward', protocol: tunnel.kind === 'udp' ? 'udp' : 'tcp', targetHost: tunnel.host, targetPort: tunnel.port };
}

function runningStatus(status: TunnelStatus): RunningStatus {
  const { link, listening } = status;
  const connection = link.state === 'open' ? link.connection : null;
  return {
    phase: phaseOf(status),
    address: listening ? shownAddress(listening) : '',
    path: connection?.path ?? null,
    encrypted: link.state !== 'stock' && (connection?.encrypted ?? true),
    stock: link.state === 'stock',
    streams: status.open,
    streamsTotal: status.total,
    bytesIn: status.bytesIn,
    bytesOut: status.bytesOut,
    retryInMs: link.state === 'waiting' ? link.retryInMs : null,
    error: status.error,
  };
}

function phaseOf({ state, link }: TunnelStatus): RunningStatus['phase'] {
  if (state === 'failed') return 'failed';
  switch (link.state) {
    case 'open':
    case 'stock':
      return state === 'listening' ? 'ready' : 'starting';
    case 'waiting':
    case 'searching':
      return 'waiting';
    case 'closed':
      return link.error && PASSWORD_CODES.has(link.error.code) ? 'password' : link.error ? 'failed' : 'starting';
    default:
      return 'starting';
  }
}

/** What a program on this computer is told. */
function shownAddress(listening: { host: string; port: number }): string {
  const any = listening.host === '::' || listening.host === '0.0.0.0';
  return formatHostPort({ ...listening, host: any ? '127.0.0.1' : listening.host });
}
