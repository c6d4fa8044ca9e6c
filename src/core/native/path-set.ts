/**
 * The paths of one session: probes that say how far each is, suspicion when one that owes an answer is silent, and the
 * choice of the one that carries the session. The controller chooses; the host follows it as long as that path lives.
 */
import type { Clock } from '../clock.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { Link, LinkClose } from '../link.ts';
import type { PathKind } from './contract.ts';
import {
  BUSY_PROBE_MS,
  DEAD_MS,
  FRAGMENT_SLACK_BYTES,
  FRESH_PROBE,
  IDLE_PROBE_MS,
  MAX_FRAGMENT_BYTES,
  MAX_PATHS,
  MOVE_REST_MS,
} from './multipath-limits.ts';
import { Path } from './multipath-path.ts';
import { DATA_HEADER_BYTES, encodePing, encodePong, encodeUse } from './multipath-record.ts';
import { betterPath } from './score.ts';

export type Role = 'controller' | 'host';

export interface PathSetEvents {
  onFrame(path: Path, frame: Uint8Array): void;
  /** There is room in that path again. */
  onRoom(path: Path): void;
  /** The session is carried by another path from here on; `active` is the new one, null: by none. */
  onMoved(from: Path | null, reason: string): void;
  /** The path works: an answer to a probe came back over it. */
  onAnswered(path: Path): void;
  /** `closed`: the other end closed it, or nobody is there any more; else it was given up here. */
  onGone(path: Path, closed: boolean): void;
}

const SILENT = 'the path was silent';
const NONCE_BYTES = 8;
/** What was used within this time counts as busy, in milliseconds. */
const BUSY_MS = 2 * BUSY_PROBE_MS;

export class PathSet {
  readonly #clock: Clock;
  readonly #role: Role;
  readonly #random: RandomBytes;
  readonly #events: PathSetEvents;
  #paths: readonly Path[] = [];
  #active: Path | null = null;
  #nextId = 1;
  #movedAt = Number.NEGATIVE_INFINITY;
  /** Since when a path was silent that was left for that, until the one taken instead has been heard. */
  #doubtSince: number | null = null;
  /** The path that the controller said it uses; for hosts. */
  #told: Path | null = null;
  /** The path that somebody asked for. */
  #wanted: Path | null = null;

  constructor(clock: Clock, role: Role, random: RandomBytes, events: PathSetEvents) {
    this.#clock = clock;
    this.#role = role;
    this.#random = random;
    this.#events = events;
  }

  get all(): readonly Path[] {
    return this.#paths;
  }

  get active(): Path | null {
    return this.#active;
  }

  /** No path can be relied on now. */
  get silent(): boolean {
    return this.#paths.every((path) => path.watch.suspectSince !== null);
  }

  find(id: number): Path | undefined {
    return this.#paths.find((path) => path.id === id);
  }

