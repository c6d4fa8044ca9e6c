/**
 * Computers behind NATs, over virtual time: for tests of what punches holes. Each NAT maps and filters UDP as its kind says;
 * datagrams are lost, doubled and reordered by seed.
 */
import type { HostPort } from '../wire/index.ts';
import type { SeededRandom } from './seeds.ts';

export const WORLD_KINDS = ['open', 'full-cone', 'restricted', 'port-restricted', 'symmetric-sequential', 'symmetric-random', 'blocked'] as const;
export type WorldKind = (typeof WORLD_KINDS)[number];

export interface WorldLine {
  readonly delayMs: number;
  /** Each datagram takes up to this much longer, by itself: that reorders. */
  readonly jitterMs: number;
  /** Probabilities. */
  readonly loss: number;
  readonly duplication: number;
}

interface InFlight {
  readonly at: number;
  readonly order: number;
  readonly from: HostPort;
  readonly to: HostPort;
  readonly bytes: Uint8Array;
}

export interface Received {
  readonly from: HostPort;
  /** The local port. */
  readonly port: number;
  readonly bytes: Uint8Array;
}

/** One computer with a NAT of its own. Local ports are any numbers. */
export class WorldHost {
  readonly kind: WorldKind;
  readonly publicHost: string;
  readonly inbox: Received[] = [];
  readonly #random: SeededRandom;
  /** Local port (and, where symmetric, destination) → public port. */
  readonly #mappings = new Map<string, number>();
  /** Public port → local port, and where that may be spoken to from. */
  readonly #holes = new Map<number, { readonly port: number; readonly hosts: Set<string>; readonly ends: Set<string> }>();
  #nextPort: number;

  constructor(kind: WorldKind, publicHost: string, random: SeededRandom) {
    this.kind = kind;
    this.publicHost = publicHost;
    this.#random = random;
    this.#nextPort = random.between(10_000, 50_000);
  }

  /** The public end of a datagram that leaves; null when none leaves. */
  leave(port: number, to: HostPort): HostPort | null {
    if (this.kind === 'blocked') return null;
    const symmetric = this.kind.startsWith('symmetric');
    const key = symmetric ? `${port} ${to.host} ${to.port}` : String(port);
    const known = this.#mappings.get(key);
    const publicPort = known ?? this.#newPort(port);
    if (known === undefined) {
      this.#mappings.set(key, publicPort);
      this.#holes.set(publicPort, { port, hosts: new Set(), ends: new Set() });
    }
    const hole = this.#holes.get(publicPort);
    hole?.hosts.add(to.host);
    hole?.ends.add(`${to.host} ${to.port}`);
    return { host: this.publicHost, port: publicPort };
  }

  arrive(from: HostPort, publicPort: number, bytes: Uint8Array): void {
    if (this.kind === 'blocked') return;
    const hole = this.#holes.get(publicPort);
    if (this.kind === 'open') {
      this.inbox.push({ from, port: publicPort, bytes });
      return;
    }
    if (!hole) return;
    if (this.kind === 'restricted' && !hole.hosts.has(from.host)) return;
    const strict = this.kind !== 'full-cone' && this.kind !== 'restricted';
    if (strict && !hole.ends.has(`${from.host} ${from.port}`)) return;
    this.inbox.push({ from, port: hole.port, bytes });
  }

  #newPort(port: number): number {
    if (this.kind === 'symmetric-sequential') return this.#nextPort++;
    if (this.kind !== 'symmetric-random') return port;
    for (;;) {
      const guess = this.#random.between(1_024, 65_535);
      if (!this.#holes.has(guess)) return guess;
    }
  }
}

export class NatWorld {
  readonly #random: SeededRandom;
  readonly #line: WorldLine;
  readonly #hosts = new Map<string, WorldHost>();
  readonly #flying: InFlight[] = [];
  #order = 0;

  constructor(random: SeededRandom, line: WorldLine) {
    this.#random = random;
    this.#line = line;
  }

  host(kind: WorldKind): WorldHost {
    const host = new WorldHost(kind, `198.51.100.${this.#hosts.size + 1}`, this.#random);
    this.#hosts.set(host.publicHost, host);
    return host;
  }

  send(from: WorldHost, port: number, to: HostPort, bytes: Uint8Array, nowMs: number): void {
    const outside = from.leave(port, to);
    if (!outside) return;
    const copies = this.#random.chance(this.#line.duplication) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.#random.chance(this.#line.loss)) continue;
      const at = nowMs + this.#line.delayMs + this.#random.next() * this.#line.jitterMs;
      this.#flying.push({ at, order: this.#order++, from: outside, to, bytes: bytes.slice() });
    }
  }

  /** When the next datagram arrives; Infinity: none is under way. */
  nextAt(): number {
    return this.#flying.reduce((least, { at }) => Math.min(least, at), Infinity);
  }

  /** Puts what has arrived by now into the inboxes of those whose NATs let it in. */
  deliver(nowMs: number): void {
    const due = this.#flying.filter(({ at }) => at <= nowMs).sort((a, b) => a.at - b.at || a.order - b.order);
    if (due.length === 0) return;
    const rest = this.#flying.filter(({ at }) => at > nowMs);
    this.#flying.splice(0, this.#flying.length, ...rest);
    for (const { from, to, bytes } of due) this.#hosts.get(to.host)?.arrive(from, to.port, bytes);
  }
}
