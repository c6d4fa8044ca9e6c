/**
 * Finds a pair of addresses over which two peers reach each other by UDP: sends proven probes over all pairs, answers those
 * of the other side, lets the controller nominate the first pair that works in both directions. A state machine without
 * sockets and clock: handle, pollTransmit, pollTimeout.
 */
import { constantTimeEqual } from '../crypto/password.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { HostPort } from '../wire/index.ts';
import { familyOf } from './candidates.ts';
import { PATH_LIMITS } from './limits.ts';
import type { Family } from './observation.ts';
import { type Authenticate, decodeProbe, encodeProbe, NONCE_BYTES, type PathRole, type ProbeKind } from './probe-packet.ts';
import { RandomPorts, SprayPace, type SprayAllowance } from './spray.ts';

/** First pause between probes of a pair; it grows by half up to the most, so that loss costs tens of milliseconds. */
const FIRST_INTERVAL_MS = 20;
const MAX_INTERVAL_MS = 200;
/** Between first probes of different pairs: a burst of all at once would be dropped by small routers. */
const PAIR_PACING_MS = 1;
/** Answers that wait to be sent; beyond it the sender repeats itself. */
const MAX_ANSWERS = 64;
/** Each of the many sockets speaks again after this time, in case its first datagram came before the hole was there. */
const SCATTER_AGAIN_MS = 500;
/** When a proven datagram came, guessing rests until it has had the time to become a path. */
const REST_AFTER_HEARD_MS = 250;

export interface Outgoing {
  readonly socket: number;
  readonly to: HostPort;
  readonly bytes: Uint8Array;
}

export interface NominatedPair {
  readonly socket: number;
  readonly remote: HostPort;
}

export interface PunchAgentOptions {
  readonly role: PathRole;
  readonly authenticate: Authenticate;
  readonly random: RandomBytes;
  readonly allowance: SprayAllowance;
}

interface Pair {
  readonly socket: number;
  readonly remote: HostPort;
  nextAt: number;
  intervalMs: number;
}

interface Spray {
  readonly host: string;
  readonly socket: number;
  readonly ports: RandomPorts;
  readonly pace: SprayPace;
}

/** Many sockets that all speak to one address. */
interface Scatter {
  readonly sockets: readonly number[];
  readonly remote: HostPort;
  readonly againMs: number;
  readonly pace: SprayPace;
  next: number;
  againAt: number;
}

export class PunchAgent {
  readonly #options: PunchAgentOptions;
  readonly #secret: Uint8Array;
  readonly #sockets: { readonly family: Family; readonly primary: boolean }[] = [];
  readonly #remotes = new Map<string, HostPort>();
  readonly #pairs = new Map<string, Pair>();
  readonly #answers: Outgoing[] = [];
  #discovered = 0;
  #spray: Spray | null = null;
  #scatter: Scatter | null = null;
  #restUntil = -Infinity;
  #sprayStopped = false;
  /** The controller's choice, on its way to be accepted; the host's from then on. */
  #choice: Pair | null = null;
  #nominated: NominatedPair | null = null;
  #firstAt: number;

  constructor(options: PunchAgentOptions, nowMs: number) {
    this.#options = options;
    this.#secret = options.random(NONCE_BYTES);
    this.#firstAt = nowMs;
  }

  /** The pair that both sides agree on; null until then. Nothing more is sent from then on. */
  get nominated(): NominatedPair | null {
    return this.#nominated;
  }

