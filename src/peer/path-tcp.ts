/**
 * One search for a direct way over TCP between two native peers: one local port that the server sees, from which every
 * address of the other side is dialled and which listens (rendezvous §12.1). Two dials that meet are a simultaneous open.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Candidate } from '../core/nat/candidates.ts';
import { familyOf, predictPorts } from '../core/nat/candidates.ts';
import { classify } from '../core/nat/classify.ts';
import { type TcpClass, tcpClassOf } from '../core/nat/network.ts';
import type { Family, FilterObservation, Observation } from '../core/nat/observation.ts';
import { type HostPort, hbb, normalizeHost, unmangleAddress } from '../core/wire/index.ts';
import { dialTcp } from '../net/index.ts';
import { localAddresses } from '../net/local-addresses.ts';
import { systemCode } from './errors.ts';
import { RendezvousConnection } from './rendezvous-client.ts';

/** Pause before a dial that was refused is made again: the other side may not have its port yet. */
const REDIAL_MS = 80;
const MAX_REDIALS = 12;
/** Dials at once: more candidates than these are not worth a socket each. */
const MAX_DIALS = 16;
/** Of the ports that a counting NAT may give next; a TCP dial to each of them costs a socket. */
const PREDICTED_DIALS = 8;
/** Broken connections that are made again in one search. */
const MAX_AGAIN = 6;
/** Connections that may wait for their key exchange in one search. */
const MAX_ACCEPTED = 4;
const SERVER_TIMEOUT_MS = 1_500;
/** The server dials back for a second or so before it answers. */
const DIAL_BACK_TIMEOUT_MS = 3_500;
/** For a port of the server that this network may not let us dial: two lost SYNs are made good within it. */
const OTHER_PORT_TIMEOUT_MS = 3_500;
/** The server is asked from another port when the first has no answer by then: the system repeats a lost SYN after a second only. */
const ASK_AT_MS = [0, 300, 700] as const;
/** The same for an address that may be dialled from any port. */
const FRESH_DIALS_AT_MS = [250, 600, 1_200, 2_500] as const;

export interface PathTcpOptions {
  /** Server ports that answer NAT tests over TCP, the main one first. */
  readonly servers: readonly HostPort[];
  readonly signal: AbortSignal;
  /** How long the second server port is waited for once the first has answered. Default: as long as it takes. */
  readonly patienceMs?: number;
  /** The server is asked to dial us back, which shows what the NAT lets in. */
  readonly testFiltering?: boolean;
  /** A connection to or from the other side, or whoever found the port: the key exchange will tell. Not called after the abort. */
  readonly onSocket: (socket: Socket, remote: HostPort) => void;
}

export interface SeenTcp {
  readonly tcp: TcpClass;
  readonly mappings: readonly Observation[];
  readonly filters: readonly FilterObservation[];
  /** Whether another port of the server than its only one was reached; absent: not tested, or not known yet. */
  readonly otherPorts?: boolean;
  readonly candidates: readonly Candidate[];
  /** The last port seen, and by how much the next ones are higher, for a NAT that counts. */
  readonly counting: { readonly last: HostPort; readonly step: number } | null;
}

interface Answer {
  readonly seen: Observation;
  readonly filters: readonly FilterObservation[];
  /** 0: the server has only one. */
  readonly otherPort: number;
}

/** What came of the server's dials; a server that made none says nothing. */
function readDialBack({ fromOtherPort, fromOtherAddress }: hbb.ITestNatResponse, family: Family): FilterObservation[] {
  const { ARRIVED, NOT_DIALLED } = hbb.TestNatResponse.DialBack;
  return (
    [
      ['other-port', fromOtherPort ?? NOT_DIALLED],
      ['other-address', fromOtherAddress ?? NOT_DIALLED],
    ] as const
  ).flatMap(([from, outcome]) => (outcome === NOT_DIALLED ? [] : [{ protocol: 'tcp' as const, family, from, arrived: outcome === ARRIVED }]));
}

/** Takes connections on a port that a connection of ours has, and ends them. Undefined where that cannot be. */
function listenOn(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.on('error', () => {}).destroy());
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ port }, () => resolve(server));
  });
}

export class PathTcp {
  readonly #options: PathTcpOptions;
  readonly #dialled = new Set<string>();
  readonly #mappings: Observation[] = [];
  #filters: readonly FilterObservation[] = [];
  #otherPorts: boolean | undefined;
  #localPort = 0;
  #server: Server | null = null;
  #accepted = 0;
  #again = 0;

