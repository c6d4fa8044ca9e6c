/** What the rendezvous rules are given from outside. */
import type { Clock } from '../../core/clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Counters } from '../counters.ts';
import type { DialBack } from '../dial-back.ts';
import type { EnrolmentGate } from '../enrolment/gate.ts';
import type { Introductions } from '../introductions.ts';
import type { ServerKeySet } from '../key-ring.ts';
import type { ServerLimits } from '../limits.ts';
import type { RelayLatency } from '../relay-choice.ts';
import type { Client } from '../client.ts';
import type { hbb } from '../../core/wire/index.ts';
import type { PeerTable } from '../peer-table.ts';

export interface RendezvousOptions {
  readonly peers: PeerTable;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Other nodes; null: there are none. */
  readonly cluster?: Cluster | null;
  /** What clients must send as licence_key, and what signs ids. */
  readonly keys: ServerKeySet;
  /** Judges computers that are not in the store; null: everybody is taken. */
  readonly gate?: EnrolmentGate | null;
  /** Told each relay uuid that passes between two peers. */
  readonly introductions: Introductions;
  /** The next configured relay, or '' when there is none. */
  readonly pickRelay: (latency?: RelayLatency) => string;
  /** The relays that a session may be sent to, where there is a choice. */
  readonly relayNames?: () => readonly string[];
  /** Port of the built-in relay; 0: off. */
  readonly relayPort: number;
  /** The built-in relay takes datagrams, too, at the same port numbers. */
  readonly relayUdp: boolean;
  /** Our own port: a client without other word takes the relay from the port behind it (rendezvous §9.3). */
  readonly port: number;
  /** The port of the second NAT test; 0: there is none. */
  readonly natTestPort: number;
  /** Dials clients back in their NAT tests over TCP; null: nobody does. */
  readonly dialBack: DialBack | null;
  /** The port that serves everything, the relay too; 0: off. Its clients are always told the relay by name. */
  readonly singlePort: number;
  /** The name under which clients reach us; '' where it is the address that they ask. */
  readonly publicHost: string;
  /** Where the single port is there; absent: the same number. */
  readonly publicPort?: number;
  readonly alwaysRelay: boolean;
  readonly isLan: (host: string) => boolean;
  /** Relay host for peers inside the mask; '' when none is known. */
  readonly localIp: string;
  /** Deprecated list for clients with a lower serial (rendezvous §6.8). */
  readonly serial: number;
  readonly rendezvousServers: readonly string[];
  /** Takes the connection of a computer that publishes services; absent: none are published. */
  readonly onPublishHello?: ((client: Client, hello: hbb.IPublishHello | null | undefined) => void) | undefined;
  /** Deprecated: told to clients that ask for another version than it names; '' for none. */
  readonly softwareUrl?: string | undefined;
}
