/** Keeps services published at the server: over one link, made again with growing pauses when it breaks. */
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { type ErrorData, LiteDeskError } from '../../core/errors.ts';
import { Mux, type MuxEnd, type MuxStream } from '../../core/mux/index.ts';
import { CONTROL_SERVICE, type ControlMessage, ControlReader, encodeControl, INSTANCE_BYTES } from '../../core/publish/index.ts';
import { WireError } from '../../core/errors.ts';
import { noServer } from '../errors.ts';
import type { Identity } from '../identity.ts';
import type { ServerAddress } from '../server-address.ts';
import type { Connections } from '../tunnel/connections.ts';
import { publishEnded } from './errors.ts';
import { PublishedService } from './published-service.ts';
import { connectToPublish } from './server-connection.ts';
import type { ServiceSpec } from './service-spec.ts';

/** Pauses between attempts: the first, doubling up to the last. */
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 30_000;
/** A refused offer is made again: the port or the name may be free then. */
const OFFER_AGAIN_MS = 30_000;

/** Each HTTP request is a stream; the server, which counts its visitors, has the stricter limit. */
const OPENS = { openBurst: 20_000, opensPerSecond: 10_000 };

export interface PublisherOptions {
  /** From the start on; others may come and go. */
  readonly services: readonly ServiceSpec[];
  readonly identity: () => Identity;
  readonly server: () => ServerAddress | null;
  /** Makes this computer known to the server, which did not know it. */
  readonly register: (signal: AbortSignal) => Promise<void>;
  readonly clock?: Clock;
}

export interface PublisherEvents {
  published: { readonly name: string; readonly kind: string; readonly address: string; readonly port: number; readonly url: string };
  /** It is not published, or not any more; it is tried again. */
  unpublished: { readonly name: string; readonly reason: string; readonly message: string };
  /** The server is not there, or does not want us; tried again after `retryInMs`. */
  offline: { readonly error: ErrorData; readonly retryInMs: number };
  health: { readonly name: string; readonly healthy: boolean };
}

export class Publisher extends Emitter<PublisherEvents> {
  readonly #o: PublisherOptions;
  readonly #clock: Clock;
  readonly #services = new Map<string, PublishedService>();
  readonly #instance = randomBytes(INSTANCE_BYTES);
  readonly #abort = new AbortController();
  /** Names that the server has taken on this link. */
  readonly #published = new Set<string>();
  /** Those that it was asked to take on this link, or has taken. */
  readonly #offered = new Set<string>();
  readonly #timers = new Set<() => void>();
  #mux: Mux | null = null;
  #control: MuxStream | null = null;
  #running: Promise<void> | null = null;

  constructor(options: PublisherOptions) {
    super();
    this.#o = options;
    this.#clock = options.clock ?? systemClock;
    for (const spec of options.services) this.#newService(spec);
  }

