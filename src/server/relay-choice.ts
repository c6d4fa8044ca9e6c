/** Which configured relay a session gets: in turn, among those that answer (rendezvous §6.11). */
import { connect } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { RelayLine } from './observe/view.ts';

const DEFAULT_RELAY_PORT = 21117;
/** How often two or more relays are tried, and how long an answer may take, ms. */
const PROBE_INTERVAL_MS = 3_000;
const PROBE_TIMEOUT_MS = 3_000;
/** Configured relays; more is a mistake. */
const MAX_RELAYS = 64;

export class RelayChoice {
  readonly #all: readonly string[];
  readonly #clock: Clock;
  readonly #aborted = new AbortController();
  #living: readonly string[];
  #turn = 0;
  #cancel: (() => void) | undefined;

  constructor(relays: readonly string[], clock: Clock) {
    this.#all = relays.slice(0, MAX_RELAYS);
    this.#living = this.#all;
    this.#clock = clock;
    // With one there is no choice, and a probe every 3 s would only disturb it.
    if (this.#all.length > 1) this.#schedule(0);
  }

  /** The next relay as configured, or '' when there is none. */
  pick(): string {
    if (this.#living.length === 0) return '';
    return this.#living[this.#turn++ % this.#living.length] ?? '';
  }

  /** All that are configured, and whether they answered when last tried; null: a single one is not tried. */
  get lines(): RelayLine[] {
    const tried = this.#all.length > 1;
    return this.#all.map((address) => ({ address, alive: tried ? this.#living.includes(address) : null, pairs: null }));
  }

  close(): void {
    this.#aborted.abort();
    this.#cancel?.();
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#clock.setTimer(delayMs, () => {
      void Promise.all(this.#all.map((relay) => answers(relay, this.#aborted.signal))).then((alive) => {
        if (this.#aborted.signal.aborted) return;
        const living = this.#all.filter((_relay, i) => alive[i]);
        // When none answers, the fault is more likely ours.
        if (living.length > 0) this.#living = living;
        this.#schedule(PROBE_INTERVAL_MS);
      });
    });
  }
}

/** Splits `host[:port]`, `[v6]:port`, or a bare IPv6 address. */
export function splitRelay(relay: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(relay);
  if (!match) return { host: relay, port: DEFAULT_RELAY_PORT };
  return { host: match[1] ?? match[2] ?? '', port: match[3] ? Number(match[3]) : DEFAULT_RELAY_PORT };
}

function answers(relay: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(splitRelay(relay));
    const done = (alive: boolean): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(alive);
    };
    const abort = (): void => done(false);
    signal.addEventListener('abort', abort);
    socket.setTimeout(PROBE_TIMEOUT_MS, () => done(false));
    socket.on('connect', () => done(true));
    socket.on('error', () => done(false));
  });
}
