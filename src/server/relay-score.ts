/**
 * Which of several relays a session gets, as a rule over numbers: what is healthy, then what is near and has room. No
 * sockets and no clock (see relay-choice.ts for those).
 */

export interface RelayCandidate {
  readonly address: string;
  /** It answered when last tried, or says itself once a second that it lives. */
  readonly healthy: boolean;
  /** It takes no new sessions, or has no place for one. */
  readonly full: boolean;
  /** Share of its places or of its bandwidth in use, whichever is higher, 0 to 1; null: it does not say. */
  readonly load: number | null;
  /** ms to it and back for both ends together, as far as clients measured it; null: nobody did. */
  readonly latencyMs: number | null;
}

/** What an unknown distance is taken for when no other relay's is known either; only differences count then. */
const UNKNOWN_LATENCY_MS = 100;
/**
 * A relay that is used up costs as much as this many ms of distance. Squared, so that a nearly idle one is not passed over
 * for a somewhat farther idle one, while from some 70 % on a detour within the continent is better.
 */
const FULL_LOAD_MS = 300;
/** Costs so near to each other are equal: measurements vary more than that, and the load is spread. */
const EQUAL_MS = 10;

/** ms-like cost of a session through this relay. `unknownMs` stands for a latency that nobody measured. */
function relayCost(candidate: RelayCandidate, unknownMs = UNKNOWN_LATENCY_MS): number {
  const load = Math.min(1, Math.max(0, candidate.load ?? 0));
  return (candidate.latencyMs ?? unknownMs) + FULL_LOAD_MS * load * load;
}

/**
 * The relays that are as good as the best; the caller takes them in turn. Empty only when `candidates` is. When none is
 * healthy all are tried, since the fault is then more likely between them and us; when all are full, the healthy ones,
 * which may have a place by the time the clients arrive.
 */
export function bestRelays(candidates: readonly RelayCandidate[]): RelayCandidate[] {
  const healthy = candidates.filter((candidate) => candidate.healthy);
  const reachable = healthy.length > 0 ? healthy : candidates;
  const open = reachable.filter((candidate) => !candidate.full);
  const usable = open.length > 0 ? open : reachable;
  const measured = usable.flatMap(({ latencyMs }) => latencyMs ?? []).toSorted((a, b) => a - b);
  // Between the near and the far ones: neither favoured nor starved for lack of a measurement.
  const unknownMs = measured[Math.floor(measured.length / 2)] ?? UNKNOWN_LATENCY_MS;
  const costs = usable.map((candidate) => relayCost(candidate, unknownMs));
  const least = Math.min(...costs);
  return usable.filter((_candidate, i) => (costs[i] ?? least) <= least + EQUAL_MS);
}
