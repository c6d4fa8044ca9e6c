/** Rendezvous server and relay in one process: startServer() opens every port and gives one handle to close it all. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type Clock, systemClock } from '../core/clock.ts';
import { boxKeyPair, initCrypto, serverKeyExchange } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { formatInvitation } from '../shared/invitation.ts';
import { AdminCommands } from './admin/registry.ts';
import { AdminSocket } from './admin/socket.ts';
import { Admission } from './admission.ts';
import { Counters } from './counters.ts';
import { Introductions } from './introductions.ts';
import { loadOrCreateKeys, parseSecretKey, type ServerKeys } from './key-file.ts';
import { lanTest } from './lan.ts';
import { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';
import { type Listener, listenTcp, listenWs } from './listener.ts';
import { Observer } from './observe/index.ts';
import type { ReadyReport } from './observe/ready.ts';
import { createSelfTest } from './observe/self-test.ts';
import { statusToken } from './observe/status-token.ts';
import { openPeerStore } from './open-store.ts';
import type { PeerStore } from './peer-store.ts';
import { isLoopback, PeerTable } from './peer-table.ts';
import { portsAround, randomRendezvousPort, type ServerPorts, type WantedPorts } from './ports.ts';
import { Relay } from './relay.ts';
import { RelayChoice } from './relay-choice.ts';
import { Rendezvous } from './rendezvous.ts';
import { TcpClient } from './tcp-client.ts';
import { RECEIVE_BUFFER_BYTES, UdpPort } from './udp-port.ts';
import { SERVER_VERSION } from './version.ts';
import { WsClient } from './ws-client.ts';

export { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';
export type { ServerPorts, WantedPorts } from './ports.ts';

/** `debug`: what was ignored; `info`: decisions; `warn`: what an operator should look at. */
export type ServerLog = (level: 'debug' | 'info' | 'warn', event: string, fields: Record<string, unknown>) => void;

export interface ServerOptions {
  /** Key pair and peers; made when missing. */
  readonly dataDir: string;
  /** One local address; absent: all, IPv4 and IPv6. */
  readonly bind?: string | undefined;
  /** Absent: 21115 to 21119. `rendezvous: -1` takes a free block in the same layout. */
  readonly ports?: WantedPorts;
  /** Relays `host[:port]` that clients are sent to; none: the built-in one. */
  readonly relays?: readonly string[];
  /** Licence key as in rendezvous §1.6: absent or `-` the key pair's own, '' none, a secret key, or any text. */
  readonly key?: string | undefined;
  readonly alwaysRelay?: boolean;
  /** The relay joins whoever names the same uuid, not only those that this server introduced. */
  readonly openRelay?: boolean;
  /** IPv4 network that counts as LAN, and the relay address for peers inside it. */
  readonly mask?: string | undefined;
  readonly localIp?: string | undefined;
  /** Deprecated server list for clients whose serial is lower (rendezvous §6.8). */
  readonly serial?: number;
  readonly rendezvousServers?: readonly string[];
  /** Deprecated: the newest version, as `.../name-1.2.3.ext`, for clients that ask (rendezvous §6.8). */
  readonly softwareUrl?: string | undefined;
  readonly limits?: Partial<ServerLimits>;
  /** Bytes of the UDP port's receive buffer; absent or 0: 4 MiB. */
  readonly udpReceiveBuffer?: number;
  readonly log?: ServerLog;
  /** Whole ids in logs and on the status page; else they are masked. */
  readonly logIds?: boolean;
  /** Where metrics, health and status page are served; absent: nowhere. Port 0: any free one. */
  readonly http?: { readonly host: string; readonly port: number } | undefined;
  readonly clock?: Clock;
  /** Another store than the one in dataDir; the server closes it. */
  readonly store?: PeerStore;
}

