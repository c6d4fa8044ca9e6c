/** Whether a path lives, and how far it is: round trips from probes, silence from what it owes. */
import { ACK_DELAY_MS, LOST_PROBE_MS, MAX_PROBES, STALL_LIFE_MS, SUSPECT_MS } from './multipath-limits.ts';

interface Probe {
  readonly nonce: Uint8Array;
  readonly sentAt: number;
}

/** How much longer than the longest pause so far a silence may be before it means something. */
const GAP_SLACK = 1.5;
/** Share of the patience after which other paths are asked, so that an answer is there when it ends. */
const ALARM_SHARE = 0.5;
/** The longest pause that a lossy path may make a habit of, in milliseconds. */
const LONGEST_GAP_MS = 300;
/** Round trips of which the shortest counts when paths are compared. */
const RECENT_SAMPLES = 6;

export class PathWatch {
  #srtt: number | null = null;
  #variance = 0;
  #samples = 0;
  readonly #recent: number[] = [];
  readonly #probes: Probe[] = [];
  /** Since when an answer is owed without any progress; null: none is. */
  #owedSince: number | null = null;
  /** The longest pause while answers were owed, halved every STALL_LIFE_MS. */
  #gap = 0;
  #gapAt = 0;
  #suspectSince: number | null = null;
  #stalls = 0;
  #stallAt = 0;
  /** Probes since the last sign of life. */
  #lost = 0;
  #heardAt = Number.NEGATIVE_INFINITY;
  #alarmed = false;
  nextProbeAt = 0;

  /** Smoothed round trip in milliseconds; null before the first answer. */
  get rttMs(): number | null {
    return this.#srtt;
  }

  /** The shortest of the last round trips, which bulk of our own did not lengthen; null before the first answer. */
  get bareRttMs(): number | null {
    return this.#recent.length === 0 ? null : Math.min(...this.#recent);
  }

  get samples(): number {
    return this.#samples;
  }

  get suspectSince(): number | null {
    return this.#suspectSince;
  }

  /** When the other end last showed that something of ours had come by this path. */
  get heardAt(): number {
    return this.#heardAt;
  }

  get probing(): boolean {
    return this.#probes.length > 0;
  }

  /** Recent stalls; one counts less and less, and nothing after some of its lives. */
  stalls(now: number): number {
    const left = this.#stalls * 0.5 ** ((now - this.#stallAt) / STALL_LIFE_MS);
    return left < 0.1 ? 0 : left;
  }

  /** Something left by this path that wants an answer. */
  owe(now: number): void {
    this.#owedSince ??= now;
  }

  /** When the silence begins to mean something; null while nothing is owed. `drainMs`: what is on its way takes so long. */
  suspectAt(now: number, drainMs: number): number | null {
    return this.#owedSince === null ? null : this.#owedSince + this.#patienceMs(now, drainMs);
  }

  /** When it is time to see which other path would do; null: nothing is owed, or that has been done. */
  alarmAt(now: number, drainMs: number): number | null {
    return this.#owedSince === null || this.#alarmed
      ? null
      : this.#owedSince + ALARM_SHARE * this.#patienceMs(now, drainMs);
  }

  /** The other paths are being asked. */
  alarm(): void {
    this.#alarmed = true;
  }

  /** Silence that is normal on this path, from its round trips and from the pauses it made before. */
  #patienceMs(now: number, drainMs: number): number {
    const rtt = this.#srtt ?? SUSPECT_MS.min;
    const gap = this.#gap * 0.5 ** ((now - this.#gapAt) / STALL_LIFE_MS);
    const normal = Math.max(rtt + 4 * this.#variance + ACK_DELAY_MS, rtt * 2, gap * GAP_SLACK, drainMs);
    return Math.min(SUSPECT_MS.max, Math.max(SUSPECT_MS.min, normal));
  }

  /** The silence has lasted too long. */
  suspect(now: number): void {
    if (this.#suspectSince !== null) return;
    this.#suspectSince = now;
    this.#stalls = this.stalls(now) + 1;
    this.#stallAt = now;
    this.#lost = 0;
  }

  /** An answer to a probe of ours: its round trip; null when none of ours has this nonce. */
  answered(nonce: Uint8Array, now: number): number | null {
    const index = this.#probes.findIndex((probe) => probe.nonce.every((byte, i) => byte === nonce[i]));
    const found = this.#probes[index];
    if (!found) return null;
    // Paths keep their order: what left before it will not be answered any more.
    this.#probes.splice(0, index + 1);
    const rtt = Math.max(0, now - found.sentAt);
    if (this.#suspectSince !== null && this.#srtt !== null) {
      // What waited in a path that was cut says how long that was, not how far the path is.
      this.#probes.length = 0;
      return rtt;
    }
    if (this.#srtt === null) {
      this.#srtt = rtt;
      this.#variance = rtt / 2;
    } else {
      this.#variance += (Math.abs(rtt - this.#srtt) - this.#variance) / 4;
      this.#srtt += (rtt - this.#srtt) / 8;
    }
    this.#samples++;
    this.#recent.push(rtt);
    if (this.#recent.length > RECENT_SAMPLES) this.#recent.shift();
    return rtt;
  }

  /** The other end has got something of ours. `owed`: there is more that it has not answered. */
  progress(now: number, owed: boolean): void {
    if (this.#owedSince !== null) {
      const gap = now - this.#owedSince;
      // Longer ones are cuts, which are not what this path is like.
      if (gap <= LONGEST_GAP_MS && gap > this.#gap * 0.5 ** ((now - this.#gapAt) / STALL_LIFE_MS)) {
        this.#gap = gap;
        this.#gapAt = now;
      }
    }
    this.#heardAt = now;
    this.#alarmed = false;
    this.#suspectSince = null;
    this.#lost = 0;
    this.#owedSince = owed || this.#probes.length > 0 ? now : null;
  }

  /** What was owed for data is awaited elsewhere from here on. */
  released(): void {
    if (this.#probes.length === 0 && this.#suspectSince === null) this.#owedSince = null;
  }

  /** A probe with this nonce leaves now. */
  probed(nonce: Uint8Array, now: number): void {
    this.#probes.push({ nonce, sentAt: now });
    if (this.#probes.length > MAX_PROBES) this.#probes.shift();
    this.#lost++;
    this.owe(now);
  }

  /** Time to the next probe of a path that should have answered. */
  lostProbeMs(): number {
    return Math.min(LOST_PROBE_MS.max, LOST_PROBE_MS.first * 2 ** Math.min(10, Math.max(0, this.#lost - 1)));
  }

  /** Since when this path owes an answer. */
  get owedSince(): number | null {
    return this.#owedSince;
  }
}
