/** A connection on its way from the listener to whoever serves it: where it came from, and its place. */
import type { HostPort } from '../../core/wire/index.ts';

export interface Arrival {
  /** The client as far as we believe to know it: its socket's address, or what a listed proxy said. */
  readonly remote: HostPort;
  /** Where it reached us: address and port of this computer, or those that it dialled at a proxy. */
  readonly localHost: string;
  readonly localPort: number;
  readonly tls: boolean;
  /** It has spoken a whole message: its place is not given to others any more (admission.ts). */
  settle(): void;
  /** A proxy named another client: counted under that one from here on. False: that address has too many. */
  move(host: string): boolean;
}

/** The first frame may be a RequestRelay to the relay, or anything to the rendezvous server. */
export type Service = 'rendezvous' | 'relay';
