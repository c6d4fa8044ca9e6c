/**
 * The relay (rendezvous §7): joins two connections that name the same uuid, and looks at nothing they send. Unless it is
 * open, a uuid is good only when the rendezvous introduced it: it passed through the server in this process, a server
 * that shares our key told us, or one of the two shows a ticket.
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Clock } from '../core/clock.ts';
import { decodeRendezvous, FrameDecoder, type hbb, type HostPort } from '../core/wire/index.ts';
import type { UdpPath } from './client.ts';
import type { Counters } from './counters.ts';
import type { Introductions } from './introductions.ts';
import type { ServerLimits } from './limits.ts';
import type { Detail } from './observe/reasons.ts';
import type { RelaySession } from './observe/view.ts';
import { ReadBuffers } from './read-buffers.ts';
import { type RelayEnd, TcpEnd, WsEnd } from './relay-end.ts';
import { RelayFlows } from './relay-flows.ts';
import { RelayPair } from './relay-pair.ts';
import { type Parked, RelayParking } from './relay-parking.ts';
import type { PairUsage, RelayPolicy } from './relay-policy.ts';
import { listenToServer } from './relay-told.ts';
import { type Place, RelayWaiting, type Waiter } from './relay-waiting.ts';
import { CONTROLLED, CONTROLLER, openTicket, UsedTickets } from './tickets.ts';

export interface RelayOptions {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Who is refused or slowed down, and how fast sessions may be. */
  readonly policy: RelayPolicy;
  /** Whether this licence_key may use the relay. */
  readonly accepts: (licenceKey: string) => boolean;
  /** Keys (32 bytes) whose tickets count. */
  readonly ticketKeys: () => readonly Uint8Array[];
  /** The uuids that may meet here; null: all, as at the stock relay. */
  readonly introductions: Introductions | null;
  /** Unix time in ms. */
  readonly unixMs?: () => number;
}

/** A first frame is a RequestRelay of some 150 bytes; a token in it may be longer. */
const MAX_FIRST_FRAME = 16 * 1024;
const NO_BYTES = new Uint8Array(0);
/** A RelayPark has 3 bytes: nothing longer is looked at twice. */
const MAX_PARK_BYTES = 16;
/** How often idle pairs are looked for, ms (rendezvous §7.5). */
export const RELAY_SWEEP_MS = 3_000;

/** What a connection says of itself at first. */
interface Named extends Place {
  /** Its ticket names the address that it comes from. */
  readonly atTicketsAddress: boolean;
}

export class Relay {
  readonly #o: RelayOptions;
  readonly #waiting: RelayWaiting;
  readonly #flows: RelayFlows<Named>;
  readonly #parking: RelayParking;
  readonly #used: UsedTickets;
  readonly #pairs = new Set<RelayPair>();
  #cancelSweep: (() => void) | undefined;
  #endedBytes = 0;
  readonly #buffers: ReadBuffers;

