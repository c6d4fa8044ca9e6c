/**
 * What stands in front of a port that more than one thing can come to: reads PROXY headers, ends TLS, and hands every
 * connection to those who speak its language. All of it together has one time limit, whatever a client does byte by byte.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import type { Counters } from '../counters.ts';
import type { TrustedProxies } from '../proxy-address.ts';
import type { Arrival } from './arrival.ts';
import { MAX_CLIENT_HELLO_BYTES, serverNameOf } from './client-hello.ts';
import { peek } from './peek.ts';
import { MAX_PROXY_HEADER_BYTES, type ProxyHeader, readProxyHeader } from './proxy-header.ts';
import { type Speech, sniff } from './sniff.ts';
import type { TlsFiles } from './tls-files.ts';

/** In TLS a client of ours says that it wants frames; where a web proxy answers in our place it picks the other one. */
export const FRAMES_ALPN = 'litedesk';
const ALPN = [FRAMES_ALPN, 'http/1.1'];

export interface GateOptions {
  readonly clock: Clock;
  readonly counters: Counters;
  /** ms from the connection until it is known what it speaks, TLS handshake and PROXY header included. */
  readonly timeoutMs: number;
  /** ms without a byte after which a client is taken for one that waits for the server's greeting (rendezvous §6.9). */
  readonly silenceMs: number;
  /** Null: no PROXY headers are read here. */
  readonly proxies: TrustedProxies | null;
  /** Null: no TLS here. */
  readonly tls: () => TlsFiles | null;
  /** What is told apart here; anything else counts as frames where those are served, and is cut where they are not. */
  readonly onFrames: ((socket: Socket, arrival: Arrival, silent: boolean) => void) | null;
  readonly onHttp: ((socket: Socket, arrival: Arrival) => void) | null;
  /**
   * Asked for each TLS connection, by the name in its ClientHello ('': none), before TLS is ended here. True: it was taken,
   * with all its bytes, and is TLS to whoever gets them.
   */
  readonly claimTls?: ((serverName: string, socket: Socket, arrival: Arrival) => boolean) | undefined;
}

type Verdict = { readonly speech: Exclude<Speech, 'proxy'> | 'foreign-proxy' } | { readonly speech: 'proxy'; readonly header: ProxyHeader };

export class Gate {
  readonly #o: GateOptions;

  constructor(options: GateOptions) {
    this.#o = options;
  }

  /** Takes a connection that has just been accepted. Whoever gets it in the end owns its events. */
  accept(socket: Socket, arrival: Arrival): void {
    this.#look(socket, arrival, this.#o.clock.now() + this.#o.timeoutMs, { proxy: true, tls: true });
  }