export interface RunningServer {
  /** What really listens; 0: off. */
  readonly ports: ServerPorts;
  /** What clients configure as the key: base64 of the public key, unless `key` said otherwise. */
  readonly publicKey: string;
  /** The line to hand out (src/shared/invitation.ts). */
  readonly invitation: string;
  /** The address in the invitation. */
  readonly host: string;
  /** Where the status page is, for the operator's eyes; '' : it is off. The token, where one is needed, is in a file. */
  readonly statusUrl: string;
  /** Decisions by reason since the start, and what is held now. */
  stats(): Record<string, number>;
  /** Tests itself through its own sockets (at most every few seconds) and says at which stage that failed. */
  ready(): Promise<ReadyReport>;
  /** Closes every socket and timer and flushes the store; done well within 2 s. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 21116;
/** ms between two rounds of upkeep. */
const SWEEP_MS = 5_000;
/** Tries to find five free ports in a row. */
const MAX_BLOCK_TRIES = 50;

/**
 * Starts the server; resolves once everything listens.
 * @throws LiteDeskError PORT_IN_USE, PORT_NOT_ALLOWED, ADDRESS_NOT_HERE, KEY_FILE_BROKEN, STORE_BROKEN, BAD_MASK
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  await initCrypto();
  const wanted = options.ports ?? {};
  const first = wanted.rendezvous ?? DEFAULT_PORT;
  if (first !== -1) return new Parts(options).start(portsAround(first, wanted));
  for (let attempt = 1; ; attempt++) {
    try {
      return await new Parts(options).start(portsAround(randomRendezvousPort(), wanted));
    } catch (error) {
      if (attempt >= MAX_BLOCK_TRIES || !(error instanceof LiteDeskError) || error.code !== 'PORT_IN_USE') throw error;
    }
  }
}

/** What metrics and status page look at. */
interface Observed {
  readonly keys: ServerKeys;
  readonly licenceKey: string;
  readonly counters: Counters;
  readonly peers: PeerTable;
  readonly admission: Admission;
  readonly rendezvous: Rendezvous;
  readonly relay: Relay;
  readonly relays: RelayChoice;
  readonly store: PeerStore;
  readonly wanted: ServerPorts;
}

/** Owns everything that must be closed again, also when the start fails half-way. */
class Parts {
  readonly #options: ServerOptions;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #closers: (() => void | Promise<void>)[] = [];

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
  }

