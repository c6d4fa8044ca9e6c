/** What metrics and status page see of the server: numbers and short lists, taken when somebody looks. */
import type { Counters } from '../counters.ts';

/** How a computer is registered; `none`: it is known but not here. */
export type Presence = 'udp' | 'tcp' | 'ws' | 'none';

export interface PeerLine {
  readonly id: string;
  readonly via: Presence;
  readonly host: string;
  /** ms since it was last heard; null for a registration that is a connection. */
  readonly silentMs: number | null;
}

export interface RelaySession {
  /** The two addresses, as the relay sees them. */
  readonly hosts: readonly [string, string];
  readonly bytes: number;
  readonly ageMs: number;
}

export interface RelayLine {
  readonly address: string;
  /** Null: not tried, as with a single one. */
  readonly alive: boolean | null;
  /** Sessions it carries, where it says so. */
  readonly pairs: number | null;
}

export interface PublishedNumbers {
  /** Connections of computers that publish. */
  readonly publishers: number;
  readonly services: number;
  /** From outside, now. */
  readonly connections: number;
  /** Of connections that are over, both directions. */
  readonly bytes: number;
}

export interface ServerView {
  readonly counters: Counters;
  readonly version: string;
  /** Unix ms of the start. */
  readonly startedAt: number;
  /** Computers in memory by presence, counted in pieces. */
  census(): Promise<Readonly<Record<Presence, number>>>;
  /** Some of the computers that are here. */
  peers(limit: number): PeerLine[];
  connections(): number;
  /** Requests that wait for the controlled side. */
  pendingRequests(): number;
  relay(): { readonly pairs: number; readonly waiting: number; readonly bytes: number };
  /** Some of the relayed sessions, those with the most bytes first. */
  relaySessions(limit: number): RelaySession[];
  /** Relays that clients are sent to; empty: the built-in one. */
  relays(): RelayLine[];
  /** `connected`: a shared store can be reached; a local one always. */
  store(): { readonly kind: string; readonly rows: number; readonly connected: boolean };
  /** Lobby clients; null: off. */
  lobby(): number | null;
  /** Published services; null: off. */
  published(): PublishedNumbers | null;
  /** Log lines left out. */
  suppressedLines(): number;
}