  constructor(options: PathTcpOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#server?.close(), { once: true });
  }

  /** Lets the server see a port; without its answer there are only local candidates. Resolves in any case. */
  async observe(): Promise<SeenTcp> {
    const { servers, patienceMs, signal } = this.#options;
    const [main, second] = servers;
    const first = main ? await this.#askFromSomePort(main) : null;
    if (first) {
      this.#localPort = first.seen.local.port;
      this.#mappings.push(first.seen);
      this.#filters = first.filters;
      // The only port that is known to us may be the only one that gets out of here.
      const only = !second && first.otherPort !== 0;
      const next = second ?? (only ? { host: first.seen.destination.host, port: first.otherPort } : null);
      const asked = next && this.#askAgain(next, only);
      await (patienceMs === undefined ? asked : Promise.race([asked, delay(patienceMs, null, { signal }).catch(() => null)]));
    }
    // From the moment that the port is offered something answers there: a refusal would end the other side's dial.
    await this.#listen();
    return this.seen;
  }

  /** What is known by now. */
  get seen(): SeenTcp {
    const mappings = this.#mappings;
    const reached = this.#options.servers.length > 0 ? { tcp4: mappings.length > 0 } : {};
    const otherPorts = this.#otherPorts === undefined ? {} : { otherPortsOverTcp: this.#otherPorts };
    const observations = { mappings, filters: this.#filters, reached, ...otherPorts, localHosts: localAddresses() };
    const behaviour = classify(observations, 'tcp', 4);
    const candidates: Candidate[] = mappings
      .filter(({ seen }) => seen.host !== '')
      .map(({ seen }) => ({ origin: 'observed', protocol: 'tcp', address: seen }));
    if (this.#localPort > 0)
      for (const host of localAddresses()) candidates.push({ origin: 'local', protocol: 'tcp', address: { host, port: this.#localPort } });
    const last = mappings.at(-1)?.seen;
    const { allocation } = behaviour;
    const counting = allocation.kind === 'sequential' && last ? { last, step: allocation.step } : null;
    const tcp = this.#otherPorts === false ? 'blocked' : tcpClassOf(behaviour);
    return { tcp, mappings, filters: this.#filters, ...(this.#otherPorts === undefined ? {} : { otherPorts: this.#otherPorts }), candidates, counting };
  }

  /**
   * A connection came about and broke: it may have met the other side's port in the moment in which that dialled from it itself.
   * Dials again, from another port, a few times.
   */
  again(remote: HostPort): void {
    if (this.#again >= MAX_AGAIN) return;
    this.#again += 1;
    void this.#dialFresh(remote, REDIAL_MS, new AbortController());
  }

  /** The port that the other side may reach; 0: none. */
  get localPort(): number {
    return this.#localPort;
  }

  /**
   * Dials what was not dialled before, and listens from then on. `fromAnyPort`: the address takes connections whatever port they
   * come from, so that a lost SYN is made good by another dial.
   */
  dial(remotes: readonly HostPort[], fromAnyPort = false): void {
    const { signal } = this.#options;
    if (signal.aborted || this.#localPort === 0 || remotes.length === 0) return;
    for (const remote of remotes) {
      const key = `${remote.host} ${remote.port}`;
      if (this.#dialled.has(key) || this.#dialled.size >= MAX_DIALS) continue;
      this.#dialled.add(key);
      const settled = new AbortController();
      void this.#dialOne(remote, settled);
      if (fromAnyPort) for (const atMs of FRESH_DIALS_AT_MS) void this.#dialFresh(remote, atMs, settled);
    }
  }

  /** Dials the ports that the other side's counting NAT is likely to give next. */
  dialPredicted(last: HostPort, step: number): void {
    this.dial(predictPorts(last.port, step, PREDICTED_DIALS).map((port) => ({ host: last.host, port })));
  }

  /** From a port that the system picks, and from others where the answer takes long; the first that is answered is ours. */
  async #askFromSomePort(server: HostPort): Promise<Answer | null> {
    const answered = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, answered.signal]);
    const { testFiltering = false } = this.#options;
    const tries = (testFiltering ? ASK_AT_MS.slice(0, 1) : ASK_AT_MS).map(async (atMs) => {
      await delay(atMs, null, { signal });
      const answer = await this.#ask(server, { localPort: 0, dialBack: testFiltering, timeoutMs: testFiltering ? DIAL_BACK_TIMEOUT_MS : SERVER_TIMEOUT_MS, signal });
      if (!answer) throw new Error('no answer');
      return answer;
    });
    try {
      return await Promise.any(tries);
    } catch {
      return null;
    } finally {
      answered.abort();
    }
  }

  /** From the same port, another one of the server. */
  async #askAgain(server: HostPort, only: boolean): Promise<void> {
    const timeoutMs = only ? OTHER_PORT_TIMEOUT_MS : SERVER_TIMEOUT_MS;
    const answer = await this.#ask(server, { localPort: this.#localPort, dialBack: false, timeoutMs, signal: this.#options.signal });
    if (answer) this.#mappings.push(answer.seen);
    if (only && !this.#options.signal.aborted) this.#otherPorts = answer !== null;
  }

  /** `localPort` 0: any. Null: no answer in time, which tells nothing. */
  async #ask(server: HostPort, options: { localPort: number; dialBack: boolean; timeoutMs: number; signal: AbortSignal }): Promise<Answer | null> {
    const { localPort, dialBack, timeoutMs, signal } = options;
    let connection: RendezvousConnection | undefined;
    let listener: Server | undefined;
    try {
      connection = await RendezvousConnection.open({ address: server, serverName: server.host, localPort, webSocket: false, timeoutMs, signal });
      const { port } = connection.local;
      if (dialBack) listener = await listenOn(port);
      connection.send({ testNatRequest: { wantAddress: true, fromOtherPort: dialBack } });
      const answer = (await connection.receive(timeoutMs, signal))?.testNatResponse;
      if (!answer) return null;
      const seen = answer.address?.length ? unmangleAddress(answer.address) : { host: '', port: answer.port ?? 0 };
      const family = familyOf(server.host);
      return {
        seen: { protocol: 'tcp', family, local: { host: '', port }, destination: server, seen: { host: seen.host && normalizeHost(seen.host), port: seen.port } },
        filters: readDialBack(answer, family),
        otherPort: answer.otherPort ?? 0,
      };
    } catch {
      return null;
    } finally {
      connection?.destroy();
      await new Promise<void>((resolve) => (listener ? listener.close(() => resolve()) : resolve()));
    }
  }

  async #dialOne(remote: HostPort, settled: AbortController): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, settled.signal]);
    for (let attempt = 0; attempt <= MAX_REDIALS && !signal.aborted; attempt++) {
      try {
        const socket = await this.#dialFromPort(remote, signal);
        settled.abort();
        return this.#take(socket, remote);
      } catch (error) {
        if (systemCode(error) !== 'ECONNREFUSED') return;
      }
      await delay(REDIAL_MS);
    }
  }

  async #dialFresh(remote: HostPort, atMs: number, settled: AbortController): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, settled.signal]);
    try {
      await delay(atMs, null, { signal });
      const socket = await dialTcp({ ...remote, signal, stage: 'punch' });
      settled.abort();
      this.#take(socket, remote);
    } catch {
      // One of several.
    }
  }

  /** A port that is listened on cannot be dialled from: the listener steps aside while the dial takes the port. */
  #dialFromPort(remote: HostPort, signal: AbortSignal): Promise<Socket> {
    this.#server?.close();
    this.#server = null;
    const localAddress = familyOf(remote.host) === 6 ? '::' : '0.0.0.0';
    const dialling = dialTcp({ ...remote, localAddress, localPort: this.#localPort, signal, stage: 'punch' });
    setImmediate(() => void this.#listen());
    return dialling;
  }

  /** On the port that the server saw; on any where it saw none. Resolves when connections are taken, or when they cannot be. */
  async #listen(): Promise<void> {
    if (this.#server || this.#options.signal.aborted) return;
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      const { remoteAddress = '', remotePort = 0 } = socket;
      this.#take(socket, { host: normalizeHost(remoteAddress), port: remotePort });
    });
    server.maxConnections = MAX_ACCEPTED;
    this.#server = server;
    await new Promise<void>((resolve) => {
      server.on('error', () => resolve());
      server.once('close', () => resolve());
      // Both families where there are two.
      server.listen({ port: this.#localPort }, () => {
        const address = server.address();
        if (this.#localPort === 0 && typeof address === 'object') this.#localPort = address?.port ?? 0;
        resolve();
      });
    });
  }

  #take(socket: Socket, remote: HostPort): void {
    socket.on('error', () => {});
    if (this.#options.signal.aborted || this.#accepted >= MAX_ACCEPTED) {
      socket.destroy();
      return;
    }
    this.#accepted += 1;
    socket.once('close', () => {
      this.#accepted -= 1;
    });
    this.#options.onSocket(socket, remote);
  }
}
