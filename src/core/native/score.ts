/**
 * Which of two paths carries the session: a pure function over what is known of them, in the manner of an address choice
 * that prefers direct ways, then near ones, and does not flap.
 */
import type { PathKind } from './contract.ts';

export interface PathFacts {
  readonly kind: PathKind;
  /** It is carried by datagrams (KCP), not by the TCP of the system. */
  readonly datagrams: boolean;
  /** Smoothed round trip in milliseconds; null: not measured yet. */
  readonly rttMs: number | null;
  /** Owes an answer for too long. */
  readonly suspect: boolean;
  /** Recent stalls, each counting less with time. */
  readonly stalls: number;
}

/** Lower is better: a relay costs its operator and sees who talks to whom; nothing beats the own network. */
const CLASS: Record<PathKind, number> = { lan: 0, direct: 1, tcp: 1, udp: 1, ipv6: 1, mapped: 1, relay: 2 };

/** What a recent stall is worth, in milliseconds of round trip. */
const STALL_MS = 150;
/** Among equals a change must win this much of the round trip, and at least so many milliseconds. */
const HYSTERESIS = { share: 0.2, ms: 5 } as const;
/**
 * On a path this short the processor is the limit, and KCP takes some times as much of it as TCP does; on longer ones it is worth
 * that, since a loss costs it less. In milliseconds: what counts as short, and what the processor counts there as round trip.
 */
const NEAR = { rttMs: 5, datagramsMs: 6 } as const;
/** A path of a better class is taken unless it is slower than this many times the other's round trip and so much more. */
const CLASS_SLACK = { times: 2, ms: 50 } as const;

/** True when the session should move from `current` to `candidate`. Never true of a path that was not measured. */
export function betterPath(candidate: PathFacts, current: PathFacts | null): boolean {
  if (!current) return true;
  if (candidate.suspect !== current.suspect) return current.suspect;
  if (candidate.rttMs === null) return false;
  const own = cost(candidate);
  const other = cost(current);
  const step = CLASS[candidate.kind] - CLASS[current.kind];
  if (step < 0) return own <= CLASS_SLACK.times * other + CLASS_SLACK.ms;
  // The way back out of a worse class must be as hard as the way in, or the two would take turns.
  if (step > 0) return own + CLASS_SLACK.ms + gain(own) < other / CLASS_SLACK.times;
  if (candidate.datagrams === current.datagrams || Math.max(own, other) > NEAR.rttMs) return own + gain(other) < other;
  const [extra, otherExtra] = candidate.datagrams ? [NEAR.datagramsMs, 0] : [0, NEAR.datagramsMs];
  return own + extra + HYSTERESIS.ms < other + otherExtra;
}

function cost({ rttMs, stalls }: PathFacts): number {
  return (rttMs ?? Number.POSITIVE_INFINITY) + stalls * STALL_MS;
}

function gain(ms: number): number {
  return Math.max(HYSTERESIS.ms, ms * HYSTERESIS.share);
}
