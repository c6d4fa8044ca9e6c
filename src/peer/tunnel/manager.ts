/**
 * The tunnels of this computer: forwards and proxies that listen here and lead through other peers. They are added, changed
 * and removed while running; those to one peer share its link, which comes up with the first and ends with the last.
 */
import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import type { ErrorData } from '../../core/errors.ts';
import { LiteDeskError } from '../../core/errors.ts';
import type { StreamTarget } from '../../core/mux/index.ts';
import { type ForwardSpec, MAX_TUNNELS, type ServiceTunnelSpec, type TunnelSpec } from './spec.ts';
import type { PathChoice } from '../connect-options.ts';
import type { Connected, Peer } from '../peer.ts';
import type { ConnectionInfo, Connections } from './connections.ts';
import { stockPeerLimits, tooManyTunnels, tunnelExists } from './errors.ts';
import { TcpForward, type ForwardOptions } from './forward.ts';
import type { ListenAddress, LocalListener } from './listener.ts';
import { PeerStreams, type StreamsState } from './peer-streams.ts';
import { Proxy } from './proxy/proxy.ts';
import { stockForward } from './stock-forward.ts';
import { UdpForward } from './udp-forward.ts';

/** How to log in at a peer. */
export interface Credentials {
  readonly password?: string | undefined;
  /** h1 of session §2.4 in hex. */
  readonly passwordHash?: string | undefined;
  readonly path?: PathChoice;
  readonly allowPlaintext?: boolean;
}

export interface TunnelStatus {
  readonly spec: TunnelSpec;
  /** `off`: disabled. `failed`: it cannot listen, or the peer does not let us in; see `error`. */
  readonly state: 'off' | 'starting' | 'listening' | 'failed';
  /** Where it listens; null while it does not. */
  readonly listening: ListenAddress | null;
  /** The link to the peer, which all tunnels to it share. */
  readonly link: StreamsState;
  /** What went wrong last; stays until the tunnel is changed. */
  readonly error: ErrorData | null;
  /** Connections now, and ever, and those that were refused or broke. */
  readonly open: number;
  readonly total: number;
  readonly failed: number;
  /** To and from the peer, in all. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

interface TunnelManagerEvents {
  /** A tunnel was added, changed or removed, or its state or that of its link is another. Not for counters. */
  changed: { readonly id: string };
  listening: { readonly id: string; readonly address: ListenAddress };
  /** A connection could not be made, or broke. */
  failure: { readonly id: string; readonly error: ErrorData };
  /** The link to a peer; `stock` for each connection through a stock peer. */
  link: { readonly peer: string; readonly state: StreamsState };
  stock: { readonly peer: string; readonly connection: Connected };
}

export interface TunnelManagerOptions {
  readonly peer: Pick<Peer, 'connect'>;
  /** Asked at each connect, so that a password that was entered meanwhile counts. */
  readonly credentials: (peer: string) => Credentials;
  /** Goes on trying to reach peers for ever. False: a first attempt that fails is final (the command line). Default true. */
  readonly persistent?: boolean;
  readonly clock?: Clock;
}

interface Tunnel {
  spec: TunnelSpec;
  state: TunnelStatus['state'];
  listening: ListenAddress | null;
  error: ErrorData | null;
  listener: (LocalListener & { readonly connections: Connections }) | null;
}

export class TunnelManager extends Emitter<TunnelManagerEvents> {
  readonly #o: TunnelManagerOptions;
  readonly #clock: Clock;
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #links = new Map<string, PeerStreams>();

