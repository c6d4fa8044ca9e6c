/** Takes offers: finds the port or the name, opens what has to listen, and closes it again with the last who answers. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { hostName, type Offer, type Refusal as RefusalCode } from '../../core/publish/index.ts';
import { formatHostPort } from '../../net/index.ts';
import type { Admission } from '../admission.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import { listen } from '../listener.ts';
import type { Arrival } from '../one-port/arrival.ts';
import { TrustedProxies } from '../proxy-address.ts';
import { UdpPort } from '../udp-port.ts';
import type { PeerQuota } from './peer-quota.ts';
import { type Backend, Place } from './place.ts';
import { Places } from './places.ts';
import type { Published, PublisherSession, Refusal } from './publisher-session.ts';
import type { PublishSettings } from './publishing.ts';
import { UdpService } from './udp-service.ts';

export interface ServicesOptions {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly bind: string | undefined;
  readonly admission: Admission;
  readonly settings: PublishSettings;
  /** Of the server, in addresses that are handed out. */
  readonly host: string;
  /** The ports for host names, 0: off; and whether the server can end TLS there. */
  readonly web: { readonly http: number; readonly https: number; readonly tls: () => boolean };
  readonly serveTcp: (place: Place, socket: Socket, arrival: Arrival) => void;
  readonly onEnded: (place: Place, bytesIn: number, bytesOut: number) => void;
}

interface Open {
  close(): void | Promise<void>;
}

/** Nobody is believed about others on a port that carries we know not what. */
const NO_PROXIES = new TrustedProxies([]);
/** Ports that are tried when any will do; other programs may have some of them. */
const MAX_PORT_TRIES = 64;
const DEFAULT_PORTS = { http: 80, https: 443 };
const UDP_BUFFER_BYTES = 1024 * 1024;

/** Each refusal with its words. */
const WORDS: Record<RefusalCode, string> = {
  malformed: 'The offer cannot be read.',
  'kind-off': 'The server has no port for services of this kind (--publish-ports, --http-port, --https-port).',
  'not-allowed': 'The server does not let this computer publish there (--publish-allow).',
  'name-taken': 'There is a service of that name already.',
  'port-outside': "The port is not one of the server's --publish-ports.",
  'port-taken': 'The port is in use.',
  'no-port-left': 'All ports for services are in use.',
  'host-invalid': 'This is no host name.',
  'host-needed': 'A host name is needed, since the server has no domain for services (--publish-domain).',
  'host-taken': 'Another computer publishes under this host name.',
  'kind-differs': 'This computer publishes another kind of service there.',
  quota: 'This computer publishes as many services as it may.',
};

export class Services {
  readonly places: Places;
  readonly #o: ServicesOptions;
  readonly #listeners = new Map<Place, Open>();
  /** One offer after the other, so that two cannot take the same port. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ServicesOptions) {
    this.#o = options;
    this.places = new Places(options.limits, options.clock);
  }

  /** Who publishes that host name in this way. */
  find(kind: 'http' | 'https', name: string): Place | undefined {
    const host = hostName(name);
    const place = host === null ? undefined : this.places.get(`host:${host}`);
    return place?.offer.kind === kind ? place : undefined;
  }

  async publish(session: PublisherSession, offer: Offer, backend: Backend): Promise<Published | Refusal> {
    const turn = this.#turn.then(() => this.#decide(session, offer, backend));
    this.#turn = turn.catch(() => {});
    const result = await turn;
    const refusal = typeof result === 'string' ? result : null;
    const why = `${offer.name} ${offer.kind}${refusal ? ` ${refusal}` : ''}`;
    this.#o.counters.count(refusal ? 'service-refused' : 'service-published', { id: session.peer.id, why });
    return typeof result === 'string' ? { refusal: result, message: WORDS[result] } : result;
  }

  /** @param hold as of Places.remove */
  withdraw(place: Place, backend: Backend, hold: boolean): void {
    place.peer.services--;
    this.#o.counters.count('service-withdrawn', { id: place.peer.id, why: place.key });
    if (!place.remove(backend)) return;
    place.close();
    this.places.remove(place, hold);
    const listener = this.#listeners.get(place);
    this.#listeners.delete(place);
    // A new offer for the port waits until it is free.
    if (listener) this.#turn = this.#turn.then(() => listener.close()).catch(() => {});
  }

