/** Where UDP does not get through: a TCP connection to the server that is itself the registration (rendezvous §5.6). */
import { LiteDeskError } from '../core/errors.ts';
import type { HostPort, hbb } from '../core/wire/index.ts';
import type { ServerRoute } from '../net/index.ts';
import { Registration, type RegistrationOptions } from './registration.ts';
import { RendezvousConnection } from './rendezvous-client.ts';

/** Pause before it is tried again after it failed or the server closed it. */
const RETRY_MS = 3_000;
/** A server that says it does not register over TCP is asked again only after this time. */
const NOT_SUPPORTED_RETRY_MS = 60_000;
/** The server's signs of life are this far apart where it names no time. */
const DEFAULT_KEEP_ALIVE_MS = 60_000;
/** Silence until the connection counts as dead, in keep-alives. */
const DEAD_AFTER = 1.5;

/** Of the registration, what does not depend on how it is carried. */
export type RegistrationBasics = Pick<RegistrationOptions, 'clock' | 'identity' | 'takeNewId' | 'credentials' | 'onOtherServerKey'>;

export interface TcpPresenceOptions extends RegistrationBasics {
  readonly address: HostPort;
  /** Shown in errors. */
  readonly serverName: string;
  readonly route: ServerRoute | undefined;
  onReady(latencyMs: number | null): void;
  /** What the server says beside the registration. */
  onMessage(message: hbb.RendezvousMessage): void;
  /** No connection came about. */
  onUnreachable(error: LiteDeskError): void;
  /** The server will not have this computer, for another reason than that it does not register over TCP. */
  onRefused(error: LiteDeskError): void;
  /** The registration stood, and its connection has ended. */
  onLost(): void;
  /** It has failed or ended some time ago: another one may be tried. */
  onOver(): void;
}

/** One such registration, from the dial to the end of the connection. */
export class TcpPresence {
  readonly #options: TcpPresenceOptions;
  readonly #abort = new AbortController();
  #connection: RendezvousConnection | null = null;
  #registration: Registration | null = null;
  #ready = false;
  #retryMs = RETRY_MS;
  #keepAliveMs = DEFAULT_KEEP_ALIVE_MS;
  #cancelWatchdog: () => void = () => {};
  #cancelRetry: () => void = () => {};

  constructor(options: TcpPresenceOptions) {
    this.#options = options;
  }

  /** This computer is registered by it. */
  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    void this.#dial();
  }

  /** Ends it without another word. */
  stop(): void {
    this.#abort.abort();
    this.#cancelRetry();
    this.#cancelWatchdog();
    this.#registration?.stop();
    this.#connection?.destroy();
  }

  async #dial(): Promise<void> {
    const { signal } = this.#abort;
    const { address, serverName, route } = this.#options;
    let connection: RendezvousConnection;
    try {
      connection = await RendezvousConnection.open({ address, serverName, route, signal });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof LiteDeskError) this.#options.onUnreachable(error);
      this.#retryLater();
      return;
    }
    if (signal.aborted) connection.destroy();
    else this.#register(connection);
  }

  #register(connection: RendezvousConnection): void {
    const { clock, identity, takeNewId, credentials, onOtherServerKey } = this.#options;
    const registration = new Registration({
      ...{ clock, mode: 'tcp', identity, takeNewId, credentials, onOtherServerKey },
      send: (message) => connection.send(message),
      onReady: (latencyMs) => {
        this.#ready = true;
        this.#options.onReady(latencyMs);
      },
      onTrying: () => {},
      onOffline: (error) => {
        this.#retryMs = NOT_SUPPORTED_RETRY_MS;
        if (error && !error.code.endsWith('NOT_SUPPORT')) this.#options.onRefused(error);
        connection.destroy();
      },
    });
    this.#connection = connection;
    this.#registration = registration;
    connection.listen(
      (message) => this.#onMessage(message, connection, registration),
      () => this.#onClosed(),
    );
    if (connection.closed) return;
    this.#watch(connection);
    registration.start();
  }

  #onMessage(message: hbb.RendezvousMessage | 'heartbeat', connection: RendezvousConnection, registration: Registration): void {
    this.#watch(connection);
    if (message === 'heartbeat') {
      connection.sendHeartbeat();
      return;
    }
    const keepAlive = message.registerPkResponse?.keepAlive ?? 0;
    if (keepAlive > 0) this.#keepAliveMs = keepAlive * 1_000;
    if (!registration.handle(message)) this.#options.onMessage(message);
  }

  #watch(connection: RendezvousConnection): void {
    this.#cancelWatchdog();
    this.#cancelWatchdog = this.#options.clock.setTimer(this.#keepAliveMs * DEAD_AFTER, () => connection.destroy());
  }

  #onClosed(): void {
    this.#cancelWatchdog();
    this.#registration?.stop();
    if (this.#abort.signal.aborted) return;
    const wasReady = this.#ready;
    this.#ready = false;
    if (wasReady) this.#options.onLost();
    this.#retryLater();
  }

  #retryLater(): void {
    this.#cancelRetry = this.#options.clock.setTimer(this.#retryMs, () => this.#options.onOver());
  }
}
