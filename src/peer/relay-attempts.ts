/** The relay's part in the way to a peer: the place there that is taken early, the one that the peer proposes, the one asked for. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { hbb } from '../core/wire/index.ts';
import type { HostPort } from '../core/wire/index.ts';
import { formatHostPort } from '../net/index.ts';
import type { SecuredLink } from '../net/index.ts';
import type { ConnectPeerOptions } from './connect-options.ts';
import { EarlyRelay } from './early-relay.ts';
import { aborted } from './errors.ts';
import type { KeyExchanges } from './key-exchanges.ts';
import type { PathRace } from './race.ts';
import { askForRelay, joinRelay } from './relay.ts';
import type { RendezvousConnection } from './rendezvous-client.ts';
import { relayAddress } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';

/** A relay that the peer proposes together with an IPv6 address waits for so many of the server's round trips. */
const IPV6_HEAD_START = { roundTrips: 2, minMs: 100, maxMs: 1_000 } as const;
const NO_TICKET = new Uint8Array(0);
/** Pairing at a relay can fail by chance when both ends arrive in the same instant (§7.3). */
const RELAY_TRIES = 2;

/** What the server or the peer told about where the peer is. */
export interface Introduction {
  readonly hostKey: Uint8Array | null;
  readonly relayServer: string;
}

export interface RelayAttemptsParts {
  readonly options: ConnectPeerOptions;
  readonly server: ServerAddress;
  readonly race: PathRace;
  readonly keys: KeyExchanges;
  /** A new connection to the server at its address. */
  readonly open: (address: HostPort) => Promise<RendezvousConnection>;
}

/** At most one attempt at a relay runs at a time. */
export class RelayAttempts {
  readonly #o: RelayAttemptsParts;
  #started = false;
  #early: EarlyRelay | null = null;
  /** The early place is taken as soon as the peer is there. */
  #awaitsPeer = false;

  constructor(parts: RelayAttemptsParts) {
    this.#o = parts;
  }

  /** Takes a place at the relay before anybody has answered. */
  waitThere(): void {
    const { options, server, race } = this.#o;
    const { peerId, connType, relayUdp: udp = false } = options;
    this.#early = new EarlyRelay({ server, peerId, connType, udp, signal: race.signal });
  }

  /** Under which the peer would find us there; null without such a place. */
  get earlyUuid(): string | null {
    return this.#early?.uuid ?? null;
  }

  /** Gives the early place up, unless an attempt has it. */
  drop(): void {
    this.#early?.drop();
  }

  /** With the peer's key the session may begin as soon as the peer is at the relay, whether or not it has answered yet. */
  onMeeting({ uuid, pk, relayServer }: hbb.RelayMeeting, address: HostPort): void {
    const early = this.#early;
    const hostKey = this.#o.keys.hostKey(pk);
    if (!early || uuid !== early.uuid || !hostKey || this.#awaitsPeer) return;
    this.#awaitsPeer = true;
    void early.met.then(() =>
      this.takeEarly({ hostKey, relayServer }, { relayUuid: uuid, relayTicket: NO_TICKET }, address),
    );
  }

  /** Meets the peer at the relay where we wait already, if it is on its way there; else nobody will come. */
  takeEarly(
    introduction: Introduction,
    response: Pick<hbb.PunchHoleResponse, 'relayUuid' | 'relayTicket'>,
    address: HostPort,
  ): void {
    const early = this.#early;
    if (!early || early.taken || this.#o.race.over) return;
    if (response.relayUuid !== early.uuid || this.#started) {
      early.drop();
      return;
    }
    this.#started = true;
    const name = introduction.relayServer || formatHostPort(this.#o.server);
    this.#progress(name);
    this.#o.race.attempt(
      'relay',
      async (signal) => {
        const link = await early.take(introduction.relayServer, response.relayTicket);
        return await this.#o.keys.secureRelayed(link, name, introduction.hostKey, signal);
      },
      () => {
        this.#started = false;
        this.request(introduction, address, { triesUsed: 1 });
      },
    );
  }

  /**
   * The peer asks us to meet at a relay (§9.2b, B-initiated). `punchMs`: an attempt over IPv6 runs beside it, and the peer's answer
   * took so long.
   */
  joinProposed(response: hbb.RelayResponse, hostKey: Uint8Array | null, address: HostPort, punchMs: number | null): void {
    const { relayServer } = response;
    if (this.#started) return;
    this.#started = true;
    const early = this.#early;
    const waiting = early && !early.taken && response.uuid === early.uuid ? early : null;
    if (!waiting) early?.drop();
    this.#o.race.attempt(
      'relay',
      async (signal) => {
        if (waiting)
          return await this.#o.keys.secureRelayed(await waiting.take(relayServer, response.relayTicket), relayServer, hostKey, signal);
        if (punchMs !== null) await this.#ipv6HeadStart(punchMs);
        return await this.#joinRelay({ relayServer, hostKey }, response.uuid, response.relayTicket, signal);
      },
      () => {
        this.#started = false;
        this.request({ hostKey, relayServer }, address, { triesUsed: 1 });
      },
    );
  }

  /** The relay pairs whoever came first and costs the operator; a direct path that is as near deserves its chance. */
  async #ipv6HeadStart(punchMs: number): Promise<void> {
    const { roundTrips, minMs, maxMs } = IPV6_HEAD_START;
    const waitMs = Math.min(maxMs, Math.max(minMs, roundTrips * punchMs));
    await sleep(waitMs, undefined, { signal: this.#o.race.signal }).catch(() => {});
    if (this.#o.race.over) throw aborted();
  }

  /** Asks the server for the relay, unless it is being tried already. `byChoice`: a direct path works. */
  request(introduction: Introduction, address: HostPort, { byChoice = false, triesUsed = 0 } = {}): void {
    if (this.#started || this.#o.race.over || triesUsed >= RELAY_TRIES) return;
    this.#started = true;
    this.#o.race.attempt(
      'relay',
      async (signal) => {
        const connection = await this.#o.open(address);
        const { peerId: id, connType, path } = this.#o.options;
        const why = byChoice || path === 'relay' ? { byChoice: true } : {};
        const { relayServer, hostKey } = introduction;
        const { uuid, ticket } = await askForRelay(connection, { id, relayServer, connType, secure: hostKey !== null, ...why }, signal);
        return await this.#joinRelay(introduction, uuid, ticket, signal);
      },
      () => {
        this.#started = false;
        this.request(introduction, address, { byChoice, triesUsed: triesUsed + 1 });
      },
    );
  }

  async #joinRelay(
    { relayServer, hostKey }: Introduction,
    uuid: string,
    ticket: Uint8Array | null | undefined,
    signal: AbortSignal,
  ): Promise<SecuredLink> {
    const relay = relayAddress(relayServer, this.#o.server);
    const name = formatHostPort(relay);
    this.#progress(name);
    const link = await joinRelay(
      relay,
      'controller',
      {
        licenceKey: this.#o.server.key,
        id: this.#o.options.peerId,
        uuid,
        connType: this.#o.options.connType,
        ...(ticket?.length ? { relayTicket: ticket } : {}),
      },
      signal,
    );
    return await this.#o.keys.secureRelayed(link, name, hostKey, signal);
  }

  #progress(detail: string): void {
    this.#o.options.onProgress?.({ step: 'relay', detail });
  }
}
