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
import type { Observation } from '../core/nat/observation.ts';
import { type HostPort, normalizeHost, unmangleAddress } from '../core/wire/index.ts';
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
/** Connections that may wait for their key exchange in one search. */
const MAX_ACCEPTED = 4;
const SERVER_TIMEOUT_MS = 1_500;
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
  /** A connection to or from the other side, or whoever found the port: the key exchange will tell. Not called after the abort. */
  readonly onSocket: (socket: Socket, remote: HostPort) => void;
}

export interface SeenTcp {
  readonly tcp: TcpClass;
  readonly mappings: readonly Observation[];
  readonly candidates: readonly Candidate[];
  /** The last port seen, and by how much the next ones are higher, for a NAT that counts. */
  readonly counting: { readonly last: HostPort; readonly step: number } | null;
}

export class PathTcp {
  readonly #options: PathTcpOptions;
  readonly #dialled = new Set<string>();
  #localPort = 0;
  #server: Server | null = null;
  #accepted = 0;

  constructor(options: PathTcpOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#server?.close(), { once: true });
  }

  /** Lets the server see a port; without its answer there are only local candidates. Resolves in any case. */
  async observe(): Promise<SeenTcp> {
    const { servers, patienceMs } = this.#options;
    const [main, second] = servers;
    const mappings: Observation[] = [];
    const first = main ? await this.#askFromSomePort(main) : null;
    if (first) {
      this.#localPort = first.local.port;
      mappings.push(first);
    }
    if (first && second) {
      const asked = this.#ask(second, this.#localPort, this.#options.signal);
      const seen = await (patienceMs === undefined ? asked : Promise.race([asked, delay(patienceMs, null)]));
      if (seen) mappings.push(seen);
    }
    // From the moment that the port is offered something answers there: a refusal would end the other side's dial.
    await this.#listen();
    const reached = main ? { tcp4: mappings.length > 0 } : {};
    const behaviour = classify({ mappings, filters: [], reached, localHosts: localAddresses() }, 'tcp', 4);
    const candidates: Candidate[] = mappings
      .filter(({ seen }) => seen.host !== '')
      .map(({ seen }) => ({ origin: 'observed', protocol: 'tcp', address: seen }));
    if (this.#localPort > 0)
      for (const host of localAddresses()) candidates.push({ origin: 'local', protocol: 'tcp', address: { host, port: this.#localPort } });
    const last = mappings.at(-1)?.seen;
    const { allocation } = behaviour;
    const counting = allocation.kind === 'sequential' && last ? { last, step: allocation.step } : null;
    return { tcp: tcpClassOf(behaviour), mappings, candidates, counting };
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
  async #askFromSomePort(server: HostPort): Promise<Observation | null> {
    const answered = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, answered.signal]);
    const tries = ASK_AT_MS.map(async (atMs) => {
      await delay(atMs, null, { signal });
      const seen = await this.#ask(server, 0, signal);
      if (!seen) throw new Error('no answer');
      return seen;
    });
    try {
      return await Promise.any(tries);
    } catch {
      return null;
    } finally {
      answered.abort();
    }
  }

  /** `localPort` 0: any. Null: no answer in time, which tells nothing. */
  async #ask(server: HostPort, localPort: number, signal: AbortSignal): Promise<Observation | null> {
    let connection: RendezvousConnection | undefined;
    try {
      connection = await RendezvousConnection.open({
        address: server,
        serverName: server.host,
        localPort,
        webSocket: false,
        timeoutMs: SERVER_TIMEOUT_MS,
        signal,
      });
      connection.send({ testNatRequest: { wantAddress: true } });
      const answer = (await connection.receive(SERVER_TIMEOUT_MS, signal))?.testNatResponse;
      if (!answer) return null;
      const seen = answer.address?.length ? unmangleAddress(answer.address) : { host: '', port: answer.port ?? 0 };
      return {
        protocol: 'tcp',
        family: familyOf(server.host),
        local: { host: '', port: connection.local.port },
        destination: server,
        seen: { host: seen.host && normalizeHost(seen.host), port: seen.port },
      };
    } catch {
      return null;
    } finally {
      connection?.destroy();
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