  async start(wanted: ServerPorts): Promise<RunningServer> {
    try {
      return await this.#start(wanted);
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async #start(wanted: ServerPorts): Promise<RunningServer> {
    const { bind, log } = this.#options;
    const limits = this.#limits;
    const clock = this.#clock;
    const isLan = lanTest(this.#options.mask);
    const { keys, licenceKey } = this.#keys();
    const counters = new Counters();
    const admission = new Admission(limits, counters);
    const listenOptions = { bind, limits, admission };

    // TCP first: a second server on the same ports is noticed before anything is written.
    let onTcp: Parameters<typeof listenTcp>[1] = (socket) => socket.destroy();
    const tcp = await this.#own(listenTcp({ ...listenOptions, port: wanted.rendezvous }, (...a) => onTcp(...a)));
    const store = this.#store();
    const peers = new PeerTable(store, limits, clock);
    const relays = new RelayChoice(this.#options.relays ?? [], clock);
    this.#closers.push(() => relays.close());
    const introductions = new Introductions(limits, clock);
    const rendezvous = new Rendezvous({
      introductions,
      peers,
      limits,
      clock,
      counters,
      licenceKey,
      secretKey: keys.secretKey,
      pickRelay: () => relays.pick(),
      relayPort: wanted.relay,
      port: wanted.rendezvous,
      alwaysRelay: this.#options.alwaysRelay ?? false,
      isLan,
      localIp: this.#options.localIp ?? (this.#options.mask ? firstAddress() : ''),
      serial: this.#options.serial ?? 0,
      rendezvousServers: this.#options.rendezvousServers ?? [],
      softwareUrl: this.#options.softwareUrl,
    });
    // One box key for this run: its signature is made once, and a new key with every start is fresh enough for what S and
    // a client say to each other.
    const keyExchange = serverKeyExchange(keys.secretKey, boxKeyPair());
    const events = {
      onOpen: rendezvous.onOpen.bind(rendezvous),
      onMessage: rendezvous.onMessage.bind(rendezvous),
      onClosed: rendezvous.onClosed.bind(rendezvous),
      waits: rendezvous.waits.bind(rendezvous),
    };
    const natTestEvents = { ...events, onMessage: rendezvous.onNatTestMessage.bind(rendezvous) };
    onTcp = (socket, remote, localHost) => {
      new TcpClient({ socket, remote, localHost, limits, clock, events, keyExchange });
    };
    const udp = await UdpPort.open({
      bind,
      port: wanted.rendezvous,
      limits,
      clock,
      receiveBuffer: this.#options.udpReceiveBuffer,
      onDatagram: rendezvous.onDatagram.bind(rendezvous),
      onError: (error) => log?.('warn', 'udp-socket-failed', { error: error.message }),
    });
    this.#closers.push(() => udp.close());
    const wantedBuffer = this.#options.udpReceiveBuffer || RECEIVE_BUFFER_BYTES;
    if (udp.receiveBufferBytes < wantedBuffer)
      log?.('warn', 'udp-buffer-small', {
        bytes: udp.receiveBufferBytes,
        wanted: wantedBuffer,
        hint: `Many computers that report at once may have to try again. On Linux: sysctl -w net.core.rmem_max=${wantedBuffer}`,
      });
    if (wanted.natTest > 0)
      await this.#own(
        listenTcp({ ...listenOptions, port: wanted.natTest }, (socket, remote, localHost) => {
          new TcpClient({ socket, remote, localHost, limits, clock, events: natTestEvents, keyExchange: null });
        }),
      );
    if (wanted.ws > 0)
      await this.#own(
        listenWs({ ...listenOptions, port: wanted.ws, maxPayload: limits.maxFrameBytes }, (ws, remote, localHost) => {
          new WsClient(ws, { remote, localHost, limits, clock, events });
        }),
      );
    const relay = new Relay({
      limits,
      clock,
      counters,
      accepts: (key) => licenceKey === '' || key === licenceKey,
      ticketKeys: () => [keys.secretKey.subarray(32)],
      introductions: this.#options.openRelay ? null : introductions,
    });
    this.#closers.push(() => relay.close());
    if (wanted.relay > 0)
      await this.#own(
        listenTcp({ ...listenOptions, port: wanted.relay }, (socket, remote) => relay.onTcp(socket, remote.host)),
      );
    if (wanted.relayWs > 0)
      await this.#own(
        listenWs({ ...listenOptions, port: wanted.relayWs, maxPayload: limits.maxRelayMessageBytes }, (ws, remote) =>
          relay.onWs(ws, remote.host),
        ),
      );
    this.#sweepRegularly(() => rendezvous.sweep());
    const observer = this.#observe({ keys, licenceKey, counters, peers, admission, rendezvous, relay, relays, store, wanted });
    const metricsPort = this.#options.http ? await observer.listen(this.#options.http) : 0;
    const stats = (): Record<string, number> => ({
      ...counters.snapshot(),
      connections: admission.total,
      peersInMemory: peers.size,
      pendingRequests: rendezvous.pendingAsks,
      relayPairs: relay.pairs,
      relayWaiting: relay.waiting,
      relayHeld: relay.held,
    });
    // Each part adds its commands here (admin/registry.ts).
    const admin = new AdminCommands();
    admin.add({ name: 'stats', help: 'decisions by reason since the start, and what is held now', run: stats });
    admin.add({ name: 'ready', help: 'a self-test: registers, introduces and relays through the own sockets', run: () => observer.readiness.check() });
    await this.#openAdmin(admin);
    const host = invitationHost(bind);
    log?.('info', 'listening', { ...wanted, store: store.kind, peers: store.count(), udp: udp.localHosts });
    return {
      ports: { ...wanted, rendezvous: tcp.port, metrics: metricsPort },
      publicKey: licenceKey === '' ? keys.publicKey : licenceKey,
      invitation: formatInvitation({ host, port: tcp.port, key: licenceKey === '' ? keys.publicKey : licenceKey }),
      host,
      statusUrl: metricsPort > 0 ? statusUrl(this.#options.http?.host ?? '', metricsPort) : '',
      stats,
      ready: () => observer.readiness.check(),
      close: () => this.#close(),
    };
  }

