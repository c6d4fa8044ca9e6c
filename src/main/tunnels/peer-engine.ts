/** Carries the app's tunnels with the connections of its peer. */
import type { ErrorData } from '../../core/errors.ts';
import { formatHostPort } from '../../net/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { TunnelManager, type TunnelStatus } from '../../peer/tunnel/manager.ts';
import type { TunnelSpec } from '../../peer/tunnel/spec.ts';
import type { AccessRule, Tunnel, TunnelSecrets } from '../../shared/tunnels.ts';
import { failed, type RunningStatus, type RunningTunnel, type TunnelEngine } from './engine.ts';

/** Codes after which only a password helps. */
const PASSWORD_CODES = new Set(['LOGIN_WRONG_PASSWORD', 'LOGIN_PASSWORD_REQUIRED']);

export class PeerEngine implements TunnelEngine {
  readonly #peer: Peer;
  readonly #manager: TunnelManager;
  /** What the user gave for a tunnel to that peer; the newest counts. */
  readonly #passwords = new Map<string, string>();

  constructor(peer: Peer) {
    this.#peer = peer;
    this.#manager = new TunnelManager({ peer, credentials: (id) => this.#credentials(id) });
  }

  start(tunnel: Tunnel, secrets: TunnelSecrets, onChange: () => void): RunningTunnel {
    const spec = specOf(tunnel, secrets);
    if (!spec) return { status: failed(NOT_CARRIED), stop: () => Promise.resolve() };
    const manager = this.#manager;
    const off = manager.on('changed', ({ id }) => {
      if (id === spec.id) onChange();
    });
    if (secrets.peerPassword) this.#passwords.set(spec.peer, secrets.peerPassword);
    manager.add(spec);
    // With a new password a peer that was given up may let us in.
    manager.retry(spec.peer);
    return {
      get status() {
        const status = manager.get(spec.id);
        return status ? runningStatus(status) : failed(NOT_CARRIED);
      },
      stop: async () => {
        off();
        await manager.remove(spec.id);
      },
    };
  }

  /** The rules are in the peer's settings, from where it takes them by itself. */
  setRules(_rules: readonly AccessRule[]): void {}

  #credentials(peer: string): { password?: string; passwordHash?: string } {
    const password = this.#passwords.get(peer);
    if (password !== undefined) return { password };
    const passwordHash = this.#peer.settings.recentPeers.find(({ id }) => id === peer)?.passwordHash;
    return passwordHash === undefined ? {} : { passwordHash };
  }
}

/** Null for kinds that a peer alone does not carry. */
function specOf(tunnel: Tunnel, secrets: TunnelSecrets): TunnelSpec | null {
  if (tunnel.kind === 'publish') return null;
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
    // A stock peer's tunnel is not (session §7.4).
    encrypted: link.state === 'stock' ? false : (connection?.encrypted ?? true),
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

const NOT_CARRIED: ErrorData = {
  code: 'TUNNELS_UNAVAILABLE',
  stage: 'session',
  message: 'This version cannot carry this kind of tunnel yet.',
  hint: 'Update LiteDesk.',
};
