/**
 * Which relay a session gets: those of the configuration, which are tried now and then (rendezvous §6.11), and those that
 * announced themselves, weighed by relay-score.ts. Both ends of one request are told the same.
 */
import { connect } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { RelayState } from './cluster/directory.ts';
import type { RelayLine } from './observe/view.ts';
import { bestRelays, type RelayCandidate } from './relay-score.ts';

const DEFAULT_RELAY_PORT = 21117;
/** How often two or more configured relays are tried, and how long an answer may take, ms. */
const PROBE_INTERVAL_MS = 3_000;
const PROBE_TIMEOUT_MS = 3_000;
/** Configured relays, and announced ones; more is a mistake. */
const MAX_RELAYS = 64;

/** ms from both ends to a relay and back, as far as they measured it. */
export type RelayLatency = (address: string) => number | null;

/** What an announced relay said, and how many sessions we have sent there since. */
interface Announced {
  readonly state: RelayState;
  sent: number;
}

export class RelayChoice {
  #named: readonly string[] = [];
  /** Told when others are named; by nobody at first. */
  onConfigured: (relays: readonly string[]) => void = () => {};
  readonly #clock: Clock;
  readonly #aborted = new AbortController();
  readonly #dead = new Set<string>();
  #announced = new Map<string, Announced>();
  #turn = 0;
  #cancel: (() => void) | undefined;

  constructor(relays: readonly string[], clock: Clock) {
    this.#clock = clock;
    this.configure(relays);
  }

  /** Takes these for what the configuration says. */
  configure(relays: readonly string[]): void {
    const before = this.#named;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#named = relays.slice(0, MAX_RELAYS);
    this.#dead.clear();
    // With one there is no choice, and a probe every 3 s would only disturb it.
    if (this.#named.length > 1) this.#schedule(0);
    if (before.join() !== this.#named.join()) this.onConfigured(this.#named);
  }

  /** The relays that announce themselves now, the own one among them; replaces what was known of them. */
  announce(states: readonly RelayState[]): void {
    this.#announced = new Map(states.slice(0, MAX_RELAYS).map((state) => [state.address, { state, sent: 0 }]));
  }

  /** The relay for one more session, or '' when there is none. */
  pick(latency: RelayLatency = () => null): string {
    const best = bestRelays(this.#candidates(latency));
    const address = best[this.#turn++ % best.length]?.address ?? '';
    const announced = this.#announced.get(address);
    // Until it says so itself: many sessions may begin within a second.
    if (announced) announced.sent++;
    return address;
  }

  /** All that are known, and whether they live; null: a single configured one is not tried. */
  get lines(): RelayLine[] {
    const tried = this.#named.length > 1;
    return [
      ...this.#named.map((address) => ({ address, alive: tried ? !this.#dead.has(address) : null, pairs: null })),
      ...[...this.#announced.values()].map(({ state }) => ({ address: state.address, alive: true, pairs: state.pairs })),
    ];
  }

  /** What a client may measure; empty when there is nothing to choose. */
  get names(): string[] {
    const names = this.#candidates(() => null).filter((relay) => relay.healthy).map((relay) => relay.address);
    return names.length > 1 ? names : [];
  }

  /** How many the configuration names. */
  get configured(): number {
    return this.#named.length;
  }

  close(): void {
    this.#aborted.abort();
    this.#cancel?.();
  }

  #candidates(latency: RelayLatency): RelayCandidate[] {
    const configured = this.#named
      .filter((address) => !this.#announced.has(address))
      .map((address) => ({
        ...{ address, healthy: !this.#dead.has(address), full: false, load: null },
        latencyMs: latency(address),
      }));
    const announced = [...this.#announced.values()].map(({ state, sent }) => {
      const { address, maxPairs, maxBps } = state;
      const pairs = state.pairs + sent;
      return {
        address,
        healthy: true,
        full: state.draining || pairs >= maxPairs,
        load: Math.max(maxPairs > 0 ? pairs / maxPairs : 0, maxBps > 0 ? state.bps / maxBps : 0),
        latencyMs: latency(address),
      };
    });
    return [...configured, ...announced];
  }

  #schedule(delayMs: number): void {
    const named = this.#named;
    this.#cancel = this.#clock.setTimer(delayMs, () => {
      void Promise.all(named.map((relay) => answers(relay, this.#aborted.signal))).then((alive) => {
        // Others may have been named meanwhile.
        if (this.#aborted.signal.aborted || named !== this.#named) return;
        this.#dead.clear();
        named.forEach((relay, i) => void (alive[i] || this.#dead.add(relay)));
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
