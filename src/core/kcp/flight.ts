import type { ByteQueue } from './byte-queue.ts';
import { KCP_MAX_WINDOW, MAX_SEGMENT, SEGMENT_OVERHEAD } from './constants.ts';

/** Most connections carry little at a time: room grows by doubling, up to the largest window. */
const FIRST_CAPACITY = 128;
/** No slot. */
export const NONE = -1;

interface Columns {
  readonly capacity: number;
  readonly data: Uint8Array;
  readonly length: Uint16Array;
  readonly sn: Uint32Array;
  readonly ts: Uint32Array;
  readonly sentAt: Float64Array;
  readonly order: Float64Array;
  readonly transmits: Uint32Array;
  readonly live: Uint8Array;
  readonly lost: Uint8Array;
  readonly next: Uint16Array;
  readonly prev: Uint16Array;
}

function columns(capacity: number): Columns {
  const links = (): Uint16Array => {
    const list = new Uint16Array(capacity + 2);
    // Two rings without members: each head is its own neighbour.
    list[capacity] = capacity;
    list[capacity + 1] = capacity + 1;
    return list;
  };
  return {
    capacity,
    data: new Uint8Array(capacity * MAX_SEGMENT),
    length: new Uint16Array(capacity),
    sn: new Uint32Array(capacity),
    ts: new Uint32Array(capacity),
    sentAt: new Float64Array(capacity),
    order: new Float64Array(capacity),
    transmits: new Uint32Array(capacity),
    live: new Uint8Array(capacity),
    lost: new Uint8Array(capacity),
    next: links(),
    prev: links(),
  };
}

/**
 * The segments from the first unacknowledged one to the newest. Each lives in the slot `sn & (capacity - 1)` of a slab and
 * is linked into one of two rings: *sent*, in the order of their last transmission, or *lost*, waiting to be sent again.
 * So an acknowledgement or a loss costs the same whatever is in flight, and nothing is allocated per segment.
 */
export class Flight {
  #c = columns(FIRST_CAPACITY);
  /** The first segment that is not acknowledged, and the one after the newest. */
  #una = 0;
  #next = 0;
  #count = 0;
  #lostCount = 0;
  #pipeBytes = 0;
  #orders = 0;

  get una(): number {
    return this.#una;
  }

  get next(): number {
    return this.#next;
  }

  /** Segments that are not acknowledged. */
  get count(): number {
    return this.#count;
  }

