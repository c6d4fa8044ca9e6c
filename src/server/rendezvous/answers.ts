/** What the controlled side answers, on its way to the controller that asked (rendezvous §6.3, §6.4, §6.6, §9.5). */
import { encodeRendezvous, type HostPort, hbb, mangleAddress } from '../../core/wire/index.ts';
import type { Ask, Asks, Match } from '../asks.ts';
import type { Client } from '../client.ts';
import { introducedReason } from '../observe/wire-reasons.ts';
import type { SignedKeys } from '../signed-keys.ts';
import { CONTROLLED, CONTROLLER, sealTicket, type TicketSide } from '../tickets.ts';
import { given, NO_BYTES, validPort } from './fields.ts';
import { newerKey } from './key-hints.ts';
import type { RendezvousOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import { repairRelay } from './relay-name.ts';

/** Each says whether the answer belonged to somebody who waits here. */
export class Answers {
  readonly #o: RendezvousOptions;
  readonly #asks: Asks;
  readonly #outbox: Outbox;
  readonly #signed: SignedKeys;

  constructor(options: RendezvousOptions, asks: Asks, outbox: Outbox, signed: SignedKeys) {
    this.#o = options;
    this.#asks = asks;
    this.#outbox = outbox;
    this.#signed = signed;
  }

  onPunchHoleSent(client: Client, message: hbb.IPunchHoleSent | null | undefined): boolean {
    const match = this.#match(message, client.remote, (a) => a.kind !== 'relay' && a.id === message?.id);
    return match !== null && this.#deliverProven(match, this.#punchResponse(match.ask, message, client.remote, false));
  }

  /** Stock peers send three copies; the first takes the ask away and the others find none (rendezvous §9.5). */
  onPunchHoleSentByUdp(message: hbb.IPunchHoleSent | null | undefined, from: HostPort): boolean {
    // An answer over UDP to somebody who offered no UDP port would lead nowhere.
    const match = this.#match(message, from, (a) => a.kind !== 'relay' && a.id === message?.id && a.udp);
    return match !== null && this.#deliverProven(match, this.#punchResponse(match.ask, message, from, true));
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
        pk: this.#signedPk(message?.version, ask),
        relayServer: repairRelay(this.#o, message?.relayServer ?? ''),
        natType: message?.natType ?? hbb.NatType.UNKNOWN_NAT,
        ...given('isUdp', isUdp),
        ...given('upnpPort', validPort(message?.upnpPort)),
        ...given('socketAddrV6', message?.socketAddrV6 ?? NO_BYTES),
        ...this.#relayMeeting(ask, message?.relayUuid ?? '', from),
        ...newerKey(ask, this.#o.keys),
      },
    };
  }

  /** The controlled side has said that it comes to the relay where the controller waits. */
  #relayMeeting(ask: Ask, uuid: string, from: HostPort): hbb.IPunchHoleResponse {
    if (uuid === '' || uuid !== ask.relayUuid) return {};
    const hosts = [ask.client.remote.host, from.host];
    this.#o.introductions.note(uuid, hosts);
    if (!ask.wantsTicket) return { relayUuid: uuid };
    const relayTicket = sealTicket({ uuid, side: CONTROLLER, hosts }, this.#o.keys.current.secretKey, Date.now());
    return { relayUuid: uuid, relayTicket };
  }

  onLocalAddr(client: Client, message: hbb.ILocalAddr | null | undefined): boolean {
    const match = this.#match(message, client.remote, (a) => a.kind !== 'relay' && a.id === message?.id);
    if (!match) return false;
    // Clients encode the controller's address anew here (rendezvous §9.3), so there is no better proof to wait for.
    return this.#deliver(match.ask, {
      punchHoleResponse: {
        socketAddr: message?.localAddr ?? NO_BYTES,
        pk: this.#signedPk(message?.version, match.ask),
        relayServer: repairRelay(this.#o, message?.relayServer ?? ''),
        isLocal: true,
        ...given('socketAddrV6', message?.socketAddrV6 ?? NO_BYTES),
        ...newerKey(match.ask, this.#o.keys),
      },
    });
  }

  onRelayResponse(client: Client, message: hbb.IRelayResponse | null | undefined): boolean {
    if (!message) return false;
    // Only a relay that the controller asked for is answered without an id (rendezvous §9.4).
    const match = this.#match(message, client.remote, (a) => (message.id ? a.id === message.id : a.kind === 'relay'));
    if (!match) return false;
    const { ask } = match;
    const { id, socketAddr: _named, pk: _pk, relayServer: proposed, relayTicket: _ticket, wantTicket, ...rest } = message;
    const { isLan, localIp } = this.#o;
    let relayServer = repairRelay(this.#o, proposed ?? '');
    if (relayServer !== '' && localIp !== '') {
      if (isLan(ask.client.remote.host)) relayServer = localIp;
      else if (relayServer === localIp) relayServer = this.#o.pickRelay();
    }
    // A relay that the controlled side proposes, or one that it agrees to.
    const { refuseReason } = message;
    const uuid = (ask.kind === 'relay' ? ask.uuid : message.uuid) || '';
    const hosts = [ask.client.remote.host, client.remote.host];
    const ticket = (side: TicketSide): Uint8Array =>
      sealTicket({ uuid, side, hosts }, this.#o.keys.current.secretKey, Date.now());
    const note = (): void => {
      if (uuid === '' || refuseReason) return;
      this.#o.introductions.note(uuid, hosts);
      // The controlled side waits for its ticket on the connection that it answers over.
      if (wantTicket) client.send(encodeRendezvous({ relayResponse: { uuid, relayTicket: ticket(CONTROLLED) } }));
    };
    const relayResponse = {
      ...rest,
      ...given('relayServer', relayServer),
      ...(id ? { pk: this.#signedPk(message.version, ask) } : {}),
      ...(ask.wantsTicket && uuid !== '' && !refuseReason ? { relayTicket: ticket(CONTROLLER) } : {}),
    };
    return this.#deliverProven(match, { relayResponse }, note);
  }

  /** The ask that this answer belongs to, or null when nobody asked its sender (see asks.ts). */
  #match(
    message: { socketAddr?: Uint8Array | null } | null | undefined,
    from: HostPort,
    fits: (ask: Ask) => boolean,
  ): Match | null {
    const { peers } = this.#o;
    const match = this.#asks.match(message?.socketAddr ?? NO_BYTES, from.host, fits, (id) => peers.inMemory(id)?.host);
    if (match?.proof === 'token') this.#outbox.prove(peers.inMemory(match.ask.id)?.host ?? from.host);
    return match;
  }

  /**
   * Delivers an answer at once when it shows that its sender was asked. One that could come from anybody behind the
   * peer's NAT, though it could have shown it, waits for a better one.
   */
  #deliverProven({ ask, proof }: Match, message: hbb.IRendezvousMessage, before: () => void = () => {}): true {
    const deliver = (): true => {
      before();
      return this.#deliver(ask, message);
    };
    if (proof === 'token' || ask.socketAddr.length > 16) return deliver();
    ask.cancelHeld ??= this.#o.clock.setTimer(this.#o.limits.tokenlessAnswerMs, deliver);
    return true;
  }

  #deliver(ask: Ask, message: hbb.IRendezvousMessage): true {
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
  #signedPk(version: string | null | undefined, ask: Ask): Uint8Array {
    const peer = this.#o.peers.inMemory(ask.id);
    return version && peer ? this.#signed.of(peer, ask.signer ?? this.#o.keys.current) : NO_BYTES;
  }
}