  #look(socket: Socket, arrival: Arrival, deadline: number, may: { readonly proxy: boolean; readonly tls: boolean }): void {
    const { clock, counters, proxies, onFrames, silenceMs } = this.#o;
    const from = { from: arrival.remote.host };
    const cut = (): void => void socket.destroy();
    socket.on('error', cut);
    const listed = proxies?.has(arrival.remote.host) ?? false;
    let inHeader = false;
    peek<Verdict>(socket, {
      clock,
      timeoutMs: Math.max(0, deadline - clock.now()),
      maxBytes: MAX_PROXY_HEADER_BYTES,
      decide: (bytes) => {
        const speech = sniff(bytes);
        if (speech === null) return null;
        if (speech !== 'proxy') return { value: { speech } };
        if (!may.proxy || !listed) return { value: { speech: 'foreign-proxy' } };
        inHeader = true;
        const header = readProxyHeader(bytes);
        return header && { value: { speech, header }, take: header.length };
      },
      ...(onFrames ? { silenceMs: Math.min(silenceMs, deadline - clock.now()) } : {}),
      onSilence: () => {
        socket.off('error', cut);
        onFrames?.(socket, arrival, true);
        socket.resume();
      },
      onFailed: (why) => {
        if (inHeader) counters.count('proxy-header-broken', from);
        else if (why === 'timeout') counters.count('connection-mute', from);
      },
      onDecided: (verdict) => {
        socket.off('error', cut);
        this.#decided(socket, arrival, deadline, verdict, may);
      },
    });
  }

  #decided(
    socket: Socket,
    arrival: Arrival,
    deadline: number,
    verdict: Verdict,
    may: { readonly proxy: boolean; readonly tls: boolean },
  ): void {
    const { counters, onFrames, onHttp, proxies } = this.#o;
    const from = { from: arrival.remote.host };
    const refuse = (reason: Parameters<Counters['count']>[0]): void => {
      counters.count(reason, from);
      socket.on('error', () => {}).destroy();
    };
    switch (verdict.speech) {
      case 'proxy': {
        const { source, destination } = verdict.header;
        // A listed proxy behind a listed proxy keeps its own name: only its own headers could say more.
        if (source && !arrival.move(source.host)) return void socket.on('error', () => {}).destroy();
        const behind: Arrival = {
          ...arrival,
          ...(source ? { remote: source } : {}),
          ...(destination ? { localHost: destination.host } : {}),
        };
        return this.#look(socket, behind, deadline, { proxy: false, tls: may.tls });
      }
      case 'foreign-proxy':
        // Without PROXY headers in use it is only a text that nobody here understands.
        return refuse(proxies ? 'proxy-header-refused' : 'connection-garbled');
      case 'tls':
        if (may.tls && this.#o.claimTls) return this.#askForName(socket, arrival, deadline, this.#o.claimTls);
        if (may.tls && this.#o.tls()) return this.#unwrap(socket, arrival, deadline);
        if (!onFrames || onHttp) return refuse('tls-not-offered');
        break;
      case 'http':
        if (onHttp) {
          onHttp(socket, arrival);
          return void socket.resume();
        }
        break;
      default:
    }
    if (!onFrames) return refuse('connection-garbled');
    onFrames(socket, arrival, false);
    socket.resume();
  }

  #askForName(socket: Socket, arrival: Arrival, deadline: number, claim: NonNullable<GateOptions['claimTls']>): void {
    const { clock, counters } = this.#o;
    const cut = (): void => void socket.destroy();
    socket.on('error', cut);
    peek<string>(socket, {
      clock,
      timeoutMs: Math.max(0, deadline - clock.now()),
      maxBytes: MAX_CLIENT_HELLO_BYTES,
      decide: (bytes) => {
        const value = serverNameOf(bytes);
        return value === null ? null : { value };
      },
      onFailed: () => counters.count('tls-failed', { from: arrival.remote.host }),
      onDecided: (name) => {
        socket.off('error', cut);
        if (claim(name, socket, arrival)) return;
        if (this.#o.tls()) return this.#unwrap(socket, arrival, deadline);
        counters.count('tls-not-offered', { from: arrival.remote.host });
        // Nobody here has that name: fatal alert, unrecognized_name (RFC 6066 §3).
        socket.on('error', () => {}).end(Uint8Array.of(21, 3, 1, 0, 2, 2, 112), () => socket.destroy());
      },
    });
  }

  #unwrap(socket: Socket, arrival: Arrival, deadline: number): void {
    const { clock, counters } = this.#o;
    const context = this.#o.tls()?.context;
    if (!context) return void socket.destroy();
    const tls = new TLSSocket(socket, { isServer: true, secureContext: context, ALPNProtocols: ALPN });
    let secured = false;
    const failed = (): void => {
      cancel();
      if (!secured) counters.count('tls-failed', { from: arrival.remote.host });
    };
    const cancel = clock.setTimer(Math.max(0, deadline - clock.now()), () => {
      tls.destroy();
      socket.destroy();
    });
    const cut = (): void => void tls.destroy();
    tls.on('error', cut);
    tls.once('close', failed);
    tls.once('secure', () => {
      secured = true;
      cancel();
      tls.off('close', failed).off('error', cut);
      tls.setNoDelay(true);
      this.#look(tls, { ...arrival, tls: true }, deadline, { proxy: false, tls: false });
    });
  }
}
