/** One connection of a computer that publishes services: its control stream, and the streams to its services. */
import type { Clock } from '../../core/clock.ts';
import { Mux, type MuxStream } from '../../core/mux/index.ts';
import type { PeerKey } from '../../core/native/contract.ts';
import { CONTROL_SERVICE, type ControlMessage, ControlReader, encodeControl, type Offer } from '../../core/publish/index.ts';
import { WireError } from '../../core/errors.ts';
import type { Link } from '../../core/link.ts';
import type { ServerLimits } from '../limits.ts';
import type { PeerQuota } from './peer-quota.ts';
import type { Backend, Place } from './place.ts';

/** What the session asks of the registry of services. */
export interface Publisher {
  /** Publishes an offer of this session, and answers what it came to. */
  publish(session: PublisherSession, offer: Offer, backend: Backend): Promise<Published | Refusal>;
  /** @param hold its computer may be back in a moment, and has it again then */
  withdraw(place: Place, backend: Backend, hold: boolean): void;
  onViolation(session: PublisherSession, reason: string): void;
  onClosed(session: PublisherSession): void;
}

export interface Published {
  readonly place: Place;
  readonly address: string;
  readonly port: number;
  readonly url: string;
}

export interface Refusal {
  readonly refusal: string;
  readonly message: string;
}

export interface PublisherSessionOptions {
  readonly link: Link;
  readonly peer: PeerKey;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly publisher: Publisher;
}

/** Streams that a publisher has reason to open: one, for control. */
const OPENS = { openBurst: 8, opensPerSecond: 1 };
/** Answers that a publisher has not read; there are some hundred bytes for each offer. */
const MAX_UNSENT_BYTES = 128 * 1024;
const MINUTE_MS = 60_000;

interface Entry {
  readonly place: Place;
  readonly backend: Backend;
}

export class PublisherSession {
  readonly peer: PeerKey;
  readonly mux: Mux;
  readonly #o: PublisherSessionOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #reader = new ControlReader();
  #control: MuxStream | null = null;
  /** Offers are decided one after the other, from `start` on. */
  #work: Promise<void>;
  #release: () => void = () => {};
  #quota: PeerQuota | null = null;
  #messages = 0;
  #countedSinceMs: number;

  constructor(options: PublisherSessionOptions) {
    const { link, clock, limits, publisher } = options;
    this.#o = options;
    this.peer = options.peer;
    this.#countedSinceMs = clock.now();
    this.#work = new Promise((resolve) => {
      this.#release = resolve;
    });
    this.mux = new Mux({
      link,
      clock,
      role: 'accepting',
      onStream: (stream) => this.#onStream(stream),
      afterTurn: setImmediate,
      limits: { maxStreams: limits.maxPublishedPerPeer + limits.maxPublishedKept * limits.maxServicesPerPeer + OPENS.openBurst, ...OPENS },
    });
    this.mux.on('violation', ({ reason }) => publisher.onViolation(this, reason));
    this.mux.on('closed', ({ by, code }) => {
      const givenUp = by === 'remote' && code === 'shutting-down';
      for (const name of [...this.#entries.keys()]) this.#withdraw(name, !givenUp);
      publisher.onClosed(this);
    });
  }

  /** What its computer may use; null before it was let in. */
  get quota(): PeerQuota | null {
    return this.#quota;
  }

  /** It is let in: its offers are decided from now on. */
  start(quota: PeerQuota): void {
    this.#quota = quota;
    this.#release();
  }

  close(reason: string): void {
    this.mux.close('refused-by-rule', reason);
  }

  #onStream(stream: MuxStream): void {
    const { target } = stream;
    if (this.#control || target.kind !== 'service' || target.name !== CONTROL_SERVICE)
      return stream.reset('unknown-service', 'a publisher opens its control stream only');
    this.#control = stream;
    stream.accept();
    stream.setHandlers({
      onReadable: () => {
        for (let chunk = stream.read(); chunk; chunk = stream.read()) this.#onBytes(chunk);
      },
      onClose: () => this.mux.close('shutting-down', 'the control stream has ended'),
    });
  }

  #onBytes(bytes: Uint8Array): void {
    try {
      for (const message of this.#reader.push(bytes)) {
        if (!this.#countMessage()) return this.#violation('too many messages');
        this.#onMessage(message);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#violation(error.message);
    }
  }

  #countMessage(): boolean {
    const now = this.#o.clock.now();
    if (now - this.#countedSinceMs > MINUTE_MS) {
      this.#countedSinceMs = now;
      this.#messages = 0;
    }
    return ++this.#messages <= this.#o.limits.maxPublishMessages;
  }

  #onMessage(message: ControlMessage): void {
    switch (message.type) {
      case 'offer':
        this.#then(() => this.#onOffer(message.offer));
        return;
      case 'withdraw':
        this.#then(() => this.#withdraw(message.name, false));
        return;
      case 'health':
        this.#then(() => {
          const entry = this.#entries.get(message.name);
          entry?.place.setHealth(entry.backend, message.healthy, message.down);
        });
        return;
      default:
        this.#violation(`${message.type} from a publisher`);
    }
  }

  /** In the order of the messages. */
  #then(step: () => void | Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => this.mux.close('internal', (error as Error).message));
  }

  async #onOffer(offer: Offer): Promise<void> {
    const { name } = offer;
    if (this.mux.end) return;
    if (this.#entries.has(name)) return this.#send({ type: 'refused', name, refusal: 'name-taken', message: `There is a service ${name} already.` });
    const backend: Backend = {
      healthy: offer.healthy,
      programs: offer.programs,
      down: new Set(),
      open: (remoteAddress) => this.mux.open({ kind: 'published', name, remoteAddress }),
    };
    const result = await this.#o.publisher.publish(this, offer, backend);
    if ('refusal' in result) return this.#send({ type: 'refused', name, ...result });
    const { place, address, port, url } = result;
    // It went while the port was opened.
    if (this.mux.end) return this.#o.publisher.withdraw(place, backend, true);
    this.#entries.set(name, { place, backend });
    this.#send({ type: 'published', name, address, port, url });
  }

  #withdraw(name: string, hold: boolean): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#entries.delete(name);
    this.#o.publisher.withdraw(entry.place, entry.backend, hold);
  }

  #send(message: ControlMessage): void {
    const control = this.#control;
    if (!control || control.closed) return;
    if (control.unsentBytes > MAX_UNSENT_BYTES) return this.#violation('it does not read its answers');
    control.write(encodeControl(message));
  }

  #violation(reason: string): void {
    this.#o.publisher.onViolation(this, reason);
    this.mux.close('protocol', reason);
  }
}
