/**
 * One search for a direct way over UDP between two native peers: opens the sockets, learns how the server sees them, and
 * drives a PunchAgent over them until both sides agree on a pair of addresses. The owner carries candidates to and fro.
 */
import { createHmac } from 'node:crypto';
import type { RemoteInfo, Socket } from 'node:dgram';
import type { Clock } from '../core/clock.ts';
import type { RandomBytes } from '../core/crypto/random.ts';
import { type Candidate, familyOf, meetingPort, predictPorts } from '../core/nat/candidates.ts';
import { classify } from '../core/nat/classify.ts';
import { PATH_LIMITS } from '../core/nat/limits.ts';
import { type UdpClass, udpClassOf } from '../core/nat/network.ts';
import type { Family, Observation } from '../core/nat/observation.ts';
import type { ChangingPorts } from '../core/nat/offer.ts';
import { type PathRole, TAG_BYTES } from '../core/nat/probe-packet.ts';
import { PunchAgent } from '../core/nat/punch-agent.ts';
import type { SprayAllowance } from '../core/nat/spray.ts';
import type { HostPort } from '../core/wire/index.ts';
import { plainAddress } from './endpoint.ts';
import { localAddresses } from './local-addresses.ts';
import { createPunchSocket } from './punch-udp.ts';
import { SeenAddress } from './seen-address.ts';

/** The sockets at a meeting of two counting NATs all speak again after this time: some came before the other side was there. */
const MEETING_AGAIN_MS = 200;
/** Sockets beside the main one that are seen by the server, to learn how a NAT counts its ports. */
const COUNTING_SOCKETS = 2;

export interface NativePunchOptions {
  readonly role: PathRole;
  /** 32 bytes that only the two ends know. */
  readonly sessionSecret: Uint8Array;
  /** Probes of one round mean nothing in another. */
  readonly round: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly allowance: SprayAllowance;
  /** Server ports that answer NAT tests over UDP, the main one first. */
  readonly servers: readonly HostPort[];
}

/** A pair that works: the socket is the taker's, and speaks to `remote`. */
export interface PunchedSocket {
  readonly socket: Socket;
  readonly remote: HostPort;
}

/** What the server's view of the sockets says about our NAT over IPv4. */
export interface SeenNetwork {
  readonly udp: UdpClass;
  /** The last port seen, for a NAT that changes it; null: it does not, or nothing is known. */
  readonly ports: ChangingPorts | null;
  readonly candidates: readonly Candidate[];
}

interface OwnSocket {
  readonly socket: Socket;
  readonly port: number;
  readonly family: Family;
  readonly seen: SeenAddress;
  /** Its number at the agent. */
  readonly number: number;
}

export class NativePunch {
  readonly #options: NativePunchOptions;
  readonly #agent: PunchAgent;
  readonly #sockets: OwnSocket[] = [];
  readonly #abort = new AbortController();
  readonly #resolve: (punched: PunchedSocket | null) => void;
  #cancelTimer: (() => void) | null = null;
  /** The pair both agree on; null when the search was closed before. */
  readonly result: Promise<PunchedSocket | null>;

  private constructor(options: NativePunchOptions) {
    this.#options = options;
    const key = createHmac('sha256', options.sessionSecret).update(`litedesk probe ${options.round}`).digest();
    const authenticate = (bytes: Uint8Array): Uint8Array =>
      new Uint8Array(createHmac('sha256', key).update(bytes).digest()).subarray(0, TAG_BYTES);
    const { role, random, allowance, clock } = options;
    this.#agent = new PunchAgent({ role, authenticate, random, allowance }, clock.now());
    let resolveResult: (punched: PunchedSocket | null) => void = () => {};
    this.result = new Promise((resolve) => {
      resolveResult = resolve;
    });
    this.#resolve = resolveResult;
  }

  /** Opens a socket for each family that this computer has an address of. */
  static async open(options: NativePunchOptions): Promise<NativePunch> {
    const punch = new NativePunch(options);
    const families = new Set(localAddresses().map(familyOf));
    for (const family of families) await punch.#open(family, true).catch(() => null);
    return punch;
  }

  /** Datagrams to guessed ports so far. */
  get sprayed(): number {
    return this.#agent.sprayed;
  }

