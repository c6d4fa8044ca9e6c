/** Published services: the computers that offer them, and the public ports and names under which they are reached. */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { PAYLOAD_LIMITS } from '../../core/link.ts';
import { INSTANCE_BYTES, PUBLISH_SERVER_ID } from '../../core/publish/index.ts';
import { encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { secureAsHost } from '../../net/index.ts';
import { join } from '../../net/join.ts';
import { Admission } from '../admission.ts';
import type { Client } from '../client.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import type { Listener } from '../listener.ts';
import type { Arrival } from '../one-port/arrival.ts';
import { Doors, type DoorsOptions } from '../one-port/doors.ts';
import type { PublishedNumbers } from '../observe/view.ts';
import type { PeerTable } from '../peer-table.ts';
import { HttpFront } from './http-front.ts';
import { refuseGarbage } from './http-answer.ts';
import { isWebSocket } from './http-request.ts';
import type { Place } from './place.ts';
import { PeerQuota } from './peer-quota.ts';
import type { PublishPolicy } from './policy.ts';
import { PublisherSession } from './publisher-session.ts';
import { Services } from './services.ts';
import { Throttle } from './throttle.ts';

export interface PublishSettings {
  /** Ports for TCP and UDP services; absent: none. */
  readonly ports?: { readonly first: number; readonly last: number } | undefined;
  /** Services without a host name of their own get one under it; '': they are refused. */
  readonly domain: string;
  readonly policy: PublishPolicy;
}

export interface PublishingOptions {
  readonly settings: PublishSettings;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** What the server's other ports are opened with; admission apart. */
  readonly doors: Omit<DoorsOptions, 'admission' | 'httpHandlers'>;
  /** Under which the server is reached. */
  readonly host: string;
  readonly peers: PeerTable;
  /** Ed25519, 64 bytes: what the server signs with now. */
  readonly secretKey: () => Uint8Array;
  /** Another process of this server does it. */
  readonly elsewhere: boolean;
}

const Result = hbb.PublishReply.Result;

export class Publishing {
  readonly #o: PublishingOptions;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #sessions = new Map<PublisherSession, { readonly instance: string; readonly quota: PeerQuota }>();
  readonly #quotas = new Map<string, PeerQuota>();
  readonly #admission: Admission;
  readonly #services: Services;
  readonly #listeners: Listener[] = [];
  #handshakes = 0;
  #bytes = 0;

  constructor(options: PublishingOptions) {
    this.#o = options;
    const { limits, clock, counters, bind } = options.doors;
    this.#limits = limits;
    this.#clock = clock;
    this.#counters = counters;
    // Apart from the server's own: who floods a service must not keep computers from registering.
    this.#admission = new Admission(
      { ...limits, maxConnections: limits.maxPublished, maxConnectionsPerAddress: limits.maxPublishedPerAddress },
      counters,
    );
    this.#services = new Services({
      ...{ limits, clock, counters, bind, admission: this.#admission },
      settings: options.settings,
      host: options.host,
      web: { http: options.httpPort, https: options.httpsPort, tls: () => options.doors.tls() !== null },
      serveTcp: (place, socket, arrival) => this.#serveTcp(place, socket, arrival),
      onEnded: (place, bytesIn, bytesOut) => {
        this.#bytes += bytesIn + bytesOut;
        counters.count('published-ended', { id: place.peer.id, bytes: bytesIn + bytesOut });
      },
    });
  }

  get publishers(): number {
    return this.#sessions.size;
  }

  get services(): number {
    return this.#services.places.size;
  }

  get numbers(): PublishedNumbers {
    const { publishers, services, connections, bytes } = this;
    return { publishers, services, connections, bytes };
  }

  /** Connections from outside to all services. */
  get connections(): number {
    let connections = 0;
    for (const place of this.#services.places) connections += place.connections;
    return connections;
  }

  /** Bytes of connections that are over. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Opens the ports for HTTP and HTTPS. @throws LiteDeskError as listen() */
  async start(): Promise<void> {
    const { httpPort, httpsPort, doors: options, elsewhere } = this.#o;
    if (elsewhere) return;
    const doors = new Doors({ ...options, sharing: undefined, admission: this.#admission, httpHandlers: [] });
    const front = new HttpFront({
      ...{ limits: this.#limits, clock: this.#clock, counters: this.#counters, proxies: options.proxies },
      find: (host) => this.#services.find('http', host),
    });
    const { onRequest, onUpgrade, onGarbage } = front;
    const onPlainAtTls = (socket: Socket): void => refuseGarbage(socket, 'This port speaks HTTPS.');
    const web = { onRequest, onUpgrade, mayUpgrade: isWebSocket, onGarbage, onPlainAtTls };
    if (httpPort > 0) this.#listeners.push(await doors.web('published HTTP', httpPort, web));
    if (httpsPort > 0)
      this.#listeners.push(
        await doors.web('published HTTPS', httpsPort, { ...web, claimTls: (name, socket, arrival) => this.#claim(name, socket, arrival) }),
      );
  }

  /** A client of the rendezvous port said PublishHello. */
  onHello(client: Client, hello: hbb.IPublishHello | null | undefined): void {
    const refuse = (result: hbb.PublishReply.Result): void => {
      client.send(encodeRendezvous({ publishReply: { result } }));
      client.close();
    };
    if (this.#o.elsewhere) return refuse(Result.ELSEWHERE);
    if (this.#sessions.size + this.#handshakes >= this.#limits.maxPublishers) {
      this.#counters.count('publisher-full', { from: client.remote.host, via: client.kind });
      return refuse(Result.FULL);
    }
    const link = client.takeLink?.();
    if (!link) return refuse(Result.UNSUITABLE);
    link.setMaxPayload(PAYLOAD_LIMITS.handshake);
    link.send(encodeRendezvous({ publishReply: { result: Result.OK } }));
    const instance = Buffer.from(hello?.instance ?? []).subarray(0, INSTANCE_BYTES).toString('hex');
    this.#handshakes++;
    secureAsHost(link, {
      id: PUBLISH_SERVER_ID,
      signSecretKey: this.#o.secretKey(),
      allowPlaintext: false,
      native: { findSession: () => null },
      timeoutMs: this.#limits.handshakeTimeoutMs,
      clock: this.#clock,
    })
      .then(
        (secured) => {
          const peer = secured.native?.peer;
          if (!peer) {
            this.#counters.count('publisher-handshake-failed', { from: client.remote.host, via: client.kind });
            return secured.destroy();
          }
          this.#open(new PublisherSession({ link: secured, peer, limits: this.#limits, clock: this.#clock, publisher: this }), instance, client);
        },
        () => this.#counters.count('publisher-handshake-failed', { from: client.remote.host, via: client.kind }),
      )
      .finally(() => this.#handshakes--);
  }

  /** Regular upkeep; call every few seconds. */
  sweep(): void {
    this.#services.places.sweep();
    for (const session of [...this.#sessions.keys()]) {
      // Removed by an operator, set up anew, or called otherwise now.
      const refusal = this.#refusal(session);
      if (refusal) session.close(refusal);
    }
    this.#relieve();
  }

  async publish(...offered: Parameters<Services['publish']>): ReturnType<Services['publish']> {
    return await this.#services.publish(...offered);
  }

  withdraw(...withdrawn: Parameters<Services['withdraw']>): void {
    this.#services.withdraw(...withdrawn);
  }

  onViolation(session: PublisherSession, reason: string): void {
    this.#counters.count('publisher-broke-rules', { id: session.peer.id, why: reason });
  }

  onClosed(session: PublisherSession): void {
    const entry = this.#sessions.get(session);
    if (!entry) return;
    this.#sessions.delete(session);
    if (--entry.quota.publishers === 0) this.#quotas.delete(entry.quota.id);
    this.#counters.count('publisher-gone', { id: session.peer.id });
  }

  async close(): Promise<void> {
    for (const session of [...this.#sessions.keys()]) session.mux.close('shutting-down', 'the server ends');
    await this.#services.close();
    for (const listener of this.#listeners.splice(0)) await listener.close();
  }

  #open(session: PublisherSession, instance: string, client: Client): void {
    const { id } = session.peer;
    const refusal = this.#refusal(session);
    if (refusal) {
      this.#counters.count('publisher-refused', { id, from: client.remote.host, via: client.kind, why: refusal });
      return session.close(refusal);
    }
    for (const [other, entry] of [...this.#sessions])
      if (instance !== '' && other.peer.id === id && entry.instance === instance) other.mux.close('shutting-down', 'connected anew');
    const quota = this.#quotas.get(id) ?? new PeerQuota(id, this.#limits, this.#clock);
    if (quota.publishers >= this.#limits.maxPublishersPerPeer) {
      this.#counters.count('publisher-full', { id, from: client.remote.host, via: client.kind });
      return session.close('too-many-publishers');
    }
    this.#quotas.set(id, quota);
    quota.publishers++;
    this.#sessions.set(session, { instance, quota });
    session.start(quota);
    this.#counters.count('publisher-connected', { id, from: client.remote.host, via: client.kind });
  }

  /** Why this computer may not publish; null: it may. */
  #refusal(session: PublisherSession): string | null {
    const { id, key } = session.peer;
    const known = this.#o.peers.find(id);
    if (!known?.owned || !known.hasPk(key)) return 'not-registered';
    return this.#o.settings.policy.knows(id) ? null : 'not-allowed';
  }

  /** A TLS connection to the HTTPS port goes on as it is where somebody publishes that name so. */
  #claim(serverName: string, socket: Socket, arrival: Arrival): boolean {
    const place = this.#services.find('https', serverName);
    if (!place) return false;
    this.#serveTcp(place, socket, arrival);
    return true;
  }

  #serveTcp(place: Place, socket: Socket, arrival: Arrival): void {
    const from = { id: place.peer.id, from: arrival.remote.host, via: 'tcp' as const, why: place.key };
    const opened = place.open(arrival.remote);
    if (typeof opened === 'string') {
      this.#counters.count(opened, from);
      socket.on('error', () => {}).resetAndDestroy();
      return;
    }
    this.#counters.count('published-opened', from);
    arrival.settle();
    // Dead clients behind a NAT never say so.
    socket.setKeepAlive(true, this.#limits.udpFlowIdleMs);
    const { bandwidths } = place;
    join(socket, opened.stream, bandwidths.length === 0 ? {} : { through: () => new Throttle(bandwidths, this.#clock) });
  }

  /** Many publishers whose clients do not read may hold more than there is memory: those with the most give way. */
  #relieve(): void {
    const held = [...this.#sessions.keys()].map((session) => ({ session, bytes: session.mux.stats.unreadBytes }));
    let total = held.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total <= this.#limits.maxPublishedHeldBytes) return;
    held.sort((a, b) => b.bytes - a.bytes);
    for (const { session } of held)
      for (const stream of session.mux.streams) {
        if (total <= this.#limits.maxPublishedHeldBytes) return;
        if (stream.unreadBytes === 0) continue;
        total -= stream.unreadBytes;
        stream.reset('overloaded', 'too many bytes wait for slow clients');
        this.#counters.count('published-overloaded', { id: session.peer.id });
      }
  }
}