  async close(): Promise<void> {
    for (const place of [...this.places]) place.close();
    await this.#turn;
    for (const listener of this.#listeners.values()) await listener.close();
    this.#listeners.clear();
  }

  async #decide(session: PublisherSession, offer: Offer, backend: Backend): Promise<Published | RefusalCode> {
    const { quota } = session;
    if (!quota || session.mux.end) return 'malformed';
    if (quota.services >= this.#o.limits.maxServicesPerPeer) return 'quota';
    try {
      const result = offer.kind === 'tcp' || offer.kind === 'udp' ? await this.#port(quota, offer) : this.#host(quota, offer);
      if (typeof result === 'string') return result;
      result.place.add(backend, offer);
      quota.services++;
      return result;
    } catch (error) {
      // The allow-list.
      if (error instanceof RangeError) return 'malformed';
      throw error;
    }
  }

  #host(quota: PeerQuota, offer: Offer): Published | RefusalCode {
    const { settings, web } = this.#o;
    const { domain } = settings;
    if (offer.kind === 'http' ? web.http === 0 && !(web.https > 0 && web.tls()) : web.https === 0) return 'kind-off';
    const wanted = offer.host !== '' ? offer.host : domain === '' ? null : `${offer.name}.${domain}`;
    if (wanted === null) return 'host-needed';
    const host = hostName(domain !== '' && !wanted.includes('.') ? `${wanted}.${domain}` : wanted);
    if (host === null) return 'host-invalid';
    if (!settings.policy.allows(quota.id, 0, host)) return 'not-allowed';
    const key = `host:${host}`;
    if (this.places.isTaken(key, quota.id)) return 'host-taken';
    const known = this.places.get(key);
    if (known && known.offer.kind !== offer.kind) return 'kind-differs';
    const place = known ?? this.#place(key, quota, offer);
    const tls = offer.kind === 'https' || (web.https > 0 && web.tls());
    const port = tls ? web.https : web.http;
    const scheme = tls ? 'https' : 'http';
    const url = `${scheme}://${host}${port === DEFAULT_PORTS[scheme] ? '' : `:${port}`}/`;
    return { place, address: host, port, url };
  }

  async #port(quota: PeerQuota, offer: Offer): Promise<Published | RefusalCode> {
    const { host, settings } = this.#o;
    const { ports, policy } = settings;
    if (!ports) return 'kind-off';
    const wanted = offer.port;
    if (wanted !== 0 && (wanted < ports.first || wanted > ports.last)) return 'port-outside';
    let allowed = false;
    for (const port of wanted === 0 ? candidates(ports, `${quota.id} ${offer.kind} ${offer.name}`) : [wanted]) {
      if (!policy.allows(quota.id, port, '')) continue;
      allowed = true;
      const key = `${offer.kind}:${port}`;
      if (this.places.isTaken(key, quota.id)) continue;
      const known = this.places.get(key);
      // Of our own ports any will do but those that serve something else already.
      if (known && wanted === 0 && known.offer.name !== offer.name) continue;
      const place = known ?? (await this.#listen(key, port, quota, offer));
      if (place) return { place, address: host, port, url: `${offer.kind}://${formatHostPort({ host, port })}` };
    }
    return !allowed ? 'not-allowed' : wanted === 0 ? 'no-port-left' : 'port-taken';
  }

  #place(key: string, peer: PeerQuota, offer: Offer): Place {
    const { limits, clock, onEnded } = this.#o;
    const place: Place = new Place({ key, peer, offer, limits, clock, onEnded: (i, o) => onEnded(place, i, o) });
    this.places.add(place);
    return place;
  }

  /** Null: another program has the port. */
  async #listen(key: string, port: number, quota: PeerQuota, offer: Offer): Promise<Place | null> {
    const { admission, bind, clock, counters, limits, serveTcp } = this.#o;
    const place = this.#place(key, quota, offer);
    try {
      if (offer.kind === 'tcp') {
        const listener = await listen({ bind, port, admission, proxies: NO_PROXIES, what: 'published TCP' }, (socket, arrival) =>
          serveTcp(place, socket, arrival),
        );
        this.#listeners.set(place, listener);
        return place;
      }
      const service = new UdpService({ place, limits, clock, counters });
      try {
        const udp = await UdpPort.open({
          ...{ bind, port, limits, clock, receiveBuffer: UDP_BUFFER_BYTES },
          onDatagram: (bytes, from, path) => service.onDatagram(bytes, from, path),
          onError: () => {},
        });
        this.#listeners.set(place, { close: () => [service, udp].forEach((part) => part.close()) });
        return place;
      } catch (error) {
        service.close();
        throw error;
      }
    } catch (error) {
      this.places.remove(place, false);
      if (error instanceof LiteDeskError) return null;
      throw error;
    }
  }
}

/** Ports of the range, beginning with one that is always the same for this service, so that a restart keeps it mostly. */
function* candidates({ first, last }: { readonly first: number; readonly last: number }, service: string): Generator<number> {
  const count = last - first + 1;
  const start = createHash('sha256').update(service).digest().readUInt32BE() % count;
  for (let i = 0; i < Math.min(count, MAX_PORT_TRIES); i++) yield first + ((start + i) % count);
}