  /** Publishes one more over the same connection. Its name must be free. */
  add(spec: ServiceSpec): void {
    const service = this.#newService(spec);
    // Before the first start, all are looked at together.
    if (this.#running) void service.start().then(() => this.#offer(service));
  }

  /** Withdraws one; its connections end. */
  remove(name: string): void {
    this.#services.get(name)?.close();
    if (this.#services.delete(name) && this.#control && !this.#control.closed) this.#control.write(encodeControl({ type: 'withdraw', name }));
    this.#published.delete(name);
    this.#offered.delete(name);
  }

  /** Those from outside to one service; null: there is none of that name. */
  connections(name: string): Connections | null {
    return this.#services.get(name)?.connections ?? null;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Withdraws everything. */
  async stop(): Promise<void> {
    this.#abort.abort();
    for (const cancel of this.#timers) cancel();
    this.#mux?.close();
    for (const service of this.#services.values()) service.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    await Promise.all([...this.#services.values()].map((service) => service.start()));
    let pauseMs = RETRY_FIRST_MS;
    while (!signal.aborted) {
      let failure: LiteDeskError;
      try {
        const end = await this.#connection(() => (pauseMs = RETRY_FIRST_MS));
        failure = publishEnded(end.reason === '' ? end.code : end.reason);
      } catch (error) {
        failure = error instanceof LiteDeskError ? error : publishEnded(error instanceof Error ? error.message : String(error));
      }
      if (signal.aborted) return;
      if (failure.code === 'PUBLISH_NOT_REGISTERED' && (await this.#register())) continue;
      this.emit('offline', { error: failure.toData(), retryInMs: pauseMs });
      await this.#pause(pauseMs);
      pauseMs = Math.min(RETRY_LAST_MS, pauseMs * 2);
    }
  }

  /** One connection to its end. `onPublished` is called when the server has taken something. */
  async #connection(onPublished: () => void): Promise<MuxEnd> {
    const server = this.#o.server();
    if (!server) throw noServer();
    const { signal } = this.#abort;
    const link = await connectToPublish({ server, identity: this.#o.identity(), instance: this.#instance, signal });
    const mux = new Mux({ link, clock: this.#clock, role: 'connecting', onStream: (stream) => this.#onStream(stream), limits: OPENS, afterTurn: setImmediate });
    this.#mux = mux;
    // A server that does not want us may have said so right behind the key exchange.
    const ended = mux.end ?? new Promise<MuxEnd>((resolve) => mux.on('closed', resolve));
    if (signal.aborted) mux.close();
    else if (!mux.end) {
      const control = mux.open({ kind: 'service', name: CONTROL_SERVICE });
      this.#control = control;
      this.#offered.clear();
      const reader = new ControlReader();
      control.setHandlers({
        onReadable: () => {
          for (let chunk = control.read(); chunk; chunk = control.read()) this.#onBytes(reader, chunk, mux, onPublished);
        },
        onClose: () => mux.close('shutting-down', 'the control stream has ended'),
      });
      for (const service of this.#services.values()) void this.#offer(service);
    }
    const end = await ended;
    this.#control = null;
    this.#mux = null;
    const reason = signal.aborted ? 'stopped' : end.code;
    for (const name of [...this.#published]) this.#gone(name, reason, end.reason);
    return end;
  }

  #newService(spec: ServiceSpec): PublishedService {
    const service = new PublishedService(spec, {
      clock: this.#clock,
      onHealth: (healthy) => this.emit('health', { name: spec.name, healthy }),
      onChange: () => this.#tellHealth(spec.name),
    });
    this.#services.set(spec.name, service);
    return service;
  }

  async #offer(service: PublishedService): Promise<void> {
    const control = this.#control;
    const offer = await service.offer();
    // Hashing a password takes a moment, in which the link may have gone, or the service.
    const { name } = service.spec;
    const isCurrent = this.#services.get(name) === service && !this.#offered.has(name);
    if (!isCurrent || !control || control !== this.#control || control.closed) return;
    this.#offered.add(name);
    control.write(encodeControl({ type: 'offer', offer }));
  }

  #onBytes(reader: ControlReader, chunk: Uint8Array, mux: Mux, onPublished: () => void): void {
    try {
      for (const message of reader.push(chunk)) this.#onMessage(message, onPublished);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      mux.close('protocol', error.message);
    }
  }

  #onMessage(message: ControlMessage, onPublished: () => void): void {
    const service = 'name' in message ? this.#services.get(message.name) : undefined;
    if (!service) return;
    const { name, kind } = service.spec;
    switch (message.type) {
      case 'published': {
        const { address, port, url } = message;
        if (service.health.down.length > 0) this.#tellHealth(name);
        onPublished();
        this.#published.add(name);
        this.emit('published', { name, kind, address, port, url });
        return;
      }
      case 'refused':
        this.#offered.delete(name);
        this.emit('unpublished', { name, reason: message.refusal, message: message.message });
        return this.#offerLater(service);
      case 'revoked':
        this.#offered.delete(name);
        this.#gone(name, message.reason, '');
        return this.#offerLater(service);
      default:
    }
  }

  #offerLater(service: PublishedService): void {
    const control = this.#control;
    const cancel = this.#clock.setTimer(OFFER_AGAIN_MS, () => {
      this.#timers.delete(cancel);
      // A new link has had its offers already.
      if (control && control === this.#control) void this.#offer(service);
    });
    this.#timers.add(cancel);
  }

  #gone(name: string, reason: string, message: string): void {
    if (this.#published.delete(name)) this.emit('unpublished', { name, reason, message });
  }

  /** A connection from outside; only what was published here is reached. */
  #onStream(stream: MuxStream): void {
    const { target } = stream;
    const service = target.kind === 'published' ? this.#services.get(target.name) : undefined;
    if (service) service.take(stream);
    else stream.reset('unknown-service', 'nothing of that name is published here');
  }

  #tellHealth(name: string): void {
    const service = this.#services.get(name);
    if (service && this.#control && !this.#control.closed) this.#control.write(encodeControl({ type: 'health', name, ...service.health }));
  }

  /** @returns whether it is worth to try again at once. */
  async #register(): Promise<boolean> {
    try {
      await this.#o.register(this.#abort.signal);
      return true;
    } catch (error) {
      if (error instanceof LiteDeskError && !this.#abort.signal.aborted)
        this.emit('offline', { error: error.toData(), retryInMs: RETRY_LAST_MS });
      await this.#pause(RETRY_LAST_MS);
      return false;
    }
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#abort;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.setTimer(ms, () => {
        this.#timers.delete(cancel);
        signal.removeEventListener('abort', done);
        resolve();
      });
      const done = (): void => resolve();
      signal.addEventListener('abort', done, { once: true });
      this.#timers.add(cancel);
    });
  }
}
