/** What the server sends of its own accord: to peers over their registration, be it UDP or a connection. */
import { encodeRendezvous, type hbb } from '../../core/wire/index.ts';
import type { Peer } from '../peer-table.ts';

export class Outbox {
  /** Sends one message to a registered peer. */
  push(peer: Peer, message: hbb.IRendezvousMessage): void {
    this.pushBytes(peer, encodeRendezvous(message));
  }

  pushBytes(peer: Peer, bytes: Uint8Array): void {
    if (peer.client) peer.client.send(bytes);
    else if (peer.path) peer.path.send(bytes, { host: peer.host, port: peer.port });
  }
}