  /** Segments from the first unacknowledged one to the newest, acknowledged ones included. */
  get span(): number {
    return (this.#next - this.#una) | 0;
  }

  /** Segments acknowledged beyond the first unacknowledged one. */
  get acknowledgedBeyond(): number {
    return this.span - this.#count;
  }

  /** Bytes on the way: sent, neither acknowledged nor believed lost. */
  get pipeBytes(): number {
    return this.#pipeBytes;
  }

  /** The number that the next transmission gets. */
  get orders(): number {
    return this.#orders;
  }

  get hasLost(): boolean {
    return this.#lostCount > 0;
  }

  /** Sent longest ago, or NONE. */
  get oldestSent(): number {
    return this.#member(this.#c.next[this.#c.capacity] as number);
  }

  get newestSent(): number {
    return this.#member(this.#c.prev[this.#c.capacity] as number);
  }

  /** To be sent again first, or NONE. */
  get firstLost(): number {
    return this.#member(this.#c.next[this.#c.capacity + 1] as number);
  }

  /** Whichever was sent next after that one, or NONE. */
  sentAfter(slot: number): number {
    return this.#member(this.#c.next[slot] as number);
  }

  /** The slot of an unacknowledged segment, or NONE. */
  find(sn: number): number {
    if (((sn - this.#una) | 0) < 0 || ((this.#next - sn) | 0) <= 0) return NONE;
    const slot = sn & (this.#c.capacity - 1);
    return this.#c.live[slot] === 1 ? slot : NONE;
  }

  sn(slot: number): number {
    return this.#c.sn[slot] as number;
  }

  /** The clock on the wire at the last transmission. */
  ts(slot: number): number {
    return this.#c.ts[slot] as number;
  }

  sentAt(slot: number): number {
    return this.#c.sentAt[slot] as number;
  }

  /** The number of its last transmission. */
  order(slot: number): number {
    return this.#c.order[slot] as number;
  }

  transmits(slot: number): number {
    return this.#c.transmits[slot] as number;
  }

  isLost(slot: number): boolean {
    return this.#c.lost[slot] === 1;
  }

  length(slot: number): number {
    return this.#c.length[slot] as number;
  }

  /** What it costs on the way, in bytes. */
  wireBytes(slot: number): number {
    return (this.#c.length[slot] as number) + SEGMENT_OVERHEAD;
  }

  copyTo(slot: number, out: Uint8Array, at: number): void {
    const from = slot * MAX_SEGMENT;
    out.set(this.#c.data.subarray(from, from + (this.#c.length[slot] as number)), at);
  }

  /** Makes the next segment from the front of the backlog; it is on no ring until `sent`. The span must be below the limit. */
  cut(backlog: ByteQueue, length: number): number {
    if (this.span >= this.#c.capacity) this.#grow();
    const c = this.#c;
    const sn = this.#next;
    const slot = sn & (c.capacity - 1);
    this.#next = (sn + 1) >>> 0;
    backlog.take(c.data, slot * MAX_SEGMENT, length);
    c.length[slot] = length;
    c.sn[slot] = sn;
    c.transmits[slot] = 0;
    c.live[slot] = 1;
    c.lost[slot] = 0;
    c.next[slot] = slot;
    c.prev[slot] = slot;
    this.#count++;
    return slot;
  }

  /** It leaves now, for the first time or again. */
  sent(slot: number, nowMs: number, ts: number): void {
    const c = this.#c;
    if (c.lost[slot] === 1) {
      c.lost[slot] = 0;
      this.#lostCount--;
    } else if ((c.transmits[slot] as number) > 0) this.#pipeBytes -= this.wireBytes(slot);
    c.transmits[slot] = (c.transmits[slot] as number) + 1;
    c.ts[slot] = ts;
    c.sentAt[slot] = nowMs;
    c.order[slot] = this.#orders++;
    this.#unlink(slot);
    this.#append(slot, c.capacity);
    this.#pipeBytes += this.wireBytes(slot);
  }

  /** Believed lost: to be sent again. */
  lose(slot: number): void {
    const c = this.#c;
    if (c.lost[slot] === 1) return;
    c.lost[slot] = 1;
    this.#lostCount++;
    this.#pipeBytes -= this.wireBytes(slot);
    this.#unlink(slot);
    this.#append(slot, c.capacity + 1);
  }

  /** It has arrived. */
  acknowledge(slot: number): void {
    const c = this.#c;
    c.live[slot] = 0;
    if (c.lost[slot] === 1) {
      c.lost[slot] = 0;
      this.#lostCount--;
    } else this.#pipeBytes -= this.wireBytes(slot);
    this.#unlink(slot);
    this.#count--;
    while (this.#una !== this.#next && c.live[this.#una & (c.capacity - 1)] === 0)
      this.#una = (this.#una + 1) >>> 0;
  }

  #member(slot: number): number {
    return slot < this.#c.capacity ? slot : NONE;
  }

  #unlink(slot: number): void {
    const { next, prev } = this.#c;
    const [before, after] = [prev[slot] as number, next[slot] as number];
    next[before] = after;
    prev[after] = before;
  }

  #append(slot: number, ring: number): void {
    const { next, prev } = this.#c;
    const last = prev[ring] as number;
    next[last] = slot;
    prev[slot] = last;
    next[slot] = ring;
    prev[ring] = slot;
  }

  #grow(): void {
    const old = this.#c;
    if (old.capacity >= KCP_MAX_WINDOW) throw new Error('more segments in flight than the largest window');
    const c = columns(old.capacity * 2);
    this.#c = c;
    for (const [ring, target] of [
      [old.capacity, c.capacity],
      [old.capacity + 1, c.capacity + 1],
    ] as const)
      for (let from = old.next[ring] as number; from !== ring; from = old.next[from] as number) {
        const sn = old.sn[from] as number;
        const to = sn & (c.capacity - 1);
        c.data.set(old.data.subarray(from * MAX_SEGMENT, (from + 1) * MAX_SEGMENT), to * MAX_SEGMENT);
        c.length[to] = old.length[from] as number;
        c.sn[to] = sn;
        c.ts[to] = old.ts[from] as number;
        c.sentAt[to] = old.sentAt[from] as number;
        c.order[to] = old.order[from] as number;
        c.transmits[to] = old.transmits[from] as number;
        c.live[to] = 1;
        c.lost[to] = old.lost[from] as number;
        this.#append(to, target);
      }
  }
}
