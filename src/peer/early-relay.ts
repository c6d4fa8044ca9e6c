/**
 * A place at the relay that is taken before anybody has answered: a native session begins there and moves to a direct path
 * when one stands. Needs a server that passes the uuid on and a host that knows what to do with it; to all others it is a
 * connection on which nothing happens.
 */
import { randomUUID } from 'node:crypto';
import type { hbb } from '../core/wire/index.ts';
import { formatHostPort } from '../net/index.ts';
import type { NetLink } from '../net/index.ts';
import type { RacedLink } from '../net/raced-link.ts';
import { joinRelay } from './relay.ts';
import { relayAddress } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';

export interface EarlyRelayOptions {
  readonly server: ServerAddress;
  readonly peerId: string;
  readonly connType: hbb.ConnType;
  /** The server's own relay takes datagrams, too. */
  readonly udp: boolean;
  readonly signal: AbortSignal;
}

function portOf(link: NetLink | null): number {
  return Number(link?.remoteAddress.split(':').at(-1) ?? 0);
}

export class EarlyRelay {
  readonly uuid = randomUUID();
  readonly #options: EarlyRelayOptions;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #link: Promise<RacedLink>;
  /** The host has come, and said something. Never, when it does not. */
  readonly met: Promise<void>;
  #taken = false;

  /** Dials the server's own relay at once. */
  constructor(options: EarlyRelayOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#abort.signal]);
    this.#link = this.#join('', undefined);
    this.met = this.#link.then(
      (link) => link.met,
      () => new Promise(() => {}),
    );
  }

  get taken(): boolean {
    return this.#taken;
  }

  /**
   * The link on which the host is going to make its offer. `relayServer` as the server named it: when that is another relay
   * than the one dialled, that one is. Errors: RELAY_UNREACHABLE.
   */
  async take(relayServer: string, ticket: Uint8Array | null | undefined): Promise<NetLink> {
    this.#taken = true;
    const relay = relayAddress(relayServer, this.#options.server);
    const link = await this.#link.catch(() => null);
    const own = relayAddress('', this.#options.server);
    // Another port of the same computer is another door of the same relay, where the host may have met this link already.
    const there = relay.host === own.host || link?.remoteAddress === formatHostPort({ ...relay, port: portOf(link) });
    if (link && !link.closed && there) return link;
    link?.destroy();
    return await this.#join(relayServer, ticket);
  }

  /** Nobody will come. */
  drop(): void {
    if (this.#taken) return;
    this.#taken = true;
    this.#abort.abort();
    void this.#link.then((link) => link.destroy(), () => {});
  }

  async #join(relayServer: string, ticket: Uint8Array | null | undefined): Promise<RacedLink> {
    const { server, peerId, connType, udp } = this.#options;
    return await joinRelay(
      { ...relayAddress(relayServer, server), udp: udp && relayServer === '' },
      'controller',
      {
        licenceKey: server.key,
        id: peerId,
        uuid: this.uuid,
        connType,
        ...(ticket?.length ? { relayTicket: ticket } : {}),
      },
      this.#signal,
    );
  }
}