  constructor(options: TunnelManagerOptions) {
    super();
    this.#o = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** All tunnels, in the order in which they were added. */
  list(): TunnelStatus[] {
    return [...this.#tunnels.values()].map((tunnel) => this.#status(tunnel));
  }

  get(id: string): TunnelStatus | null {
    const tunnel = this.#tunnels.get(id);
    return tunnel ? this.#status(tunnel) : null;
  }

  /** The connections of one tunnel that are open now. */
  connections(id: string): ConnectionInfo[] {
    return this.#tunnels.get(id)?.listener?.connections.list() ?? [];
  }

  /** Adds a tunnel and, if it is enabled, starts it. Throws LiteDeskError TUNNEL_EXISTS, TUNNEL_TOO_MANY. */
  add(spec: TunnelSpec): void {
    if (this.#tunnels.has(spec.id)) throw tunnelExists(spec.id);
    if (this.#tunnels.size >= MAX_TUNNELS) throw tooManyTunnels(MAX_TUNNELS);
    const tunnel: Tunnel = { spec, state: 'off', listening: null, error: null, listener: null };
    this.#tunnels.set(spec.id, tunnel);
    if (spec.enabled) this.#start(tunnel);
    this.emit('changed', { id: spec.id });
  }

  /** Puts another spec in the place of the one with the same id; its connections end. */
  async change(spec: TunnelSpec): Promise<void> {
    const tunnel = this.#tunnels.get(spec.id);
    if (!tunnel) return this.add(spec);
    await this.#stop(tunnel);
    tunnel.spec = spec;
    tunnel.error = null;
    if (spec.enabled && this.#tunnels.get(spec.id) === tunnel) this.#start(tunnel);
    this.#dropLinks();
    this.emit('changed', { id: spec.id });
  }

  /** Ends a tunnel and its connections, and forgets it. */
  async remove(id: string): Promise<void> {
    const tunnel = this.#tunnels.get(id);
    if (!tunnel) return;
    this.#tunnels.delete(id);
    await this.#stop(tunnel);
    this.#dropLinks();
    this.emit('changed', { id });
  }

  /** Tries again to reach a peer that has been given up, for example with a new password. */
  retry(peer: string): void {
    const link = this.#links.get(peer);
    if (link && link.state.state !== 'closed') return;
    this.#links.delete(peer);
    for (const tunnel of this.#tunnels.values()) {
      if (tunnel.spec.peer !== peer || tunnel.state === 'off') continue;
      tunnel.error = null;
      this.#link(peer);
      this.emit('changed', { id: tunnel.spec.id });
    }
  }

  /** Ends everything. */
  async close(): Promise<void> {
    const tunnels = [...this.#tunnels.values()];
    this.#tunnels.clear();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    await Promise.all(tunnels.map((tunnel) => this.#stop(tunnel)));
  }

  #start(tunnel: Tunnel): void {
    const { spec } = tunnel;
    tunnel.state = 'starting';
    tunnel.error = null;
    const address = { host: spec.listenHost, port: spec.listenPort };
    const onFailure = (error: ErrorData): void => {
      tunnel.error = error;
      this.emit('failure', { id: spec.id, error });
    };
    const shared: Omit<ForwardOptions, 'target'> = {
      address,
      onFailure,
      open: (target, signal) => this.#link(spec.peer).open(target, signal),
      openStock: (socket, target, signal) => this.#openStock(spec.peer, socket, target, signal),
    };
    const listener =
      spec.kind === 'proxy'
        ? new Proxy({ address, onFailure, open: shared.open, ...(spec.auth ? { auth: spec.auth } : {}) })
        : new (spec.protocol === 'udp' ? UdpForward : TcpForward)({ ...shared, target: targetOf(spec) });
    tunnel.listener = listener;
    listener.listen().then(
      (where) => {
        if (tunnel.listener !== listener) return;
        tunnel.state = 'listening';
        tunnel.listening = where;
        this.emit('listening', { id: spec.id, address: where });
        this.emit('changed', { id: spec.id });
        this.#link(spec.peer);
      },
      (error: unknown) => {
        if (tunnel.listener !== listener) return;
        tunnel.listener = null;
        tunnel.state = 'failed';
        if (!(error instanceof LiteDeskError)) throw error;
        onFailure(error.toData());
        this.emit('changed', { id: spec.id });
      },
    );
  }

  async #stop(tunnel: Tunnel): Promise<void> {
    const { listener } = tunnel;
    tunnel.listener = null;
    tunnel.listening = null;
    tunnel.state = 'off';
    await listener?.close();
  }

  /** The link to a peer, which is made now if there is none. */
  #link(peer: string): PeerStreams {
    const known = this.#links.get(peer);
    if (known) return known;
    const link = new PeerStreams({
      peer: this.#o.peer,
      target: peer,
      ...this.#o.credentials(peer),
      persistent: this.#o.persistent ?? true,
      clock: this.#clock,
    });
    this.#links.set(peer, link);
    link.on('state', (state) => {
      for (const tunnel of this.#tunnels.values()) {
        if (tunnel.spec.peer !== peer || tunnel.state === 'off') continue;
        if (state.state === 'stock' && tunnel.spec.kind === 'proxy') tunnel.error = stockPeerLimits('A proxy').toData();
        else if ((state.state === 'waiting' || state.state === 'closed') && state.error) tunnel.error = state.error;
        else if (state.state === 'open') tunnel.error = null;
        this.emit('changed', { id: tunnel.spec.id });
      }
      this.emit('link', { peer, state });
    });
    link.start();
    return link;
  }

  /** Links that no tunnel needs any more. */
  #dropLinks(): void {
    const needed = new Set([...this.#tunnels.values()].filter(({ state }) => state !== 'off').map(({ spec }) => spec.peer));
    for (const [peer, link] of this.#links)
      if (!needed.has(peer)) {
        this.#links.delete(peer);
        link.close();
      }
  }

  async #openStock(
    peer: string,
    socket: Parameters<ForwardOptions['openStock']>[0],
    target: StreamTarget,
    signal: AbortSignal,
  ): Promise<void> {
    if (target.kind !== 'tcp') throw stockPeerLimits('This kind of tunnel');
    const link = this.#link(peer);
    await stockForward({
      peer: this.#o.peer,
      target: peer,
      connect: { ...this.#o.credentials(peer), path: link.stockPath },
      host: target.host,
      port: target.port,
      socket,
      signal,
      onConnected: (connection) => {
        link.stockConnected(connection);
        this.emit('stock', { peer, connection });
      },
    }).catch((error: unknown) => {
      if (error instanceof LiteDeskError) link.stockFailed(error.toData());
      throw error;
    });
  }

  #status(tunnel: Tunnel): TunnelStatus {
    const { spec, state, listening, error, listener } = tunnel;
    const { bytesIn, bytesOut } = listener?.connections.traffic ?? { bytesIn: 0, bytesOut: 0 };
    return {
      spec,
      state,
      listening,
      error,
      link: this.#links.get(spec.peer)?.state ?? { state: 'closed', error: null },
      open: listener?.connections.size ?? 0,
      total: listener?.connections.total ?? 0,
      failed: listener?.connections.failed ?? 0,
      bytesIn,
      bytesOut,
    };
  }
}

function targetOf(spec: ForwardSpec | ServiceTunnelSpec): ForwardOptions['target'] {
  if (spec.kind === 'service') return { kind: 'service', name: spec.service };
  return { kind: spec.protocol, host: spec.targetHost, port: spec.targetPort };
}
