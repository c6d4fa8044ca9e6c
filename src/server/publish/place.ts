/** One public port or host name: whose it is, what it is published with, and who answers behind it in turn. */
import type { Clock } from '../../core/clock.ts';
import { type MuxStream, StreamResetError } from '../../core/mux/index.ts';
import type { BasicAuth, Offer } from '../../core/publish/index.ts';
import type { HostPort } from '../../core/wire/index.ts';
import { formatHostPort } from '../../net/index.ts';
import { StreamDuplex } from '../../net/stream-duplex.ts';
import { Bandwidth } from '../bandwidth.ts';
import type { ServerLimits } from '../limits.ts';
import { NetworkList } from '../network-list.ts';
import type { Reason } from '../observe/reasons.ts';
import type { PeerQuota } from './peer-quota.ts';

/** One connection of the publishing computer that offers the service of a place. */
export interface Backend {
  healthy: boolean;
  /** @throws StreamResetError when its link takes no more */
  open(remoteAddress: string): MuxStream;
}

export type Refused = Extract<
  Reason,
  'published-address-not-allowed' | 'published-no-backend' | 'published-quota'
>;

export interface PlaceOptions {
  /** `tcp:30000`, `udp:30000` or `host:www.example.org`. */
  readonly key: string;
  readonly peer: PeerQuota;
  readonly offer: Offer;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  /** A connection is over; bytes from and to the service. */
  readonly onEnded: (bytesIn: number, bytesOut: number) => void;
}

export class Place {
  readonly key: string;
  readonly peer: PeerQuota;
  readonly #o: PlaceOptions;
  readonly #bandwidth: Bandwidth;
  #offer: Offer;
  #allow: NetworkList;
  readonly #backends: Backend[] = [];
  readonly #streams = new Set<StreamDuplex>();
  #next = 0;

  /** @throws RangeError for an allow-list that cannot be read */
  constructor(options: PlaceOptions) {
    this.#o = options;
    this.key = options.key;
    this.peer = options.peer;
    this.#offer = options.offer;
    this.#allow = new NetworkList(options.offer.allow);
    this.#bandwidth = new Bandwidth(options.offer.bandwidthKbps * 1000, options.clock);
  }

  get offer(): Offer {
    return this.#offer;
  }

  get basicAuth(): BasicAuth | null {
    return this.#offer.basicAuth;
  }

  get connections(): number {
    return this.#streams.size;
  }

  /** What limits its bytes, in both directions; empty: nothing. */
  get bandwidths(): readonly Bandwidth[] {
    const { limits } = this.#o;
    return [
      ...(this.#offer.bandwidthKbps > 0 ? [this.#bandwidth] : []),
      ...(limits.publishedPeerBps > 0 ? [this.peer.bandwidth] : []),
    ];
  }

  /** One more who answers. The newest offer says how: its computer may have been set up anew. @throws RangeError as above */
  add(backend: Backend, offer: Offer): void {
    this.#allow = new NetworkList(offer.allow);
    this.#offer = offer;
    this.#bandwidth.setRate(offer.bandwidthKbps * 1000);
    this.#backends.push(backend);
  }

  /** @returns whether nobody is left. */
  remove(backend: Backend): boolean {
    const at = this.#backends.indexOf(backend);
    if (at >= 0) this.#backends.splice(at, 1);
    return this.#backends.length === 0;
  }

  allows(host: string): boolean {
    return this.#allow.empty || this.#allow.has(host);
  }

  /** Leads a connection from `remote` to the next healthy backend. It may still be refused there: the stream then errors. */
  open(remote: HostPort): StreamDuplex | Refused {
    const { limits, clock, onEnded } = this.#o;
    if (!this.allows(remote.host)) return 'published-address-not-allowed';
    const most = this.#offer.maxConnections || Number.POSITIVE_INFINITY;
    if (this.#streams.size >= most || !this.peer.enter()) return 'published-quota';
    const stream = this.#open(formatHostPort(remote));
    if (!stream) {
      this.peer.leave();
      return 'published-no-backend';
    }
    const duplex = new StreamDuplex(stream);
    this.#streams.add(duplex);
    const cancel = clock.setTimer(limits.publishedOpenMs, () =>
      duplex.destroy(new StreamResetError('timeout', 'the service took no connection', 'local')),
    );
    duplex.once('opened', cancel);
    // Its user may not listen yet, or not any more.
    duplex.on('error', () => {});
    duplex.once('close', () => {
      cancel();
      this.#streams.delete(duplex);
      this.peer.leave();
      onEnded(stream.bytesIn, stream.bytesOut);
    });
    return duplex;
  }

  /** Ends all connections. */
  close(): void {
    for (const stream of [...this.#streams]) stream.destroy(new StreamResetError('unavailable', 'the service was withdrawn', 'local'));
  }

  #open(remoteAddress: string): MuxStream | null {
    for (let tries = this.#backends.length; tries > 0; tries--) {
      const backend = this.#backends[this.#next++ % this.#backends.length];
      if (!backend?.healthy) continue;
      try {
        return backend.open(remoteAddress);
      } catch (error) {
        if (!(error instanceof StreamResetError)) throw error;
      }
    }
    return null;
  }
}
