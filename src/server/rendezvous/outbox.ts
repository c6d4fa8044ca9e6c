/**
 * What leaves by UDP or goes to a registered peer. Nothing else in the rules sends datagrams, so that no answer and no
 * push can be turned against somebody who never spoke to us (address-credit.ts).
 */
import { encodeRendezvous, type HostPort, type hbb } from '../../core/wire/index.ts';
import { AddressCredit } from '../address-credit.ts';
import type { UdpPath } from '../client.ts';
import type { Peer } from '../peer-table.ts';
import type { RendezvousOptions } from './options.ts';

export class Outbox {
  readonly #o: RendezvousOptions;
  readonly #credit: AddressCredit;
  #agedAt: number;

  constructor(options: RendezvousOptions) {
    this.#o = options;
    this.#credit = new AddressCredit(options.limits);
    this.#agedAt = options.clock.now();
  }

  /** A datagram of this size came; to be told before anything is answered. */
  received(from: HostPort, bytes: number): void {
    this.#credit.earn(from.host, bytes);
  }

  /** This address is somebody's who gets what is sent there. */
  prove(host: string): void {
    this.#credit.prove(host);
  }

  /** Answers a datagram; dropped when the address has not sent as much itself. */
  reply(path: UdpPath, to: HostPort, bytes: Uint8Array): boolean {
    if (this.#credit.spend(to.host, bytes.length)) {
      path.send(bytes, to);
      return true;
    }
    this.#o.counters.count('udp-unproven', { from: to.host, via: 'udp' });
    return false;
  }

  /** Sends one message to a registered peer, because of a request of `paidBytes` from somebody else. */
  push(peer: Peer, message: hbb.IRendezvousMessage, paidBytes: number): void {
    this.pushBytes(peer, encodeRendezvous(message), paidBytes);
  }

  /** The same with more in it where that may be sent: an address that has proven nothing yet gets the plain message. */
  pushFull(peer: Peer, full: hbb.IRendezvousMessage, plain: hbb.IRendezvousMessage, paidBytes: number): void {
    if (!this.#tryPush(peer, encodeRendezvous(full), paidBytes)) this.push(peer, plain, paidBytes);
  }

  pushBytes(peer: Peer, bytes: Uint8Array, paidBytes: number): void {
    if (!this.#tryPush(peer, bytes, paidBytes))
      this.#o.counters.count('push-unproven', { id: peer.id, from: peer.host, via: 'udp' });
  }

  /** False: more bytes than its address may be sent. */
  #tryPush(peer: Peer, bytes: Uint8Array, paidBytes: number): boolean {
    if (peer.client) peer.client.send(bytes);
    else if (peer.path) {
      if (!this.#credit.spendPush(peer.host, bytes.length, paidBytes)) return false;
      peer.path.send(bytes, { host: peer.host, port: peer.port });
    }
    return true;
  }

  /** Regular upkeep. */
  sweep(): void {
    const now = this.#o.clock.now();
    if (now - this.#agedAt < this.#o.limits.provenAddressMs) return;
    this.#agedAt = now;
    this.#credit.age();
  }
}
