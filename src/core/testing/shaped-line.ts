import type { SeededRandom } from './seeds.ts';

/** One direction of an emulated network path. */
export interface LineShape {
  /** Time on the way, in ms, behind the bottleneck. */
  readonly delayMs: number;
  /** Of the bottleneck, in bits per second; default unlimited. */
  readonly rateBps?: number;
  /** Room in front of the bottleneck, in bytes; what finds it full is dropped. Default unlimited. */
  readonly queueBytes?: number;
  /** Probability that a datagram is lost behind the bottleneck. */
  readonly loss?: number;
  /** Probability that one comes twice. */
  readonly duplicate?: number;
  /** Probability that one is held up, by up to `reorderMs`, so that later ones overtake it. */
  readonly reorder?: number;
  readonly reorderMs?: number;
}

export interface LineCounts {
  /** Datagrams and bytes that went in. */
  datagrams: number;
  bytes: number;
  /** Found the queue full. */
  dropped: number;
  /** Lost behind the bottleneck. */
  lost: number;
}

interface Waiting<T> {
  readonly at: number;
  readonly item: T;
}

/** Queueing delays are counted in buckets of this many ms … */
const BUCKET_MS = 0.5;
/** … up to 10 s. */
const BUCKETS = 20_000;

/**
 * A drop-tail queue in front of a bottleneck, then a delay: a model of one direction of a network path, over whatever
 * clock its caller has. Time must not run backwards.
 */
export class ShapedLine<T> {
  readonly counts: LineCounts = { datagrams: 0, bytes: 0, dropped: 0, lost: 0 };
  /** What else happens to those that arrive; default nothing. */
  damage: ((item: T) => T) | undefined;
  /** Applies to what is pushed from now on. */
  shape: LineShape;
  readonly #random: SeededRandom;
  /** In the bottleneck's queue: when each leaves it, and its size. */
  #queue: { readonly at: number; readonly bytes: number }[] = [];
  #queueHead = 0;
  #queuedBytes = 0;
  /** The bottleneck is busy until then. */
  #busyUntil = 0;
  /** On the way, in the order of arrival. */
  #way: Waiting<T>[] = [];
  #wayHead = 0;
  #delays = new Uint32Array(BUCKETS);

  constructor(shape: LineShape, random: SeededRandom) {
    this.shape = shape;
    this.#random = random;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** `bytes` as the bottleneck counts them, headers of lower layers included. */
  push(nowMs: number, item: T, bytes: number): void {
    const { rateBps = Infinity, queueBytes = Infinity, delayMs } = this.shape;
    this.counts.datagrams++;
    this.counts.bytes += bytes;
    this.#serve(nowMs);
    if (this.#queuedBytes + bytes > queueBytes && this.#queuedBytes > 0) {
      this.counts.dropped++;
      return;
    }
    const start = Math.max(nowMs, this.#busyUntil);
    this.#busyUntil = start + (bytes * 8000) / rateBps;
    this.#queue.push({ at: this.#busyUntil, bytes });
    this.#queuedBytes += bytes;
    const bucket = Math.min(BUCKETS - 1, Math.floor((start - nowMs) / BUCKET_MS));
    this.#delays[bucket] = (this.#delays[bucket] as number) + 1;
    if (this.#happens(this.shape.loss)) {
      this.counts.lost++;
      return;
    }
    this.#insert(this.#busyUntil + delayMs, item);
    if (this.#happens(this.shape.duplicate)) this.#insert(this.#busyUntil + delayMs, item);
  }

  /** The next one that has arrived by `nowMs`. */
  pop(nowMs: number): T | undefined {
    const next = this.#way[this.#wayHead];
    if (next === undefined || next.at > nowMs) return undefined;
    this.#wayHead++;
    if (this.#wayHead >= 256 && this.#wayHead * 2 >= this.#way.length) {
      this.#way = this.#way.slice(this.#wayHead);
      this.#wayHead = 0;
    }
    return this.damage === undefined ? next.item : this.damage(next.item);
  }

  /** When the next one arrives; Infinity: none is on the way. */
  nextAt(): number {
    return this.#way[this.#wayHead]?.at ?? Infinity;
  }

  /** The time that a share of the datagrams did not exceed in the queue, in ms (to half a ms); 0 if there were none. */
  queueDelayMs(share: number): number {
    let total = 0;
    for (const count of this.#delays) total += count;
    let left = total * share;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#delays[bucket] as number;
      if (left <= 0) return total === 0 ? 0 : bucket * BUCKET_MS;
    }
    return BUCKETS * BUCKET_MS;
  }

  /** Counts and queueing delays begin again. */
  resetCounts(): void {
    Object.assign(this.counts, { datagrams: 0, bytes: 0, dropped: 0, lost: 0 });
    this.#delays.fill(0);
  }

  #happens(probability: number | undefined): boolean {
    return probability !== undefined && probability > 0 && this.#random.chance(probability);
  }

  /** Takes what has left the bottleneck out of its queue. */
  #serve(nowMs: number): void {
    for (;;) {
      const first = this.#queue[this.#queueHead];
      if (first === undefined || first.at > nowMs) break;
      this.#queuedBytes -= first.bytes;
      this.#queueHead++;
    }
    if (this.#queueHead >= 256 && this.#queueHead * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#queueHead);
      this.#queueHead = 0;
    }
  }

  #insert(arrival: number, item: T): void {
    const { reorder, reorderMs = 0 } = this.shape;
    const at = this.#happens(reorder) ? arrival + this.#random.next() * reorderMs : arrival;
    let index = this.#way.length;
    while (index > this.#wayHead && (this.#way[index - 1] as Waiting<T>).at > at) index--;
    this.#way.splice(index, 0, { at, item });
  }
}
