/** What the controlled side answers, on its way to the controller that asked (rendezvous §6.3, §6.4, §6.6, §9.5). */
import { signIdPk } from '../../core/crypto/index.ts';
import { encodeRendezvous, type HostPort, hbb, mangleAddress } from '../../core/wire/index.ts';
import type { Ask, Asks } from '../asks.ts';
import type { Client } from '../client.ts';
import { introducedReason } from '../observe/wire-reasons.ts';
import { given, NO_BYTES, validPort } from './fields.ts';
import type { RendezvousOptions } from './options.ts';

/** Each says whether the answer belonged to somebody who waits here. */
export class Answers {
  readonly #o: RendezvousOptions;
  readonly #asks: Asks;

  constructor(options: RendezvousOptions, asks: Asks) {
    this.#o = options;
    this.#asks = asks;
  }

  onPunchHoleSent(client: Client, message: hbb.IPunchHoleSent | null | undefined): boolean {
    const ask = this.#answered(message, client.remote, (a) => a.kind === 'punch' && a.id === message?.id);
    return ask !== null && this.#answer(ask, this.#punchResponse(ask, message, client.remote, false));
  }

  /** Stock peers send three copies; the first takes the ask away and the others find none (rendezvous §9.5). */
  onPunchHoleSentByUdp(message: hbb.IPunchHoleSent | null | undefined, from: HostPort): boolean {
    // An answer over UDP to somebody who offered no UDP port would lead nowhere.
    const ask = this.#answered(message, from, (a) => a.kind === 'punch' && a.id === message?.id && a.udp);
    return ask !== null && this.#answer(ask, this.#punchResponse(ask, message, from, true));
  }

  #punchResponse(
    ask: Ask,
    message: hbb.IPunchHoleSent | null | undefined,
    from: HostPort,
    isUdp: boolean,
  ): hbb.IRendezvousMessage {
    return {
      punchHoleResponse: {
        socketAddr: mangleAddress(from, Date.now() * 1000),
        pk: this.#signedPk(message?.version, ask.id),
        relayServer: message?.relayServer ?? '',
        natType: message?.natType ?? hbb.NatType.UNKNOWN_NAT,
        ...given('isUdp', isUdp),
        ...given('upnpPort', validPort(message?.upnpPort)),
        ...given('socketAddrV6', message?.socketAddrV6 ?? NO_BYTES),
      },
    };
  }

  onLocalAddr(client: Client, message: hbb.ILocalAddr | null | undefined): boolean {
    const ask = this.#answered(message, client.remote, (a) => a.kind === 'punch' && a.id === message?.id);
    if (!ask) return false;
    return this.#answer(ask, {
      punchHoleResponse: {
        socketAddr: message?.localAddr ?? NO_BYTES,
        pk: this.#signedPk(message?.version, ask.id),
        relayServer: message?.relayServer ?? '',
        isLocal: true,
        ...given('socketAddrV6', message?.socketAddrV6 ?? NO_BYTES),
      },
    });
  }

  onRelayResponse(client: Client, message: hbb.IRelayResponse | null | undefined): boolean {
    if (!message) return false;
    // Only a relay that the controller asked for is answered without an id (rendezvous §9.4).
    const ask = this.#answered(message, client.remote, (a) => (message.id ? a.id === message.id : a.kind === 'relay'));
    if (!ask) return false;
    const { id, socketAddr: _named, pk: _pk, relayServer: proposed, ...rest } = message;
    const { isLan, localIp } = this.#o;
    let relayServer = proposed ?? '';
    if (relayServer !== '' && localIp !== '') {
      if (isLan(ask.client.remote.host)) relayServer = localIp;
      else if (relayServer === localIp) relayServer = this.#o.pickRelay();
    }
    // A relay that the controlled side proposes; one that it agrees to was noted when it was asked for.
    if (message.uuid && !message.refuseReason)
      this.#o.introductions.note(message.uuid, [ask.client.remote.host, client.remote.host]);
    return this.#answer(ask, {
      relayResponse: { ...rest, ...given('relayServer', relayServer), ...(id ? { pk: this.#signedPk(message.version, ask.id) } : {}) },
    });
  }

  /** The ask that this answer belongs to, or null when nobody asked its sender (see asks.ts). */
  #answered(
    message: { socketAddr?: Uint8Array | null } | null | undefined,
    from: HostPort,
    fits: (ask: Ask) => boolean,
  ): Ask | null {
    return this.#asks.match(
      message?.socketAddr ?? NO_BYTES,
      fits,
      (id) => this.#o.peers.inMemory(id)?.host === from.host,
    );
  }

  #answer(ask: Ask, message: hbb.IRendezvousMessage): true {
    this.#asks.remove(ask);
    this.#o.counters.count(introducedReason(message), {
      id: ask.id,
      from: ask.client.remote.host,
      via: ask.client.kind,
      why: ask.kind === 'relay' ? 'asked' : ask.why,
      ms: this.#o.clock.now() - ask.askedAt,
    });
    ask.client.send(encodeRendezvous(message));
    return true;
  }

  /** The signed key of the controlled side (rendezvous §6.7); empty when it is too old to say its version. */
  #signedPk(version: string | null | undefined, id: string): Uint8Array {
    const peer = this.#o.peers.inMemory(id);
    if (!version || !peer) return NO_BYTES;
    peer.signed ??= signIdPk(id, peer.pk, this.#o.secretKey);
    return peer.signed;
  }
}