  #observe(parts: Observed): Observer {
    const { counters, peers, admission, rendezvous, relay, relays, store, keys, wanted } = parts;
    const { http, bind, dataDir, log, logIds = false } = this.#options;
    // A port of this computer only is protected by that; any other needs a token.
    const open = (http !== undefined && !isLoopback(http.host)) || wanted.single > 0;
    const observer = new Observer({
      counters,
      limits: this.#limits,
      clock: this.#clock,
      write: log,
      wholeIds: logIds,
      token: http || open ? statusToken(dataDir, open) : '',
      selfTest: createSelfTest({
        host: bind === undefined || bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind,
        port: wanted.rendezvous,
        relayPort: relays.lines.length === 0 ? wanted.relay : 0,
        licenceKey: parts.licenceKey,
        publicKey: keys.secretKey.subarray(32),
        secretKey: keys.secretKey,
      }),
      view: {
        version: SERVER_VERSION,
        startedAt: Date.now(),
        census: () => peers.census(),
        peers: (limit) => peers.here(limit),
        connections: () => admission.total,
        pendingRequests: () => rendezvous.pendingAsks,
        relay: () => ({ pairs: relay.pairs, waiting: relay.waiting, bytes: relay.bytes }),
        relaySessions: (limit) => relay.sessions(limit),
        relays: () => relays.lines,
        store: () => ({ kind: store.kind, rows: store.count() }),
        lobby: () => null,
      },
    });
    this.#closers.push(() => observer.close());
    return observer;
  }

  #keys(): { keys: ServerKeys; licenceKey: string } {
    const { key = '-', dataDir } = this.#options;
    const secret = parseSecretKey(key);
    if (secret) return { keys: secret, licenceKey: secret.publicKey };
    const keys = loadOrCreateKeys(dataDir);
    return { keys, licenceKey: key === '-' || key === '_' ? keys.publicKey : key };
  }

  #store(): PeerStore {
    let store: PeerStore;
    try {
      store = this.#options.store ?? openPeerStore(this.#options.dataDir, this.#limits.maxQueuedRows);
    } catch (cause) {
      throw new LiteDeskError(
        {
          code: 'STORE_BROKEN',
          stage: 'server',
          message: `The list of registered computers in ${this.#options.dataDir} cannot be opened.`,
          hint: 'Check that the folder is writable and the disk is not full; peers register again if you remove peers.sqlite3.',
        },
        { cause },
      );
    }
    this.#closers.push(() => store.close());
    return store;
  }

  /** A server without its admin socket still serves: the folder may be on a file system that has none. */
  async #openAdmin(commands: AdminCommands): Promise<void> {
    const { dataDir, log } = this.#options;
    try {
      const socket = await AdminSocket.open({ dataDir, commands, limits: this.#limits, clock: this.#clock });
      this.#closers.push(() => socket.close());
    } catch (error) {
      log?.('warn', 'admin-socket-failed', { error: error instanceof Error ? error.message : String(error) });
    }
  }

  async #own(opening: Promise<Listener>): Promise<Listener> {
    const listener = await opening;
    this.#closers.push(() => listener.close());
    return listener;
  }

  #sweepRegularly(sweep: () => void): void {
    let cancel = (): void => {};
    const round = (): void => {
      cancel = this.#clock.setTimer(SWEEP_MS, round);
      sweep();
    };
    cancel = this.#clock.setTimer(SWEEP_MS, round);
    this.#closers.push(() => cancel());
  }

  /** In reverse order: connections before the store that their last words may need. */
  async #close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

/** The address that others most likely reach this computer at; an operator behind a router knows better. */
function invitationHost(bind: string | undefined): string {
  if (bind !== undefined && bind !== '::' && bind !== '0.0.0.0' && isIP(bind) !== 0) return bind;
  return firstAddress() || '127.0.0.1';
}

function statusUrl(bind: string, port: number): string {
  const host = bind === '0.0.0.0' || bind === '::' ? firstAddress() || '127.0.0.1' : bind;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

function firstAddress(): string {
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return own.find((entry) => entry.family === 'IPv4' && !entry.internal)?.address ?? '';
}
