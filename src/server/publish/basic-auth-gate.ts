/** Checks user and password of published services: slow to guess, quick for those who have proven themselves. */
import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { type BasicAuth, checkBasicAuth, readAuthorization } from '../../core/publish/index.ts';
import type { ServerLimits } from '../limits.ts';
import { prefix64 } from '../networks.ts';

export type Verdict = 'ok' | 'wrong' | 'too-many-tries' | 'busy';

/** Good headers that are remembered by their hash; a service has a few users. */
const MAX_REMEMBERED = 1_024;
/** Addresses whose wrong tries are counted. */
const MAX_ADDRESSES = 10_000;
const WINDOW_MS = 60_000;

export class BasicAuthGate {
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  /** By the hash with which they were checked, so that a changed password is asked for again. */
  readonly #good = new Set<string>();
  /** In the order of their windows. */
  readonly #wrong = new Map<string, { count: number; readonly untilMs: number }>();
  #checking = 0;

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  async check(expected: BasicAuth, header: string | undefined, host: string): Promise<Verdict> {
    const given = readAuthorization(header ?? '');
    if (!given) return 'wrong';
    const mark = createHash('sha256').update(expected.salt).update(expected.hash).update(header ?? '').digest('base64');
    if (this.#good.has(mark)) return 'ok';
    const network = host.includes(':') ? prefix64(host) : host;
    if (this.#tries(network) >= this.#limits.basicAuthTries) return 'too-many-tries';
    if (this.#checking >= this.#limits.maxBasicAuthChecks) return 'busy';
    // Counted before it is known: many at once are many tries.
    this.#count(network, 1);
    this.#checking++;
    try {
      if (!(await checkBasicAuth(expected, given.user, given.password))) return 'wrong';
    } finally {
      this.#checking--;
    }
    this.#count(network, -1);
    if (this.#good.size >= MAX_REMEMBERED) this.#good.clear();
    this.#good.add(mark);
    return 'ok';
  }

  #tries(network: string): number {
    const entry = this.#wrong.get(network);
    if (entry && entry.untilMs <= this.#clock.now()) this.#wrong.delete(network);
    return this.#wrong.get(network)?.count ?? 0;
  }

  #count(network: string, change: number): void {
    const entry = this.#wrong.get(network);
    if (entry) entry.count += change;
    else if (change > 0) {
      if (this.#wrong.size >= MAX_ADDRESSES) this.#wrong.delete(this.#wrong.keys().next().value ?? '');
      this.#wrong.set(network, { count: change, untilMs: this.#clock.now() + WINDOW_MS });
    }
  }
}
