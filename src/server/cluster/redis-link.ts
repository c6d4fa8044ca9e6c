/**
 * The connection to Redis: one for commands, one for what others publish. It comes back by itself; meanwhile commands fail
 * at once instead of waiting in a queue, so that the rules can say what they know.
 */
import type { Clock } from '../../core/clock.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { DirectoryDown } from './directory.ts';
import type { RedisTarget } from './redis-url.ts';

export type RedisWord = string | Buffer;
export type RedisReply = string | number | null | Buffer | RedisReply[];

/** What we use of the client of the `redis` package; its own types are far wider. */
interface RedisClient {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  destroy(): void;
  on(event: string, listener: (error: Error) => void): unknown;
  sendCommand(args: readonly RedisWord[]): Promise<unknown>;
  subscribe(channel: string, listener: (message: Buffer) => void, binary: true): Promise<unknown>;
}

export interface RedisLinkOptions {
  readonly target: RedisTarget;
  readonly clock: Clock;
  /** ms for one command: one that hangs is as good as lost. */
  readonly commandMs: number;
  /** ms that the first connection may take. */
  readonly startMs: number;
  readonly onLog?: (event: string, fields: Record<string, unknown>) => void;
}

/** ms between two attempts to come back, and for one attempt. */
const RECONNECT_MS = { first: 50, most: 500 };
const CONNECT_MS = 2_000;
/** ms of silence after which a connection is dead; we say something each second. */
const SILENCE_MS = 4_000;
const PING_MS = 1_000;

export class RedisLink {
  readonly #o: RedisLinkOptions;
  readonly #commands: RedisClient;
  readonly #messages: RedisClient;
  readonly #listeners = new Set<() => void>();
  #closed = false;
  #lastError = '';
  #onRefused: (() => void) | undefined;

  private constructor(options: RedisLinkOptions, commands: RedisClient, messages: RedisClient) {
    this.#o = options;
    this.#commands = commands;
    this.#messages = messages;
    for (const client of [commands, messages]) {
      client.on('error', (error) => this.#onError(error));
      client.on('ready', () => this.#tell());
      client.on('end', () => this.#tell());
      client.on('reconnecting', () => this.#tell());
    }
  }

  /** @throws LiteDeskError STORE_UNREACHABLE */
  static async open(options: RedisLinkOptions): Promise<RedisLink> {
    // Only who shares a store pays for the package.
    const { createClient } = await import('redis');
    const { target } = options;
    const socket = {
      ...(target.path === undefined ? { host: target.host, port: target.port } : { path: target.path }),
      ...(target.tls ? { tls: true as const, servername: target.host, ...(target.ca ? { ca: target.ca } : {}) } : {}),
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries: number) => Math.min(RECONNECT_MS.most, RECONNECT_MS.first * 2 ** Math.min(retries, 8)),
    };
    const client = (): RedisClient =>
      createClient({
        // The second form of the reply types is all we need, and every Redis since 1.2 has it.
        RESP: 2,
        socket: socket as never,
        ...(target.username === undefined ? {} : { username: target.username }),
        ...(target.password === undefined ? {} : { password: target.password }),
        database: target.database,
        name: 'litedesk',
        disableOfflineQueue: true,
        pingInterval: PING_MS,
      }) as unknown as RedisClient;
    const link = new RedisLink(options, client(), client());
    await link.#start();
    return link;
  }

  /** Both connections stand. */
  get ready(): boolean {
    return !this.#closed && this.#commands.isReady && this.#messages.isReady;
  }

  /** Calls `listener` whenever `ready` may have changed; the returned function stops it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Rejects with DirectoryDown when there is no connection or no answer, else with what Redis says. */
  async command(...args: readonly RedisWord[]): Promise<RedisReply> {
    if (!this.ready) throw new DirectoryDown('no connection to Redis');
    let cancel = (): void => {};
    const late = new Promise<never>((_resolve, reject) => {
      cancel = this.#o.clock.setTimer(this.#o.commandMs, () => reject(new DirectoryDown('Redis does not answer')));
    });
    const reply = this.#commands.sendCommand(args);
    reply.catch(() => {});
    try {
      return (await Promise.race([reply, late])) as RedisReply;
    } catch (error) {
      if (error instanceof DirectoryDown) throw error;
      throw new DirectoryDown(error instanceof Error ? error.message : String(error));
    } finally {
      cancel();
    }
  }

  /** Runs a script. Redis keeps it by its text. */
  script(text: string, keys: readonly string[], args: readonly RedisWord[]): Promise<RedisReply> {
    return this.command('EVAL', text, String(keys.length), ...keys, ...args);
  }

  /** Subscribed anew by itself after each loss. */
  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    await this.#messages.subscribe(channel, listener, true);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const client of [this.#commands, this.#messages]) {
      try {
        client.destroy();
      } catch {
        // It was not open.
      }
    }
  }

  async #start(): Promise<void> {
    const { clock, startMs, target } = this.#o;
    let cancel = (): void => {};
    const late = new Promise<never>((_resolve, reject) => {
      cancel = clock.setTimer(startMs, () => reject(new Error(this.#lastError || 'no answer')));
      // No use in asking again; later it is, when somebody changes the password under us.
      this.#onRefused = () => reject(new Error(this.#lastError));
    });
    try {
      const connecting = [this.#commands.connect(), this.#messages.connect()];
      for (const attempt of connecting) attempt.catch(() => {});
      await Promise.race([Promise.all(connecting), late]);
    } catch (cause) {
      this.close();
      throw new LiteDeskError(
        {
          code: 'STORE_UNREACHABLE',
          stage: 'server',
          message: `Redis at ${target.shown} cannot be reached: ${this.#lastError || 'no answer'}.`,
          hint: 'Check the address, user and password in --store, and that Redis runs and listens for this host.',
        },
        { cause: cause instanceof Error ? new Error(cause.message) : undefined },
      );
    } finally {
      cancel();
      this.#onRefused = undefined;
    }
    await this.#warnIfForgetful();
  }

  /** What Redis acknowledges survives its end only with an append-only file. */
  async #warnIfForgetful(): Promise<void> {
    try {
      const [, appendOnly] = (await this.command('CONFIG', 'GET', 'appendonly')) as string[];
      const [, sync] = (await this.command('CONFIG', 'GET', 'appendfsync')) as string[];
      if (appendOnly !== 'yes' || sync !== 'always')
        this.#o.onLog?.('redis-may-forget', {
          ...{ redis: this.#o.target.shown, appendonly: appendOnly, appendfsync: sync },
          hint: 'with appendonly yes and appendfsync always, what was acknowledged survives a power cut',
        });
    } catch {
      // A user who may not ask knows what he has set up.
    }
  }

  #onError(error: Error): void {
    // Reasons of the system and of Redis; none of them repeats what we sent.
    const code = (error as NodeJS.ErrnoException).code;
    const text = error.message || (code ?? error.name);
    if (!this.#closed && text !== this.#lastError)
      this.#o.onLog?.('redis-connection', { redis: this.#o.target.shown, error: text });
    this.#lastError = text;
    if (/^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password)/.test(text)) this.#onRefused?.();
    this.#tell();
  }

  #tell(): void {
    if (this.ready) this.#lastError = '';
    for (const listener of [...this.#listeners]) listener();
  }
}
