import type { ServerLimits } from '../limits.ts';
import type { SharedWaiting } from './shared.ts';

export interface Waiting {
  readonly id: string;
  readonly host: string;
  /** Short form of machine and key, to compare with what the computer shows. */
  readonly device: string;
  /** Unix ms. */
  readonly since: number;
  readonly lastSeen: number;
}

/** Computers that asked to be taken and were not: as many as the limits allow, forgotten when they stop asking. */
export class WaitingComputers {
  readonly #limits: ServerLimits;
  /** In the order of their last try. */
  readonly #byId = new Map<string, SharedWaiting>();
  readonly #countByHost = new Map<string, number>();

  constructor(limits: ServerLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): SharedWaiting | undefined {
    return this.#byId.get(id);
  }

  values(): IterableIterator<SharedWaiting> {
    return this.#byId.values();
  }

  /** As shown to the operator, the last one first. */
  list(): Waiting[] {
    return [...this.#byId.values()].map(({ full, ...shown }) => ({ ...shown, device: shortDevice(full) })).reverse();
  }

  /** False: another machine waits under that id, or there are too many from that address. */
  set(waiting: SharedWaiting): boolean {
    const limits = this.#limits;
    const { id, host, full, lastSeen } = waiting;
    const before = this.#byId.get(id);
    // The first machine to ask under an id is the one that is shown: another one must not slip in before the approval.
    if (before && before.full !== full && lastSeen - before.lastSeen < limits.enrolmentKeepMs) return false;
    if (before) this.drop(id);
    const own = this.#countByHost.get(host) ?? 0;
    if (own >= limits.maxEnrolmentWaitingPerAddress) return false;
    if (this.#byId.size >= limits.maxEnrolmentWaiting)
      for (const oldest of this.#byId.keys()) {
        this.drop(oldest);
        break;
      }
    this.#byId.set(id, waiting);
    this.#countByHost.set(host, own + 1);
    return true;
  }

  drop(id: string): void {
    const entry = this.#byId.get(id);
    if (!entry) return;
    this.#byId.delete(id);
    const left = (this.#countByHost.get(entry.host) ?? 1) - 1;
    if (left > 0) this.#countByHost.set(entry.host, left);
    else this.#countByHost.delete(entry.host);
  }

  /** Forgets those that have stopped asking at `nowMs` (Unix). */
  expire(nowMs: number): void {
    const oldest = nowMs - this.#limits.enrolmentKeepMs;
    for (const { id, lastSeen } of this.#byId.values()) {
      if (lastSeen > oldest) break;
      this.drop(id);
    }
  }
}

/** What the operator compares with the other computer. */
function shortDevice(full: string): string {
  return full.slice(0, 16).toUpperCase().match(/.{4}/g)?.join('-') ?? '';
}
