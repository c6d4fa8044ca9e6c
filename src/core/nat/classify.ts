/** From observations to the behaviour of a NAT, in the words of RFC 4787. */
import { type Fact, type Family, fact, type FilterObservation, type Observation, type Observations, type Protocol } from './observation.ts';

export type Mapping = 'none' | 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent' | 'unknown';
export type Filtering = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent' | 'unknown';
export type PortAllocation =
  | { readonly kind: 'preserving' | 'random' | 'unknown' }
  /** Each new mapping is `step` above the one before; negative: below. */
  | { readonly kind: 'sequential'; readonly step: number };

/** One protocol over one family, as far as it was seen. */
export interface NatBehaviour {
  readonly reached: Fact;
  readonly translated: Fact;
  readonly variesByPort: Fact;
  readonly variesByAddress: Fact;
  readonly mapping: Mapping;
  readonly filtering: Filtering;
  readonly allocation: PortAllocation;
}

/** Two neighbours in a row of allocations may be so far apart, since other programs use the NAT as well. */
const MAX_SEQUENTIAL_GAP = 32;
const PORTS = 65_536;
/** Of so many steps one that fits nowhere is no sign of chance. */
const MIN_STEPS_FOR_A_WRAP = 4;

/** What the observations of one protocol and family say; anything that they do not prove is `unknown`. */
export function classify(observations: Observations, protocol: Protocol, family: Family): NatBehaviour {
  const own = observations.mappings.filter((entry) => entry.protocol === protocol && entry.family === family);
  const reached = fact(observations.reached[`${protocol}${family}`]);
  const translated = fact(translation(own, observations.localHosts));
  const variesByPort = fact(varies(own, (a, b) => a.destination.host === b.destination.host && a.destination.port !== b.destination.port));
  const variesByAddress = fact(varies(own, (a, b) => a.destination.host !== b.destination.host));
  return {
    reached,
    translated,
    variesByPort,
    variesByAddress,
    mapping: mappingOf(translated, variesByPort, variesByAddress),
    filtering: filteringOf(observations.filters.filter((entry) => entry.protocol === protocol && entry.family === family)),
    allocation: allocationOf(own),
  };
}

function translation(own: readonly Observation[], localHosts: readonly string[]): boolean | undefined {
  const told = own.filter(({ seen }) => seen.host !== '');
  if (told.length > 0) return told.some(({ seen, local }) => !localHosts.includes(seen.host) || seen.port !== local.port);
  // Ports alone: another one proves a NAT, the same one proves nothing.
  return own.some(({ seen, local }) => seen.port !== local.port) ? true : undefined;
}

/** Whether one local end was seen differently from two destinations that differ as `pair` says. */
function varies(own: readonly Observation[], pair: (a: Observation, b: Observation) => boolean): boolean | undefined {
  let tested = false;
  for (const [i, a] of own.entries())
    for (const b of own.slice(i + 1)) {
      if (a.local.port !== b.local.port || a.local.host !== b.local.host || !pair(a, b)) continue;
      tested = true;
      const otherHost = a.seen.host !== '' && b.seen.host !== '' && a.seen.host !== b.seen.host;
      if (a.seen.port !== b.seen.port || otherHost) return true;
    }
  return tested ? false : undefined;
}

function mappingOf(translated: Fact, variesByPort: Fact, variesByAddress: Fact): Mapping {
  if (variesByPort === 'yes') return 'address-and-port-dependent';
  if (variesByAddress === 'yes') return 'address-dependent';
  if (translated === 'no') return 'none';
  // With one server address the two are alike, and for whoever meets only one other peer they are.
  return variesByPort === 'no' || variesByAddress === 'no' ? 'endpoint-independent' : 'unknown';
}

function filteringOf(own: readonly FilterObservation[]): Filtering {
  const arrived = (from: FilterObservation['from']): boolean | undefined => {
    const tests = own.filter((entry) => entry.from === from);
    return tests.length === 0 ? undefined : tests.some((entry) => entry.arrived);
  };
  const [otherPort, otherAddress] = [arrived('other-port'), arrived('other-address')];
  if (otherAddress === true) return 'endpoint-independent';
  if (otherPort === false) return 'address-and-port-dependent';
  // Whether another address comes in too was not seen; what is certain is the stricter of the two.
  return otherPort === true ? 'address-dependent' : 'unknown';
}

function allocationOf(own: readonly Observation[]): PortAllocation {
  if (own.length === 0) return { kind: 'unknown' };
  if (own.every(({ seen, local }) => seen.port === local.port)) return { kind: 'preserving' };
  const ports = own.map(({ seen }) => seen.port).filter((port, i, all) => i === 0 || port !== all[i - 1]);
  const steps = ports.slice(1).map((port, i) => distance(ports[i] ?? port, port));
  if (steps.length === 0) return { kind: 'unknown' };
  const up = steps.filter((step) => step > 0 && step <= MAX_SEQUENTIAL_GAP);
  const down = steps.filter((step) => step < 0 && step >= -MAX_SEQUENTIAL_GAP);
  // One step out of many may lead from the end of its range back to the start.
  const most = steps.length >= MIN_STEPS_FOR_A_WRAP ? steps.length - 1 : steps.length;
  const upward = up.length >= most;
  if (!upward && down.length < most) return { kind: 'random' };
  // Traffic of others only makes gaps larger.
  const least = Math.min(...(upward ? up : down).map(Math.abs));
  return { kind: 'sequential', step: upward ? least : -least };
}

/** The shorter way round from one port to another. */
function distance(from: number, to: number): number {
  const up = (to - from + PORTS) % PORTS;
  return up <= PORTS / 2 ? up : up - PORTS;
}
