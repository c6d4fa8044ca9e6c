/** One path of a session as the link over several paths sees it. */
import type { Link } from '../link.ts';
import type { PathInfo, PathKind } from './contract.ts';
import { SUSPECT_MS } from './multipath-limits.ts';
import { PathFlow } from './path-flow.ts';
import { PathWatch } from './path-watch.ts';
import type { PathFacts } from './score.ts';

/** Bulk that came within this time, in milliseconds, still comes. */
const BULK_MS = 1_000;

export class Path {
  readonly id: number;
  readonly kind: PathKind;
  readonly link: Link;
  readonly flow: PathFlow;
  readonly watch = new PathWatch();
  /** The link said that it is full, and will say when it is not. */
  blocked = false;
  /** When something of the session last went by here, in either direction. */
  usedAt: number;
  /** When the other end last sent a piece of something large. */
  bulkAt = Number.NEGATIVE_INFINITY;
  /** When it last sent a piece so large that only transfers have it, not pictures. */
  transferAt = Number.NEGATIVE_INFINITY;

  constructor(id: number, kind: PathKind, link: Link, now: number) {
    this.id = id;
    this.kind = kind;
    this.link = link;
    // At a relay another connection follows, whose queue KCP does not see.
    this.flow = new PathFlow(link.transport === 'kcp' && kind !== 'relay');
    this.usedAt = now;
    this.watch.nextProbeAt = now;
  }

  /** When its silence begins to mean something; null while it owes nothing. */
  suspectAt(now: number): number | null {
    return this.watch.suspectAt(now, this.#drainMs(now));
  }

  /** When it is time to see which other path would do; null: not now. */
  alarmAt(now: number): number | null {
    return this.watch.alarmAt(now, this.#drainMs(now));
  }

  #drainMs(now: number): number {
    // Acknowledgements wait behind what the other end sends, which may be as much.
    if (now - this.bulkAt >= BULK_MS) return this.flow.drainMs();
    // A last packet that is lost behind a large transfer TCP repairs after 200 ms and a round trip; one more takes the answer.
    const repairs = this.link.transport !== 'kcp' && now - this.transferAt < BULK_MS;
    const repairMs = repairs ? SUSPECT_MS.min + 2 * (this.watch.rttMs ?? 0) : 0;
    return Math.max(2 * this.flow.drainMs(), repairMs);
  }

  facts(now: number): PathFacts {
    const bare = this.watch.bareRttMs;
    return {
      kind: this.kind,
      datagrams: this.link.transport === 'kcp',
      // Without the queue that the session's own bulk makes: it would make as long a one in any other path.
      rttMs: bare === null ? null : Math.min(bare, this.flow.minRttMs),
      suspect: this.watch.suspectSince !== null,
      stalls: this.watch.stalls(now),
    };
  }

  info(active: boolean): PathInfo {
    return {
      id: this.id,
      kind: this.kind,
      localAddress: this.link.localAddress,
      remoteAddress: this.link.remoteAddress,
      rttMs: this.watch.rttMs,
      active,
    };
  }
}
