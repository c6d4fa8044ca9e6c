/**
 * One log line for each decision, bounded: who floods the server must not fill its disk, and what he wanted to hide must
 * not drown either. Each reason has a budget of its own, so that a flood of one kind leaves the others readable, and what
 * was left out is summed up in a line of its own.
 */
import type { Clock } from '../../core/clock.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import { maskId } from './mask.ts';
import { type Detail, type Reason, REASONS } from './reasons.ts';

export type LogLevel = 'debug' | 'info' | 'warn';
export type WriteLine = (level: LogLevel, event: string, fields: Record<string, unknown>) => void;

export interface DecisionLogOptions {
  readonly counters: Counters;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly write: WriteLine;
  /** Whole ids instead of masked ones. */
  readonly wholeIds: boolean;
}

/** Text from the network is cut to this; an address or reason is never longer. */
const MAX_TEXT = 64;

export class DecisionLog {
  readonly #o: DecisionLogOptions;
  readonly #stop: () => void;
  readonly #written = new Map<Reason, number>();
  readonly #suppressed = new Map<Reason, number>();
  #writtenTotal = 0;
  #windowStart: number;
  #cancelSummary: (() => void) | undefined;
  /** Lines left out since the start. */
  suppressed = 0;

  constructor(options: DecisionLogOptions) {
    this.#o = options;
    this.#windowStart = options.clock.now();
    this.#stop = options.counters.onDecision((reason, detail) => this.#decided(reason, detail));
  }

  close(): void {
    this.#stop();
    this.#cancelSummary?.();
    this.#summarise();
  }

  #decided(reason: Reason, detail: Detail): void {
    const { limits, clock } = this.#o;
    const now = clock.now();
    if (now - this.#windowStart >= limits.logWindowMs) {
      this.#windowStart = now;
      this.#writtenTotal = 0;
      this.#written.clear();
    }
    const own = this.#written.get(reason) ?? 0;
    if (own >= limits.maxLogLinesPerReason || this.#writtenTotal >= limits.maxLogLines) return this.#suppress(reason);
    this.#written.set(reason, own + 1);
    this.#writtenTotal++;
    const { id, from, via, why, ms, bytes } = detail;
    const kind = REASONS[reason].kind;
    this.#o.write(kind === 'ignored' ? 'debug' : 'info', reason, {
      kind,
      ...(id ? { id: this.#o.wholeIds ? cut(id) : maskId(id) } : {}),
      ...(from ? { from: cut(from) } : {}),
      ...(via ? { via } : {}),
      ...(why ? { why: cut(why) } : {}),
      ...(ms === undefined ? {} : { ms: Math.round(ms * 10) / 10 }),
      ...(bytes === undefined ? {} : { bytes }),
    });
  }

  #suppress(reason: Reason): void {
    this.suppressed++;
    this.#suppressed.set(reason, (this.#suppressed.get(reason) ?? 0) + 1);
    this.#cancelSummary ??= this.#o.clock.setTimer(this.#o.limits.logWindowMs, () => {
      this.#cancelSummary = undefined;
      this.#summarise();
    });
  }

  #summarise(): void {
    if (this.#suppressed.size === 0) return;
    const reasons = Object.fromEntries(this.#suppressed);
    this.#suppressed.clear();
    this.#o.write('warn', 'log-suppressed', { reasons, withinMs: this.#o.limits.logWindowMs });
  }
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