  /** The interfaces' own addresses with the ports of the sockets. */
  get localCandidates(): Candidate[] {
    return localAddresses().flatMap((host) => {
      const own = this.#main(familyOf(host));
      return own ? [{ origin: 'local' as const, protocol: 'udp' as const, address: { host, port: own.port } }] : [];
    });
  }

  /** The local port of the main socket, for a gateway to map; null: there is none of this family. */
  localPort(family: Family): number | null {
    return this.#main(family)?.port ?? null;
  }

  /** Asks the server; takes one round trip, two behind a NAT that changes its ports. */
  async observe(): Promise<SeenNetwork> {
    const mappings: Observation[] = [];
    const ask = async (own: OwnSocket): Promise<void> => void mappings.push(...(await this.#ask(own)));
    await Promise.all(this.#sockets.filter(({ number }) => number >= 0).map(ask));
    const known = (): Observation[] => mappings.filter(({ family }) => family === 4);
    const classNow = (): UdpClass =>
      udpClassOf(classify({ mappings: known(), filters: [], reached: known().length > 0 ? { udp4: true } : {}, localHosts: localAddresses() }, 'udp', 4));
    if (classNow().startsWith('symmetric'))
      for (let i = 0; i < COUNTING_SOCKETS && !this.#abort.signal.aborted; i++) await ask(await this.#open(4, false));
    return this.#seenNetwork(classNow(), mappings);
  }

  /** An address of the other side. */
  addRemote(remote: HostPort): void {
    this.#agent.addRemote(remote, this.#now());
    this.#tick();
  }

  /** The ports that a counting NAT of the other side gives next. */
  addPredicted(last: HostPort, step: number): void {
    for (const port of predictPorts(last.port, step)) this.#agent.addRemote({ host: last.host, port }, this.#now());
    this.#tick();
  }

  /** Where a counting NAT of ours stands now, by one more socket; null when the server does not answer. */
  async lookAgain(step: number): Promise<ChangingPorts | null> {
    if (this.#over) return null;
    const seen = (await this.#ask(await this.#open(4, false))).filter(({ family }) => family === 4).map((entry) => entry.seen);
    const [first] = seen;
    return first ? { last: { host: first.host, port: furthest(seen, step) }, step } : null;
  }

  /** Ours counts its ports, and so does the NAT of the other side: many sockets speak to where that will stand. */
  async meet({ last, step }: ChangingPorts): Promise<void> {
    const port = meetingPort(last.port, step);
    if (port !== null) await this.#scatterTo({ host: last.host, port }, PATH_LIMITS.meetingSockets, MEETING_AGAIN_MS);
  }

  /** The other side, whose NAT picks ports at random, has asked for datagrams to many ports of that address. */
  spray(host: string): void {
    const own = this.#main(familyOf(host));
    if (own) this.#agent.startSpray(own.number, host, this.#now());
    this.#tick();
  }

  /** Opens many sockets that all speak to that address; ours is the NAT that picks ports at random. */
  async scatter(remote: HostPort): Promise<void> {
    await this.#scatterTo(remote, PATH_LIMITS.birthdaySockets);
  }

  async #scatterTo(remote: HostPort, count: number, againMs?: number): Promise<void> {
    const sockets: number[] = [];
    while (sockets.length < count && !this.#over) {
      try {
        sockets.push((await this.#open(4, true, false)).number);
      } catch {
        // The system has no more: those that are there must do.
        break;
      }
    }
    this.#agent.startScatter(sockets, remote, this.#now(), againMs);
    this.#tick();
  }

  /** Ends the search; `result` becomes null unless there is one. */
  close(): void {
    this.#finish(null);
  }

  get #over(): boolean {
    return this.#abort.signal.aborted;
  }

  /** As whom each server port sees that socket. */
  async #ask(own: OwnSocket): Promise<Observation[]> {
    const { signal } = this.#abort;
    const servers = this.#options.servers.filter(({ host }) => familyOf(host) === own.family);
    const answers = await Promise.all(servers.map((server) => own.seen.ask(server, { signal })));
    return answers.flatMap((seen, i) => {
      const destination = servers[i];
      const local = { host: '', port: own.port };
      return seen && destination ? [{ protocol: 'udp' as const, family: own.family, local, destination, seen: seen.address }] : [];
    });
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #main(family: Family): OwnSocket | undefined {
    return this.#sockets.find((own) => own.family === family && own.number >= 0);
  }

  /** `forAgent` false: only the server sees it. `primary`: tried with every address of the other side. */
  async #open(family: Family, forAgent: boolean, primary = true): Promise<OwnSocket> {
    const socket = createPunchSocket(family === 4 ? 'udp4' : 'udp6');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: family === 4 ? '0.0.0.0' : '::', port: 0 }, () => {
        socket.off('error', reject);
        resolve();
      });
    }).catch((error: unknown) => {
      socket.close();
      throw error;
    });
    const seen = new SeenAddress((bytes, to) => socket.send(bytes, to.port, to.host, () => {}), this.#options.clock);
    const number = forAgent ? this.#agent.addSocket(family, this.#now(), primary) : -1;
    const own: OwnSocket = { socket, port: socket.address().port, family, seen, number };
    if (this.#over) {
      socket.close();
      return own;
    }
    // Nobody there, no route: the next datagram may fare better.
    socket.on('error', () => {});
    socket.on('message', (bytes, from) => this.#onMessage(own, bytes, from));
    this.#sockets.push(own);
    return own;
  }

  #onMessage(own: OwnSocket, bytes: Buffer, { address, port }: RemoteInfo): void {
    const from = { host: plainAddress(address), port };
    if (own.seen.handle(from, bytes) || own.number < 0) return;
    this.#agent.handle(own.number, from, bytes, this.#now());
    this.#tick();
  }

  #tick(): void {
    if (this.#over) return;
    const now = this.#now();
    for (let out = this.#agent.pollTransmit(now); out; out = this.#agent.pollTransmit(now)) {
      const { to, bytes } = out;
      this.#sockets.find(({ number }) => number === out?.socket)?.socket.send(bytes, to.port, to.host, () => {});
    }
    const { nominated } = this.#agent;
    if (nominated) {
      const own = this.#sockets.find(({ number }) => number === nominated.socket);
      this.#finish(own ? { socket: own.socket, remote: nominated.remote } : null);
      return;
    }
    const next = this.#agent.pollTimeout(now);
    this.#cancelTimer?.();
    this.#cancelTimer = next === Infinity ? null : this.#options.clock.setTimer(Math.max(1, Math.ceil(next - now)), () => this.#tick());
  }

  #finish(punched: PunchedSocket | null): void {
    if (this.#over) return;
    this.#abort.abort();
    this.#cancelTimer?.();
    for (const { socket } of this.#sockets) {
      socket.removeAllListeners('message').removeAllListeners('error');
      if (socket === punched?.socket) continue;
      // What is still under way has nobody to fail to.
      socket.on('error', () => {});
      socket.close();
    }
    this.#resolve(punched);
  }

  #seenNetwork(udp: UdpClass, mappings: readonly Observation[]): SeenNetwork {
    const main = new Set([4, 6].map((family) => this.#main(family as Family)?.port));
    const candidates = mappings
      .filter(({ seen, local }) => seen.host !== '' && main.has(local.port))
      .map(({ seen }): Candidate => ({ origin: 'observed', protocol: 'udp', address: seen }));
    const v4 = mappings.filter(({ family, seen }) => family === 4 && seen.host !== '');
    const last = v4.at(-1)?.seen;
    if (!udp.startsWith('symmetric') || !last) return { udp, ports: null, candidates };
    const { allocation } = classify({ mappings: v4, filters: [], reached: {}, localHosts: [] }, 'udp', 4);
    if (allocation.kind !== 'sequential') return { udp, ports: { last, step: 0 }, candidates };
    const { step } = allocation;
    return { udp, ports: { last: { host: last.host, port: furthest(v4.map(({ seen }) => seen), step) }, step }, candidates };
  }
}

/** Answers of one moment are no further apart, even where others use the NAT; what is has begun its range anew. */
const MAX_SPREAD = 256;

/** The port that was given last by a NAT that counts in that direction; answers overtake each other. */
function furthest(seen: readonly HostPort[], step: number): number {
  const last = seen.at(-1)?.port ?? 0;
  const near = seen.map(({ port }) => port).filter((port) => Math.abs(port - last) <= MAX_SPREAD);
  return step > 0 ? Math.max(...near) : Math.min(...near);
}
