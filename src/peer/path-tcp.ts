/**
 * One search for a direct way over TCP between two native peers: one local port that the server sees, from which every
 * address of the other side is dialled and which listens (rendezvous §12.1). Two dials that meet are a simultaneous open.
 */
import { createServer, type Server, type Socket } from 'node:net';
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

export interface PathTcpOptions {
  /** Server ports that answer NAT tests over TCP, the main one first. */
  readonly servers: readonly HostPort[];
  readonly signal: AbortSignal;
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

  /** Lets the server see the port; without its answer there are only local candidates. Resolves in any case. */
  async observe(): Promise<SeenTcp> {
    const [main, second] = this.#options.servers;
    const mappings: Observation[] = [];
    if (main) await this.#ask(main, mappings);
    if (second && this.#localPort > 0) await this.#ask(second, mappings);
    // From the moment that the port is offered something answers there: a refusal would end the other side's dial.
    if (this.#localPort > 0) this.#listen();
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

  /** Dials what was not dialled before, and listens from then on. */
  dial(remotes: readonly HostPort[]): void {
    const { signal } = this.#options;
    if (signal.aborted || this.#localPort === 0 || remotes.length === 0) return;
    for (const remote of remotes) {
      const key = `${remote.host} ${remote.port}`;
      if (this.#dialled.has(key) || this.#dialled.size >= MAX_DIALS) continue;
      this.#dialled.add(key);
      void this.#dialOne(remote);
    }
  }

  /** Dials the ports that the other side's counting NAT is likely to give next. */
  dialPredicted(last: HostPort, step: number): void {
    this.dial(predictPorts(last.port, step, PREDICTED_DIALS).map((port) => ({ host: last.host, port })));
  }

  async #ask(server: HostPort, mappings: Observation[]): Promise<void> {
    const { signal } = this.#options;
    let connection: RendezvousConnection | undefined;
    try {
      connection = await RendezvousConnection.open({
        address: server,
        serverName: server.host,
        localPort: this.#localPort,
        webSocket: false,
        timeoutMs: SERVER_TIMEOUT_MS,
        signal,
      });
      this.#localPort ||= connection.local.port;
      connection.send({ testNatRequest: { wantAddress: true } });
      const answer = (await connection.receive(SERVER_TIMEOUT_MS, signal))?.testNatResponse;
      if (!answer) return;
      const seen = answer.address?.length ? unmangleAddress(answer.address) : { host: '', port: answer.port ?? 0 };
      mappings.push({
        protocol: 'tcp',
        family: familyOf(server.host),
        local: { host: '', port: this.#localPort },
        destination: server,
        seen: { host: seen.host && normalizeHost(seen.host), port: seen.port },
      });
    } catch {
      // A port that does not answer tells nothing; the local candidates are left.
    } finally {
      connection?.destroy();
    }
  }

  async #dialOne(remote: HostPort): Promise<void> {
    const { signal } = this.#options;
    for (let attempt = 0; attempt <= MAX_REDIALS && !signal.aborted; attempt++) {
      try {
        return this.#take(await this.#dialFromPort(remote), remote);
      } catch (error) {
        if (systemCode(error) !== 'ECONNREFUSED') return;
      }
      await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
    }
  }

  /** A port that is listened on cannot be dialled from: the listener steps aside while the dial takes the port. */
  #dialFromPort(remote: HostPort): Promise<Socket> {
    this.#server?.close();
    this.#server = null;
    const { signal } = this.#options;
    const localAddress = familyOf(remote.host) === 6 ? '::' : '0.0.0.0';
    const dialling = dialTcp({ ...remote, localAddress, localPort: this.#localPort, signal, stage: 'punch' });
    setImmediate(() => this.#listen());
    return dialling;
  }

  #listen(): void {
    if (this.#server || this.#options.signal.aborted) return;
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      const { remoteAddress = '', remotePort = 0 } = socket;
      this.#take(socket, { host: normalizeHost(remoteAddress), port: remotePort });
    });
    server.maxConnections = MAX_ACCEPTED;
    server.on('error', () => {});
    server.listen({ port: this.#localPort, host: '0.0.0.0' });
    this.#server = server;
  }

  #take(socket: Socket, remote: HostPort): void {
    socket.on('error', () => {});
    if (this.#options.signal.aborted || this.#accepted >= MAX_ACCEPTED) {
      socket.destroy();
      return;
    }
    this.#accepted += 1;
    this.#options.onSocket(socket, remote);
  }
}
