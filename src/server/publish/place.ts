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
import { KeptStreams } from './kept-streams.ts';
import type { PeerQuota } from './peer-quota.ts';

/** One connection of the publishing computer that offers the service of a place. */
export interface Backend {
  healthy: boolean;
  /** Programs behind it that answer in turn. */
  readonly programs: number;
  /** Those of them that do not answer now, as streams to them call them. */
  down: ReadonlySet<string>;
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

/** A connection to the service, and whether an HTTP request went over it before. */
export interface Opened {
  readonly stream: StreamDuplex;
  readonly reused: boolean;
}

interface Entry {
  readonly backend: Backend;
  readonly kept: KeptStreams;
}

export class Place {
  readonly key: string;
  readonly peer: PeerQuota;
  readonly #o: PlaceOptions;
  readonly #bandwidth: Bandwidth;
  #offer: Offer;
  #allow: NetworkList;
  readonly #backends: Entry[] = [];
  /** Those in use; those that are kept count for nothing. */
  readonly #streams = new Map<StreamDuplex, Entry>();
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
    this.#backends.push({ backend, kept: new KeptStreams(this.#o.limits, this.#o.clock) });
  }

  /** @returns whether nobody is left. */
  remove(backend: Backend): boolean {
    const at = this.#backends.findIndex((entry) => entry.backend === backend);
    if (at >= 0) for (const { kept } of this.#backends.splice(at, 1)) kept.close();
    return this.#backends.length === 0;
  }

  allows(host: string): boolean {
    return this.#allow.empty || this.#allow.has(host);
  }

  /** Programs stopped answering, or do again: those that do not are not reached over connections that were kept. */
  setHealth(backend: Backend, healthy: boolean, down: readonly string[]): void {
    backend.healthy = healthy;
    backend.down = new Set(down);
    for (const entry of this.#backends) if (entry.backend === backend) entry.kept.drop(backend.down);
  }

  /**
   * Leads a connection from `remote` to the next healthy backend. It may still be refused there: the stream then errors.
   * @param reuse one that was kept will do; it may end at any moment
   */
  open(remote: HostPort, reuse = false): Opened | Refused {
    if (!this.allows(remote.host)) return 'published-address-not-allowed';
    const most = this.#offer.maxConnections || Number.POSITIVE_INFINITY;
    if (this.#streams.size >= most || !this.peer.enter()) return 'published-quota';
    const opened = this.#open(formatHostPort(remote), reuse);
    if (!opened) this.peer.leave();
    return opened ?? 'published-no-backend';
  }

  /** The exchange over this stream is over in every respect: it may serve the next request for `keepMs` at most. */
  keep(stream: StreamDuplex, keepMs: number): void {
    const entry = this.#streams.get(stream);
    this.#leave(stream);
    if (entry && !entry.backend.down.has(stream.stream.openedAddress ?? '')) entry.kept.put(stream, keepMs);
    else stream.destroy();
  }

  /** A new stream to a program, in use from now on. */
  #take(stream: MuxStream, entry: Entry): StreamDuplex {
    const { limits, clock, onEnded } = this.#o;
    const duplex = new StreamDuplex(stream);
    this.#streams.set(duplex, entry);
    const cancel = clock.setTimer(limits.publishedOpenMs, () =>
      duplex.destroy(new StreamResetError('timeout', 'the service took no connection', 'local')),
    );
    duplex.once('opened', cancel);
    // Its user may not listen yet, or not any more.
    duplex.on('error', () => {});
    duplex.once('close', () => {
      cancel();
      this.#leave(duplex);
      onEnded(stream.bytesIn, stream.bytesOut);
    });
    return duplex;
  }

  /** Ends all connections. */
  close(): void {
    for (const { kept } of this.#backends) kept.close();
    for (const stream of [...this.#streams.keys()])
      stream.destroy(new StreamResetError('unavailable', 'the service was withdrawn', 'local'));
  }

  #leave(stream: StreamDuplex): void {
    if (this.#streams.delete(stream)) this.peer.leave();
  }

  #open(remoteAddress: string, reuse: boolean): Opened | null {
    for (let tries = this.#backends.length; tries > 0; tries--) {
      const entry = this.#backends[this.#next++ % this.#backends.length];
      if (!entry?.backend.healthy) continue;
      const { backend, kept } = entry;
      // With fewer the same program would answer again, and not the next one in turn.
      const stream = reuse && kept.size >= backend.programs - backend.down.size ? kept.take() : null;
      if (stream) {
        this.#streams.set(stream, entry);
        return { stream, reused: true };
      }
      try {
        return { stream: this.#take(backend.open(remoteAddress), entry), reused: false };
      } catch (error) {
        if (!(error instanceof StreamResetError)) throw error;
      }
    }
    return null;
  }
}
