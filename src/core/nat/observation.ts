/** What was seen of the network from inside, before anybody says what it means. */
import type { HostPort } from '../wire/index.ts';

export type Protocol = 'udp' | 'tcp';
export type Family = 4 | 6;

/** Three-valued: `not-tested` also where a test got no answer that proves anything. */
export type Fact = 'yes' | 'no' | 'not-tested';

/** One exchange with a server: from which local end, to whom, and as whom the server saw us. In the order of sending. */
export interface Observation {
  readonly protocol: Protocol;
  readonly family: Family;
  readonly local: HostPort;
  readonly destination: HostPort;
  /** `host` is '' where the server tells the port alone. */
  readonly seen: HostPort;
}

/** Where the answer to a test of filtering comes from, relative to the address that was asked. */
export type AnswerFrom = 'other-port' | 'other-address';

/** An answer from elsewhere that was asked for and did or did not come; only where the same server answers at all. */
export interface FilterObservation {
  readonly protocol: Protocol;
  readonly family: Family;
  readonly from: AnswerFrom;
  readonly arrived: boolean;
}

export interface Observations {
  readonly mappings: readonly Observation[];
  readonly filters: readonly FilterObservation[];
  /** Whether the server answered at all; absent: it was not asked. */
  readonly reached: Readonly<Partial<Record<`${Protocol}${Family}`, boolean>>>;
  /** Whether a datagram to our own public address came back in; absent: not tested, or it would prove nothing. */
  readonly hairpin?: boolean;
  /** Whether TCP connections to another port than the server's main one get out; absent: not tested. */
  readonly otherPortsOverTcp?: boolean;
  /** Addresses of this computer, loopback left out. */
  readonly localHosts: readonly string[];
}

export function fact(value: boolean | undefined): Fact {
  return value === undefined ? 'not-tested' : value ? 'yes' : 'no';
}
