/** What the status page shows: the server at this moment, and its last minutes as a row of samples for the graphs. */
import type { Clock } from '../../core/clock.ts';
import type { DecisionListener } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import { maskId } from './mask.ts';
import { isSelfTestId } from './self-test-id.ts';
import type { ReadyReport } from './ready.ts';
import { type Detail, type Reason, REASONS } from './reasons.ts';
import type { PeerLine, Presence, PublishedNumbers, RelayLine, RelaySession, ServerView } from './view.ts';

/** One point of the graphs: Unix ms, computers here, then per second: relayed bytes, introductions, refusals. */
export type Sample = readonly [at: number, online: number, relayBps: number, introductions: number, refusals: number];

export interface RecentDecision extends Detail {
  readonly at: number;
  readonly reason: Reason;
}

export interface StatusPicture {
  readonly version: string;
  readonly now: number;
  readonly startedAt: number;
  readonly ready: ReadyReport | null;
  readonly census: Readonly<Record<Presence, number>>;
  readonly peers: readonly PeerLine[];
  readonly connections: number;
  readonly pending: number;
  readonly relay: { readonly pairs: number; readonly waiting: number; readonly bytes: number };
  readonly sessions: readonly RelaySession[];
  readonly relays: readonly RelayLine[];
  readonly store: { readonly kind: string; readonly rows: number; readonly connected: boolean };
  readonly lobby: number | null;
  readonly published: PublishedNumbers | null;
  readonly suppressed: number;
  /** Counts by reason; zeros are left out. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly recent: readonly RecentDecision[];
  /** All samples when a page opens, then only the newest. */
  readonly samples: readonly Sample[];
}

/** Samples kept: ten minutes at the default interval. */
const MAX_SAMPLES = 300;
/** Decisions kept for "what happened last". */
const MAX_RECENT = 40;
/** Kinds of decisions that the list of recent ones shows; garbage from the internet would only push them out. */
const SHOWN: ReadonlySet<string> = new Set(['done', 'refused', 'ended']);

export interface StatusOptions {
  readonly view: ServerView;
  readonly clock: Clock;
  readonly limits: ServerLimits;
  readonly ready: { readonly last: ReadyReport | null };
  readonly wholeIds: boolean;
  readonly watched: boolean;
}

export class Status {
  readonly #o: StatusOptions;
  readonly #samples: Sample[] = [];
  readonly #recent: RecentDecision[] = [];
  readonly #stop: () => void;
  #cancel: (() => void) | undefined;
  #census: Readonly<Record<Presence, number>> = { udp: 0, tcp: 0, ws: 0, none: 0 };
  #before: { at: number; bytes: number; introductions: number; refusals: number };

  constructor(options: StatusOptions) {
    this.#o = options;
    this.#before = this.#totals();
    if (!options.watched) {
      this.#stop = () => {};
      return;
    }
    const note: DecisionListener = (reason, detail) => this.note(reason, detail);
    this.#stop = options.view.counters.onDecision(note);
    const round = (): void => {
      this.#cancel = options.clock.setTimer(options.limits.statusIntervalMs, round);
      void options.view.census().then((census) => this.#sample(census));
    };
    this.#cancel = options.clock.setTimer(0, round);
  }

  close(): void {
    this.#stop();
    this.#cancel?.();
  }

  /** Everything, with all samples. */
  first(): StatusPicture {
    return this.#picture(this.#samples);
  }

  /** Everything, with the newest sample only. */
  next(): StatusPicture {
    return this.#picture(this.#samples.slice(-1));
  }

  #picture(samples: readonly Sample[]): StatusPicture {
    const { view, limits, ready, wholeIds } = this.#o;
    const shown = wholeIds ? (id: string) => id : maskId;
    return {
      version: view.version,
      now: Date.now(),
      startedAt: view.startedAt,
      ready: ready.last,
      census: this.#census,
      peers: view.peers(limits.maxStatusRows).map((peer) => ({ ...peer, id: shown(peer.id) })),
      connections: view.connections(),
      pending: view.pendingRequests(),
      relay: view.relay(),
      sessions: view.relaySessions(limits.maxStatusRows),
      relays: view.relays(),
      store: view.store(),
      lobby: view.lobby(),
      published: view.published(),
      suppressed: view.suppressedLines(),
      reasons: view.counters.snapshot(),
      recent: this.#recent.map((line) => (line.id === undefined ? line : { ...line, id: shown(line.id) })),
      samples,
    };
  }

  #totals(): { at: number; bytes: number; introductions: number; refusals: number } {
    const { view, clock } = this.#o;
    let introductions = 0;
    let refusals = 0;
    for (const [reason, count] of Object.entries(view.counters.snapshot())) {
      if (reason.startsWith('introduced-')) introductions += count;
      else if (REASONS[reason as Reason].kind === 'refused') refusals += count;
    }
    return { at: clock.now(), bytes: view.relay().bytes, introductions, refusals };
  }

  #sample(census: Readonly<Record<Presence, number>>): void {
    this.#census = census;
    const { udp, tcp, ws } = census;
    const before = this.#before;
    const now = this.#totals();
    const seconds = Math.max(0.001, (now.at - before.at) / 1000);
    const rate = (key: 'bytes' | 'introductions' | 'refusals'): number =>
      Math.round(((now[key] - before[key]) / seconds) * 100) / 100;
    this.#samples.push([Date.now(), udp + tcp + ws, rate('bytes') * 8, rate('introductions'), rate('refusals')]);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    this.#before = now;
  }

  /** One more for the list of what happened last. */
  note(reason: Reason, detail: Detail): void {
    if (!SHOWN.has(REASONS[reason].kind) || isSelfTestId(detail.id ?? '')) return;
    this.#recent.push({ at: Date.now(), reason, ...detail });
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
  }
}
