/** Datagrams to ports that are only guessed: which ones, how fast, and how many at most. */
import type { RandomBytes } from '../crypto/random.ts';
import { PATH_LIMITS } from './limits.ts';

const FIRST_PORT = 1_024;
const PORT_COUNT = 65_536 - FIRST_PORT;

/** Every port above the well-known ones once, in an order that nobody can foretell. */
export class RandomPorts {
  readonly #ports = new Uint16Array(PORT_COUNT);
  readonly #random: RandomBytes;
  #taken = 0;

  constructor(random: RandomBytes) {
    this.#random = random;
    for (let i = 0; i < PORT_COUNT; i++) this.#ports[i] = FIRST_PORT + i;
  }

  /** Null when all have been given. */
  next(): number | null {
    const left = PORT_COUNT - this.#taken;
    if (left === 0) return null;
    const bytes = this.#random(4);
    const number = (((bytes[0] ?? 0) << 24) | ((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)) >>> 0;
    const at = this.#taken + (number % left);
    const port = this.#ports[at] ?? 0;
    this.#ports[at] = this.#ports[this.#taken] ?? 0;
    this.#taken += 1;
    return port;
  }
}

/** What may still be sent within a minute, over all rounds of a session. */
export class SprayAllowance {
  readonly #perMinute: number;
  #windowStart = -Infinity;
  #used = 0;

  constructor(perMinute: number = PATH_LIMITS.sprayPerMinute) {
    this.#perMinute = perMinute;
  }

  take(nowMs: number): boolean {
    if (nowMs - this.#windowStart >= 60_000) {
      this.#windowStart = nowMs;
      this.#used = 0;
    }
    if (this.#used >= this.#perMinute) return false;
    this.#used += 1;
    return true;
  }
}

/** A sender that was held up makes good for so much, no more: a burst would be dropped on the way. */
const MAX_CATCH_UP_MS = 20;

/** When the next datagram is due: slowly at first, so that a hit in the beginning costs little. */
export class SprayPace {
  readonly #startMs: number;
  #sent = 0;
  #nextAt: number;

  constructor(startMs: number) {
    this.#startMs = startMs;
    this.#nextAt = startMs;
  }

  get sent(): number {
    return this.#sent;
  }

  /** When the next one is due; Infinity at the end. */
  get nextAt(): number {
    return this.#sent < PATH_LIMITS.sprayPerRound ? this.#nextAt : Infinity;
  }

  sentOne(nowMs: number): void {
    const { sprayFirstPerSecond: first, sprayMostPerSecond: most, sprayRampMs } = PATH_LIMITS;
    const grown = Math.min(1, Math.max(0, nowMs - this.#startMs) / sprayRampMs);
    this.#sent += 1;
    this.#nextAt = Math.max(this.#nextAt, nowMs - MAX_CATCH_UP_MS) + 1_000 / (first + (most - first) * grown);
  }
}
