/** What the rendezvous rules see of the outside: client connections and UDP paths, without their sockets. */
import type { HostPort } from '../core/wire/index.ts';
import type { NetLink } from '../net/index.ts';

/** One TCP or WebSocket client. Payloads are bare messages; framing and sealing are below. */
export interface Client {
  readonly kind: 'tcp' | 'ws';
  /** As the server sees it, normalised; port 0 when a proxy told the address (rendezvous §1.2). */
  readonly remote: HostPort;
  /** The address and port at which the client reached the server; the port is not known of clients of other nodes. */
  readonly localHost: string;
  readonly localPort?: number;
  readonly closed: boolean;
  /** It is connected to another node, which handed its message on; nobody hands it on again. */
  readonly forwarded?: true;
  /** Queues one payload; a client that does not read is dropped. */
  send(payload: Uint8Array): void;
  /** Ends in order: what was sent still leaves. */
  close(): void;
  /** Replaces the frame timer by heartbeats: the open connection is the registration (rendezvous §5.6). */
  keepAsPresence(): void;
  /**
   * Gives the connection away, from within onMessage: to the rendezvous it is over, and its further frames are the link's.
   * Null where that cannot be: it is sealed, or of another node.
   */
  takeLink?(): NetLink | null;
}

/** One UDP socket of the server. Answers to a peer leave through the socket at which it asked. */
export interface UdpPath {
  /** The bound address, or '' for the wildcard. */
  readonly localHost: string;
  readonly localPort?: number;
  /** At the same address, another port: to find out which answers get through to a client. */
  readonly other?: UdpPath | undefined;
  /** At another address of the server, the same port. */
  readonly elsewhere?: UdpPath | undefined;
  send(payload: Uint8Array, to: HostPort): void;
  /** Bytes that the system has not taken yet. */
  queuedBytes?(): number;
}
