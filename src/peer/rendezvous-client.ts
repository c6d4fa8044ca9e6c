/** One TCP connection to the rendezvous server: messages out, messages in (rendezvous §1.2, §2). */
import { isIPv6 } from 'node:net';
import type { Link } from '../core/link.ts';
import { decodeRendezvous, encodeRendezvous } from '../core/wire/index.ts';
import type { HostPort, hbb } from '../core/wire/index.ts';
import { resolveHost } from '../net/index.ts';
import type { ServerRoute } from '../net/index.ts';
import { aborted, serverSilent, serverUnreachable } from './errors.ts';
import type { ServerAddress } from './server-address.ts';
import { dialServer } from './server-link.ts';

/** Messages that wait for a reader; a server has no reason to send more unasked. */
const MAX_WAITING = 64;
/** The largest message of this protocol that a client has to take, with room for an OnlineResponse. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** TCP connect to the server. Upstream waits 18 s; a server farther than this is not usable. */
export const SERVER_CONNECT_TIMEOUT_MS = 6_000;

export type { ServerAddress } from './server-address.ts';

/** Looks up the server's address, IPv4 first: UDP punching works per family and most peers have IPv4. */
export async function resolveServer(server: ServerAddress, signal: AbortSignal): Promise<HostPort> {
  const hosts = await resolveHost(server.host, { signal, timeoutMs: 5_000 });
  const host = hosts.find((address) => !isIPv6(address)) ?? hosts[0] ?? server.host;
  return { host, port: server.port };
}

interface Waiter {
  resolve(message: hbb.RendezvousMessage): void;
  reject(error: Error): void;
}

export interface OpenOptions {
  readonly address: HostPort;
  /** Shown in errors. */
  readonly serverName: string;
  /** Where everything is on one port. */
  readonly route?: ServerRoute | undefined;
  /** Bind to this local port; 0 or absent lets the system choose one that can be dialled from again (§12.1). */
  readonly localPort?: number;
  /** Take the server's WebSocket where its TCP port is not reached. Default true, but false with a local port. */
  readonly webSocket?: boolean;
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

export class RendezvousConnection {
  readonly local: HostPort;
  /** Milliseconds that the TCP connect took: about one round trip. */
  readonly rttMs: number;
  readonly #link: Link;
  readonly #serverName: string;
  readonly #waiting: hbb.RendezvousMessage[] = [];
  #waiter: Waiter | null = null;
  #closed: Error | null = null;
  /** Takes every message as it comes, instead of `receive`. */
  #listener: ((message: hbb.RendezvousMessage | 'heartbeat') => void) | null = null;
  #onClosed: (() => void) | null = null;

  private constructor(link: Link, local: HostPort, rttMs: number, serverName: string) {
    this.#link = link;
    this.local = local;
    this.rttMs = rttMs;
    this.#serverName = serverName;
    link.setHandlers({ onFrame: (payload) => this.#onFrame(payload), onClose: (close) => this.#onClose(close.error) });
  }

  /** Connects. Errors: SERVER_REFUSED, SERVER_UNREACHABLE. */
  static async open(options: OpenOptions): Promise<RendezvousConnection> {
    const started = performance.now();
    try {
      const { link, local } = await dialServer({
        address: options.address,
        webSocket: options.webSocket ?? !options.localPort,
        localAddress: isIPv6(options.address.host) ? '::' : '0.0.0.0',
        ...(options.localPort ? { localPort: options.localPort } : {}),
        reusable: true,
        timeoutMs: options.timeoutMs ?? SERVER_CONNECT_TIMEOUT_MS,
        signal: options.signal,
        route: options.route,
        maxPayload: MAX_MESSAGE_BYTES,
      });
      return new RendezvousConnection(link, local, performance.now() - started, options.serverName);
    } catch (cause) {
      if (options.signal.aborted) throw aborted();
      throw serverUnreachable(options.serverName, cause);
    }
  }

  /**
   * Over a WebSocket nothing can be punched: there is no local port to dial from (§9.3: relay only), and behind a web
   * proxy the server may see another address than others could reach us at.
   */
  get isWebSocket(): boolean {
    return this.#link.transport === 'websocket';
  }

  get closed(): boolean {
    return this.#closed !== null;
  }

  send(message: hbb.IRendezvousMessage): void {
    if (!this.#closed) this.#link.send(encodeRendezvous(message));
  }

  /** The zero-length heartbeat of §5.6. */
  sendHeartbeat(): void {
    if (!this.#closed) this.#link.send(new Uint8Array(0));
  }

  /** From now on every message goes to `listener`; `onClosed` once at the end. */
  listen(listener: (message: hbb.RendezvousMessage | 'heartbeat') => void, onClosed: () => void): void {
    this.#listener = listener;
    this.#onClosed = onClosed;
    for (const message of this.#waiting.splice(0)) listener(message);
    if (this.#closed) onClosed();
  }

  /** The next message, or null after `timeoutMs`. A KeyExchange greeting (§6.9) is skipped. Errors: SERVER_UNREACHABLE, ABORTED. */
  receive(timeoutMs: number, signal: AbortSignal): Promise<hbb.RendezvousMessage | null> {
    const ready = this.#waiting.shift();
    if (ready) return Promise.resolve(ready);
    if (signal.aborted) return Promise.reject(aborted());
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#waiter = null;
      };
      const timer = setTimeout(() => {
        done();
        resolve(null);
      }, timeoutMs);
      const onAbort = (): void => {
        done();
        reject(aborted());
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiter = {
        resolve: (message) => {
          done();
          resolve(message);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
    });
  }

  close(): void {
    this.#link.close();
  }

  destroy(): void {
    this.#link.destroy();
  }

  #onFrame(payload: Uint8Array): void {
    if (payload.length === 0) {
      this.#listener?.('heartbeat');
      return;
    }
    let message: hbb.RendezvousMessage;
    try {
      message = decodeRendezvous(payload);
    } catch {
      // One frame that does not parse says nothing about the next one.
      return;
    }
    if (message.union === 'keyExchange') return;
    if (this.#listener) this.#listener(message);
    else if (this.#waiter) this.#waiter.resolve(message);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
  }

  #onClose(error: Error | undefined): void {
    this.#closed = error ? serverUnreachable(this.#serverName, error) : serverSilent(this.#serverName);
    this.#waiter?.reject(this.#closed);
    this.#onClosed?.();
  }
}