  /** Datagrams to guessed ports so far. */
  get sprayed(): number {
    return (this.#spray?.pace.sent ?? 0) + (this.#scatter?.pace.sent ?? 0);
  }

  /** A socket of ours; its number names it from here on. Primary ones are paired with every remote address. */
  addSocket(family: Family, nowMs: number, primary = true): number {
    const socket = this.#sockets.push({ family, primary }) - 1;
    if (primary) for (const remote of this.#remotes.values()) this.#pair(socket, remote, nowMs);
    return socket;
  }

  /** An address of the other side; ignored beyond the bound. */
  addRemote(remote: HostPort, nowMs: number): void {
    if (this.#remotes.size >= PATH_LIMITS.maxCandidates + PATH_LIMITS.predictedPorts) return;
    this.#remotes.set(keyOf(remote), remote);
    for (const [socket, { primary }] of this.#sockets.entries()) if (primary) this.#pair(socket, remote, nowMs);
  }

  /** From now on datagrams go to all ports of `host` in random order, from that socket. The other side has asked for it. */
  startSpray(socket: number, host: string, nowMs: number): void {
    this.#spray ??= { host, socket, ports: new RandomPorts(this.#options.random), pace: new SprayPace(nowMs) };
  }

  /** From now on all those sockets speak to one address, each again and again; replaces what was scattered before. */
  startScatter(sockets: readonly number[], remote: HostPort, nowMs: number, againMs: number = SCATTER_AGAIN_MS): void {
    this.#scatter = { sockets, remote, againMs, pace: new SprayPace(nowMs), next: 0, againAt: -Infinity };
  }

  /** A datagram that came to `socket`. True: it was one of ours, whoever may send it. */
  handle(socket: number, from: HostPort, bytes: Uint8Array, nowMs: number): boolean {
    const { authenticate, role } = this.#options;
    // The host has accepted and begins to open the connection: that is its acceptance, should the other one be lost.
    if (bytes.length === 0 && this.#choice && this.#isChoice(socket, from)) {
      this.#settle(this.#choice);
      return true;
    }
    const packet = decodeProbe(bytes, authenticate);
    // Our own, thrown back at us, would prove nothing.
    if (!packet || packet.from === role) return false;
    if (packet.kind === 'probe') {
      this.#answer(socket, from, 'answer', packet.nonce);
      this.#discover(socket, from, nowMs);
    } else if (packet.kind === 'nominate' && role === 'host') {
      this.#answer(socket, from, 'accepted', packet.nonce);
      this.#settle({ socket, remote: from });
    } else if (constantTimeEqual(packet.nonce, this.#nonceOf(socket, from))) {
      if (packet.kind === 'answer') this.#onWorks(socket, from, nowMs);
      else if (packet.kind === 'accepted' && this.#choice && this.#isChoice(socket, from)) this.#settle(this.#choice);
    }
    return true;
  }

  /** The next datagram to send now; null: none. */
  pollTransmit(nowMs: number): Outgoing | null {
    const answer = this.#answers.shift();
    if (answer) return answer;
    if (this.#nominated) return null;
    if (this.#choice) return this.#choice.nextAt <= nowMs ? this.#probe(this.#choice, 'nominate', nowMs) : null;
    for (const pair of this.#pairs.values()) if (pair.nextAt <= nowMs) return this.#probe(pair, 'probe', nowMs);
    return this.#pollSpray(nowMs) ?? this.#pollScatter(nowMs);
  }

  /** When to call pollTransmit next; Infinity: not before something arrives. */
  pollTimeout(nowMs: number): number {
    if (this.#answers.length > 0) return nowMs;
    if (this.#nominated) return Infinity;
    if (this.#choice) return this.#choice.nextAt;
    let next = Infinity;
    for (const { nextAt } of this.#pairs.values()) next = Math.min(next, nextAt);
    if (!this.#sprayStopped) {
      if (this.#spray) next = Math.min(next, Math.max(this.#restUntil, this.#spray.pace.nextAt));
      if (this.#scatter) next = Math.min(next, Math.max(this.#restUntil, this.#scatterAt(this.#scatter)));
    }
    return next;
  }

  #pair(socket: number, remote: HostPort, nowMs: number): void {
    const key = `${socket} ${keyOf(remote)}`;
    if (this.#sockets[socket]?.family !== familyOf(remote.host) || this.#pairs.has(key)) return;
    this.#firstAt = Math.max(nowMs, this.#firstAt + PAIR_PACING_MS);
    this.#pairs.set(key, { socket, remote, nextAt: this.#firstAt, intervalMs: FIRST_INTERVAL_MS });
  }

  /** The other side speaks from there, whether it said so before or its NAT decided it. */
  #discover(socket: number, from: HostPort, nowMs: number): void {
    this.#restUntil = nowMs + REST_AFTER_HEARD_MS;
    const key = `${socket} ${keyOf(from)}`;
    const known = this.#pairs.get(key);
    if (known) {
      known.nextAt = Math.min(known.nextAt, nowMs);
      return;
    }
    if (this.#discovered >= PATH_LIMITS.maxDiscovered) return;
    this.#discovered += 1;
    this.#pairs.set(key, { socket, remote: from, nextAt: nowMs, intervalMs: FIRST_INTERVAL_MS });
  }

  /** Both directions work. The host waits for the controller's choice. */
  #onWorks(socket: number, remote: HostPort, nowMs: number): void {
    this.#sprayStopped = true;
    if (this.#options.role !== 'controller' || this.#choice || this.#nominated) return;
    this.#choice = { socket, remote, nextAt: nowMs, intervalMs: FIRST_INTERVAL_MS };
  }

  #isChoice(socket: number, from: HostPort): boolean {
    return this.#choice?.socket === socket && keyOf(this.#choice.remote) === keyOf(from);
  }

  #settle({ socket, remote }: { readonly socket: number; readonly remote: HostPort }): void {
    this.#sprayStopped = true;
    this.#nominated ??= { socket, remote };
  }

  #answer(socket: number, to: HostPort, kind: ProbeKind, nonce: Uint8Array): void {
    if (this.#answers.length >= MAX_ANSWERS) return;
    const { role, authenticate } = this.#options;
    this.#answers.push({ socket, to, bytes: encodeProbe({ kind, from: role, nonce }, authenticate) });
  }

  #probe(pair: Pair, kind: 'probe' | 'nominate', nowMs: number): Outgoing {
    pair.nextAt = nowMs + pair.intervalMs;
    pair.intervalMs = Math.min(MAX_INTERVAL_MS, pair.intervalMs * 1.5);
    return this.#packet(pair.socket, pair.remote, kind);
  }

  #packet(socket: number, to: HostPort, kind: 'probe' | 'nominate'): Outgoing {
    const { role, authenticate } = this.#options;
    return { socket, to, bytes: encodeProbe({ kind, from: role, nonce: this.#nonceOf(socket, to) }, authenticate) };
  }

  /** Of one pair of ours: an answer proves that the address it came from got our probe. Needs no memory of what was sent. */
  #nonceOf(socket: number, remote: HostPort): Uint8Array {
    const text = new TextEncoder().encode(`${socket} ${keyOf(remote)}`);
    const input = new Uint8Array(NONCE_BYTES + text.length);
    input.set(this.#secret, 0);
    input.set(text, NONCE_BYTES);
    return this.#options.authenticate(input).slice(0, NONCE_BYTES);
  }

  #pollSpray(nowMs: number): Outgoing | null {
    const spray = this.#spray;
    if (!spray || this.#sprayStopped || nowMs < this.#restUntil || spray.pace.nextAt > nowMs) return null;
    const port = this.#options.allowance.take(nowMs) ? spray.ports.next() : null;
    if (port === null) {
      this.#spray = null;
      return null;
    }
    spray.pace.sentOne(nowMs);
    return this.#packet(spray.socket, { host: spray.host, port }, 'probe');
  }

  #pollScatter(nowMs: number): Outgoing | null {
    const scatter = this.#scatter;
    if (!scatter || this.#sprayStopped || nowMs < this.#restUntil || this.#scatterAt(scatter) > nowMs) return null;
    if (scatter.next === 0) scatter.againAt = nowMs + scatter.againMs;
    const socket = scatter.sockets[scatter.next] ?? 0;
    scatter.next = (scatter.next + 1) % scatter.sockets.length;
    scatter.pace.sentOne(nowMs);
    if (!this.#options.allowance.take(nowMs)) {
      this.#scatter = null;
      return null;
    }
    return this.#packet(socket, scatter.remote, 'probe');
  }

  #scatterAt({ next, againAt, pace }: Scatter): number {
    return next === 0 ? Math.max(againAt, pace.nextAt) : pace.nextAt;
  }
}

function keyOf({ host, port }: HostPort): string {
  return `${host} ${port}`;
}