  /** Takes the link over. It is closed again when there are too many paths already. */
  add(link: Link, kind: PathKind, now: number, reason: string): void {
    if (this.#paths.length >= MAX_PATHS) this.#makeRoom(now);
    if (this.#paths.length >= MAX_PATHS) {
      link.destroy();
      return;
    }
    const path = new Path(this.#nextId++, kind, link, now);
    this.#paths = [...this.#paths, path];
    link.setMaxPayload(MAX_FRAGMENT_BYTES + FRAGMENT_SLACK_BYTES + DATA_HEADER_BYTES);
    link.setHandlers({
      onFrame: (frame) => this.#events.onFrame(path, frame),
      onDrain: () => {
        path.blocked = false;
        this.#events.onRoom(path);
      },
      onClose: (close) => this.#gone(path, close.error?.message ?? 'the path was closed', this.#clock.now(), wasClosedThere(close)),
    });
    // Its handshake is a round trip old: good enough where nothing else works. Otherwise it has to answer a probe first.
    if (!link.closed && (!this.#active || this.#active.watch.suspectSince !== null)) this.#move(path, reason, now);
  }

  drop(id: number, reason: string, now: number): void {
    const path = this.find(id);
    if (!path) return;
    this.#gone(path, reason, now);
    path.link.close();
  }

  /** Uses that path as long as it lives; null: the best one again. */
  prefer(id: number | null, now: number): void {
    this.#wanted = (id === null ? undefined : this.find(id)) ?? null;
    this.choose(now);
  }

  /** The other end uses this path from here on. */
  told(path: Path, now: number): void {
    if (this.#role !== 'host') return;
    this.#told = path;
    this.choose(now);
  }

  ping(path: Path, nonce: Uint8Array): void {
    path.link.send(encodePong(nonce));
  }

  pong(path: Path, nonce: Uint8Array, now: number): void {
    if (path.watch.answered(nonce, now) === null) return;
    path.watch.progress(now, path.flow.inFlight > 0);
    path.watch.nextProbeAt = now + this.#probeEveryMs(path, now);
    this.#events.onAnswered(path);
    this.choose(now);
  }

  /** Everything that is due: probes, suspicion, another choice. */
  tick(now: number): void {
    for (const path of this.#paths) {
      const { watch } = path;
      const suspectAt = path.suspectAt(now);
      const alarmAt = path === this.#active ? path.alarmAt(now) : null;
      if (alarmAt !== null && now >= alarmAt) {
        watch.alarm();
        for (const other of this.#paths) if (other !== path && watch.suspectSince === null) this.#probe(other, now);
      }
      if (suspectAt !== null && watch.suspectSince === null && now >= suspectAt) {
        watch.suspect(now);
        watch.nextProbeAt = now;
      }
      if (watch.suspectSince !== null && now >= watch.suspectSince + DEAD_MS && !this.silent) {
        this.drop(path.id, SILENT, now);
        continue;
      }
      if (now >= watch.nextProbeAt) this.#probe(path, now);
    }
    this.choose(now);
  }

  /** When `tick` has something to do next. */
  nextAt(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const path of this.#paths) {
      next = Math.min(next, path.watch.nextProbeAt);
      const suspectAt = path.suspectAt(now);
      if (suspectAt !== null && path.watch.suspectSince === null) next = Math.min(next, suspectAt);
      if (path === this.#active) next = Math.min(next, path.alarmAt(now) ?? next);
    }
    return next;
  }

  /** Moves to the path that is best now. */
  choose(now: number): void {
    const active = this.#active;
    const live = this.#paths.filter((path) => path.watch.suspectSince === null);
    if (live.length === 0) {
      // Nothing is better than anything: stay, and see which answers first.
      if (!active && this.#paths.length > 0) this.#move(this.#paths[this.#paths.length - 1] as Path, SILENT, now);
      return;
    }
    if (active && this.#doubtSince !== null && active.watch.heardAt >= this.#doubtSince) this.#doubtSince = null;
    // After a silence those that were heard during it go first; the one taken in a hurry may be silent as well.
    const since = this.#doubtSince ?? active?.watch.owedSince ?? now;
    const heard = live.filter((path) => path.watch.heardAt >= since);
    const lost = !active || active.watch.suspectSince !== null || (this.#doubtSince !== null && heard.length > 0);
    const choice = lost && heard.length > 0 ? heard : live;
    const asked = this.#wanted ?? this.#told;
    if (asked && choice.includes(asked)) {
      if (asked !== active) this.#move(asked, lost ? SILENT : asked === this.#wanted ? 'asked for' : 'the controller moved', now);
      return;
    }
    if (!lost && (this.#role === 'host' || now - this.#movedAt < MOVE_REST_MS)) return;
    let best: Path | null = lost ? null : active;
    for (const path of choice)
      if (path !== best && betterPath(path.facts(now), best?.facts(now) ?? null)) best = path;
    if (!best || best === active) return;
    if (lost) this.#doubtSince = active ? since : null;
    else this.#movedAt = now;
    this.#move(best, lost ? SILENT : 'a better path', now);
  }

  closeAll(): void {
    const paths = this.#paths;
    this.#paths = [];
    this.#active = null;
    for (const { link } of paths) link.close();
  }

  #move(path: Path, reason: string, now: number): void {
    const from = this.#active;
    this.#active = path;
    path.usedAt = now;
    if (this.#role === 'controller') path.link.send(encodeUse());
    if (!path.watch.probing) this.#probe(path, now);
    if (from) {
      from.flow.abandon();
      from.watch.released();
    }
    this.#events.onMoved(from, reason);
  }

  #gone(path: Path, reason: string, now: number, closed = false): void {
    if (!this.#paths.includes(path)) return;
    this.#paths = this.#paths.filter((other) => other !== path);
    if (this.#told === path) this.#told = null;
    if (this.#wanted === path) this.#wanted = null;
    if (this.#active === path) {
      this.#active = null;
      const next = this.#best(now);
      if (next) {
        this.#active = path;
        this.#move(next, reason, now);
      } else this.#events.onMoved(path, reason);
    }
    this.#events.onGone(path, closed);
  }

  #best(now: number): Path | null {
    let best: Path | null = null;
    for (const path of this.#paths) if (betterPath(path.facts(now), best?.facts(now) ?? null)) best = path;
    return best;
  }

  #makeRoom(now: number): void {
    const spare = this.#paths.filter((path) => path !== this.#active);
    const worst = spare.find((path) => path.watch.suspectSince !== null) ?? spare.find((path) => path.kind !== 'relay');
    if (worst) this.drop(worst.id, 'there are too many paths', now);
  }

  #probe(path: Path, now: number): void {
    const nonce = this.#random(NONCE_BYTES);
    path.watch.probed(nonce, now);
    path.watch.nextProbeAt = now + this.#probeEveryMs(path, now);
    path.link.send(encodePing(nonce));
  }

  #probeEveryMs(path: Path, now: number): number {
    const { watch } = path;
    if (watch.suspectSince !== null || (watch.probing && watch.samples === 0)) return watch.lostProbeMs();
    if (watch.samples < FRESH_PROBE.samples) return FRESH_PROBE.everyMs;
    return path === this.#active && now - path.usedAt < BUSY_MS ? BUSY_PROBE_MS : IDLE_PROBE_MS;
  }
}

/** What the system says of a connection whose other end is gone; a time that ran out says nothing of the other end. */
const CLOSED_THERE: ReadonlySet<unknown> = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'LINK_TRUNCATED']);

function wasClosedThere({ by, error }: LinkClose): boolean {
  if (by === 'remote') return true;
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } };
  return CLOSED_THERE.has(code) || CLOSED_THERE.has(cause?.code);
}