  constructor(options: RelayOptions) {
    this.#o = options;
    this.#buffers = new ReadBuffers(options.limits.relayReadBytes, options.limits.maxRelayReadBuffers);
    this.#used = new UsedTickets(options.limits, options.clock);
    this.#waiting = new RelayWaiting({ ...options, onPair: (first, second) => this.#pair(first, second) });
    this.#parking = new RelayParking(options);
    this.#flows = new RelayFlows<Named>({
      ...options,
      refuses: (host) => options.policy.refuses(host),
      admit: (request, from) => this.#admit(request, from),
      arrive: (named, end) => this.#waiting.arrive(named, end, null),
    });
    const sweep = (): void => {
      this.#cancelSweep = options.clock.setTimer(RELAY_SWEEP_MS, sweep);
      const oldest = options.clock.now() - options.limits.relayIdleMs;
      options.policy.reload();
      for (const pair of this.#pairs)
        if (pair.lastTrafficAt < oldest) {
          options.counters.count('relay-idle');
          pair.destroy();
        } else if (!options.policy.review(pair)) {
          options.counters.count('relay-cut', { from: pair.hosts[1], why: 'blocklist' });
          pair.destroy();
        }
      this.#used.expire();
      options.introductions?.expire();
    };
    this.#cancelSweep = options.clock.setTimer(RELAY_SWEEP_MS, sweep);
  }

  get pairs(): number {
    return this.#pairs.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Connections that name their session later. */
  get parked(): number {
    return this.#parking.size;
  }

  /** Streams whose uuid nobody introduced so far. */
  get held(): number {
    return this.#waiting.held;
  }

  /** Some of the sessions, those with the most bytes first. */
  sessions(limit: number): RelaySession[] {
    const now = this.#o.clock.now();
    return [...this.#pairs]
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, limit)
      .map((pair) => ({ hosts: pair.hosts, bytes: pair.bytes, ageMs: Math.round(now - pair.since) }));
  }

  /** Every session with its number, for an operator; in the order in which they began. */
  usage(): (RelaySession & PairUsage & { readonly session: number })[] {
    const now = this.#o.clock.now();
    return [...this.#pairs].map((pair) => ({
      session: pair.serial,
      hosts: pair.hosts,
      bytes: pair.bytes,
      ageMs: Math.round(now - pair.since),
      ...this.#o.policy.usage(pair),
    }));
  }

  /** Cuts one session. @returns whether there was one with that number */
  cut(session: number): boolean {
    const pair = [...this.#pairs].find((candidate) => candidate.serial === session);
    if (!pair) return false;
    this.#o.counters.count('relay-cut', { from: pair.hosts[1], why: 'operator' });
    pair.destroy();
    return true;
  }

  /** Bytes forwarded since the start, both directions of all pairs. */
  get bytes(): number {
    let bytes = this.#endedBytes;
    for (const pair of this.#pairs) bytes += pair.bytes;
    return bytes;
  }

  /** `settle`: called once it has named a session. */
  onTcp(socket: Socket, host: string, settle: () => void = () => {}): void {
    if (this.#refuses(host, 'tcp')) return void socket.destroy();
    const { limits, clock } = this.#o;
    const decoder = new FrameDecoder({ maxPayload: MAX_FIRST_FRAME });
    const cancelTimer = clock.setTimer(limits.frameTimeoutMs, () => {
      this.#o.counters.count('client-silent', { from: host, via: 'tcp' });
      socket.destroy();
    });
    const cut = (): void => void socket.destroy();
    const stop = (): void => {
      cancelTimer();
      parked?.leave();
      socket.off('data', onData).off('end', cut).off('error', cut).off('close', stop);
    };
    let parked: Parked | null = null;
    const onData = (chunk: Uint8Array): void => {
      let first: Uint8Array | null;
      try {
        first = decoder.pushOne(chunk);
        if (first && !parked && isPark(first)) {
          cancelTimer();
          settle();
          parked = this.#parking.enter(host, cut);
          if (!parked) return cut();
          first = decoder.pushOne(NO_BYTES);
        }
        for (; first?.length === 0 && parked; first = decoder.pushOne(NO_BYTES)) parked.heard();
      } catch {
        this.#o.counters.count('client-garbled', { from: host, via: 'tcp' });
        return cut();
      }
      if (!first) return;
      const named = this.#read(first, { from: host, via: 'tcp' });
      if (!named) return cut();
      stop();
      settle();
      if (named === 'server') return this.#listenToServer(socket, decoder.takeRest(), host);
      const end = new TcpEnd(socket, host, limits.maxRelayMessageBytes, this.#buffers);
      this.#waiting.arrive(named, end, decoder.takeRest());
    };
    socket.on('data', onData).on('end', cut).on('error', cut).on('close', stop);
  }

  onWs(ws: WebSocket, host: string, settle: () => void = () => {}): void {
    if (this.#refuses(host, 'ws')) return ws.terminate();
    const { limits, clock } = this.#o;
    const cancelTimer = clock.setTimer(limits.frameTimeoutMs, () => {
      this.#o.counters.count('client-silent', { from: host, via: 'ws' });
      ws.terminate();
    });
    const cut = (): void => ws.terminate();
    const stop = (): void => {
      cancelTimer();
      parked?.leave();
      ws.off('message', onMessage).off('error', cut).off('close', stop);
    };
    let parked: Parked | null = null;
    const onMessage = (data: unknown, isBinary: boolean): void => {
      if (!isBinary) return;
      const bytes = data as Buffer;
      if (parked && bytes.length === 0) return parked.heard();
      if (!parked && isPark(bytes)) {
        cancelTimer();
        settle();
        parked = this.#parking.enter(host, cut);
        if (!parked) cut();
        return;
      }
      const named = this.#read(bytes, { from: host, via: 'ws' });
      stop();
      ws.on('error', cut);
      if (!named || named === 'server') return void ws.close(1000);
      settle();
      this.#waiting.arrive(named, new WsEnd(ws, host, limits.relayBufferBytes), null);
    };
    ws.on('message', onMessage).on('error', cut).on('close', stop);
  }

  /** A datagram at a port of the relay. */
  onDatagram(bytes: Uint8Array, from: HostPort, path: UdpPath): void {
    this.#flows.onDatagram(bytes, from, path);
  }

  close(): void {
    this.#cancelSweep?.();
    this.#flows.close();
    this.#waiting.close();
    for (const pair of [...this.#pairs]) pair.destroy();
  }

  #refuses(host: string, via: 'tcp' | 'ws'): boolean {
    if (!this.#o.policy.refuses(host)) return false;
    this.#o.counters.count('relay-blocked', { from: host, via });
    return true;
  }

  /** What an acceptable first frame names, else null. Refusals are silent on the wire (rendezvous §7.2). */
  #read(frame: Uint8Array, from: Detail): Named | 'server' | null {
    try {
      const message = decodeRendezvous(frame);
      if (message.union === 'relayIntroduction' && this.#hear(message.relayIntroduction ?? {}, from)) return 'server';
      return this.#admit(message.union === 'requestRelay' ? message.requestRelay : null, from);
    } catch {
      this.#o.counters.count('relay-not-a-message', from);
    }
    return null;
  }

  #admit(request: hbb.IRequestRelay | null | undefined, from: Detail): Named | null {
    const { counters, accepts, limits } = this.#o;
    const uuid = request?.uuid ?? '';
    if (uuid === '' || uuid.length > limits.maxRelayUuidLength) counters.count('relay-not-a-request', from);
    else if (!accepts(request?.licenceKey ?? '')) counters.count('relay-wrong-key', from);
    else {
      const shown = this.#withTicket(uuid, request?.relayTicket, from);
      const claims = request?.relaySide;
      return shown && { ...shown, claims: shown.side || (claims === CONTROLLER || claims === CONTROLLED ? claims : 0) };
    }
    return null;
  }

  /** Another server's word: believed when it is signed with a key that is ours, once. */
  #hear(message: hbb.IRelayIntroduction, from: Detail): boolean {
    const { counters, introductions, ticketKeys, unixMs = Date.now } = this.#o;
    if (!introductions) return false;
    for (const signed of message.signed ?? []) {
      const ticket = openTicket(signed, ticketKeys(), unixMs());
      if (typeof ticket !== 'object' || ticket.side !== 0) {
        counters.count(ticket === 'expired' ? 'relay-ticket-expired' : 'relay-ticket-forged', from);
        return false;
      }
      if (this.#used.use(ticket, '') === 'first') introductions.note(ticket.uuid, ticket.hosts, { told: true });
    }
    return true;
  }

  #listenToServer(socket: Socket, rest: Uint8Array, host: string): void {
    listenToServer(socket, rest, this.#o.clock, (message) => this.#hear(message, { from: host, via: 'tcp' }));
  }

  /** A good ticket introduces its uuid and says whose it is. One that is not good refuses, unless we know the uuid anyway. */
  #withTicket(uuid: string, sealed: Uint8Array | null | undefined, from: Detail): Omit<Named, 'claims'> | null {
    const { counters, introductions, ticketKeys, unixMs = Date.now } = this.#o;
    const bare = { uuid, side: 0, atTicketsAddress: false } as const;
    if (!sealed?.length || !introductions) return bare;
    const ticket = openTicket(sealed, ticketKeys(), unixMs());
    if (typeof ticket === 'object' && ticket.uuid === uuid && ticket.side !== 0) {
      const host = from.from ?? '';
      const use = this.#used.use(ticket, host);
      // By another way at the same time; once the two have met the uuid is not introduced any more.
      if (use === 'first' || (use === 'again' && introductions.get(uuid))) {
        if (!introductions.get(uuid)) introductions.note(uuid, ticket.hosts, { told: true });
        return { uuid, side: ticket.side, atTicketsAddress: ticket.hosts.includes(host) };
      }
      counters.count(use === 'again' ? 'relay-came-twice' : 'relay-ticket-replayed', from);
      return null;
    }
    counters.count(ticket === 'expired' ? 'relay-ticket-expired' : 'relay-ticket-forged', from);
    // The clock of a relay may be wrong, and the server have told it all the same.
    return introductions.get(uuid) ? bare : null;
  }

  #pair(first: Waiter, second: Waiter): void {
    const { limits, counters, clock } = this.#o;
    const from = { from: second.end.host, via: second.end.kind };
    if (this.#pairs.size >= limits.maxRelayPairs) {
      counters.count('relay-too-many-pairs', from);
      first.end.destroy();
      return second.end.destroy();
    }
    const speeds = this.#o.policy.limitsFor([first.end.host, second.end.host]);
    const pair = new RelayPair(first.end, second.end, speeds, clock, (closed) => this.#ended(closed, second.end));
    this.#o.policy.watch(pair, speeds[0]);
    this.#pairs.add(pair);
    counters.count('relay-paired', { ...from, ms: clock.now() - first.since });
    // The pair has installed its own events by now: what was held goes the way of everything that follows.
    first.replay();
    second.replay();
    first.end.resume();
    second.end.resume();
  }

  #ended(pair: RelayPair, end: RelayEnd): void {
    if (!this.#pairs.delete(pair)) return;
    this.#endedBytes += pair.bytes;
    this.#o.counters.count('relay-ended', { from: end.host, bytes: pair.bytes, ms: this.#o.clock.now() - pair.since });
  }
}

/** Whether this first message says that another one will name the session. */
function isPark(message: Uint8Array): boolean {
  try {
    return message.length > 0 && message.length <= MAX_PARK_BYTES && decodeRendezvous(message).union === 'relayPark';
  } catch {
    return false;
  }
}
