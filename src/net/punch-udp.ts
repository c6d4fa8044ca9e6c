import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { lookup as dnsLookup } from 'node:dns';
import { isIP } from 'node:net';
import { type Clock, systemClock } from '../core/clock.ts';
import { LiteDeskError } from '../core/errors.ts';
import { KcpEndpoint, MAX_DATAGRAM, PUNCH_TIMEOUT_MS, Punch } from '../core/kcp/index.ts';
import type { HostPort } from '../core/wire/index.ts';
import { formatHostPort, plainAddress } from './endpoint.ts';
import { abortError, systemCode } from './errors.ts';
import { KcpLink, type KcpLinkOptions } from './kcp-link.ts';

/**
 * A NAT without a mapping yet may answer a punch with "port unreachable", which the next moment makes untrue. That many
 * are taken for it; more mean that nobody is there (about one second of punching).
 */
const MAX_REFUSALS = 10;
const EMPTY = Buffer.alloc(0);

export interface PunchUdpOptions {
  /** Bound socket; punchUdp owns it from the call on, whatever the outcome. Nothing else may listen on it. */
  socket: Socket;
  /** Public address of the peer, an IP literal. */
  remote: HostPort;
  role: 'connector' | 'acceptor';
  /** For punching and opening together. Default 20 000 ms. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /**
   * Take the first datagram from the peer's address whatever its port, and talk to that port from then on: for a peer
   * behind a NAT that gives each target another port.
   */
  allowPortChange?: boolean;
  /** sendPunch was called before: do not repeat the first empty datagram. */
  firstSent?: boolean;
  link?: KcpLinkOptions;
}

/** A UDP socket whose sends to IP literals leave within the call (Node otherwise defers them by a name look-up). */
export function createPunchSocket(type: 'udp4' | 'udp6'): Socket {
  let listening = false;
  const socket = createSocket({
    type,
    lookup: (host, options, callback) => {
      const family = isIP(host);
      // Only sends: a bind that reports within the call would surprise its caller.
      if (family && listening) callback(null, host, family);
      else dnsLookup(host, options, callback);
    },
  });
  socket.once('listening', () => {
    listening = true;
  });
  return socket;
}

/** Sends one empty datagram, which opens our own NAT; resolves when the system has taken it (rendezvous §10.1). */
export function sendPunch(socket: Socket, remote: HostPort): Promise<void> {
  // A datagram that cannot leave is a loss; the punch phase repeats it and finds out.
  return new Promise((resolve) => socket.send(EMPTY, remote.port, remote.host, () => resolve()));
}

/**
 * Opens the NATs on both sides with empty datagrams and a KCP connection through them (rendezvous §10.1 to §10.3). The
 * first empty datagram is sent at the call.
 * Throws LiteDeskError of stage `punch`: PUNCH_TIMEOUT, PUNCH_REFUSED, PUNCH_FAILED or ABORTED; the socket is closed then.
 */
export function punchUdp(options: PunchUdpOptions): Promise<KcpLink> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      options.socket.close();
      reject(abortError(signal, 'punch'));
      return;
    }
    const attempt = new Attempt(options, resolve, reject);
    attempt.start();
  });
}

class Attempt {
  readonly #options: PunchUdpOptions;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #resolve: (link: KcpLink) => void;
  readonly #reject: (error: Error) => void;
  readonly #punch: Punch;
  readonly #deadline: number;
  readonly #remoteHost: string;
  readonly #out = Buffer.alloc(MAX_DATAGRAM);
  #endpoint: KcpEndpoint | undefined;
  #connected = false;
  /** Arrived while the socket was being connected. */
  #early: Buffer[] = [];
  #target: HostPort;
  #refusals = 0;
  #cancelTimer: (() => void) | undefined;
  #over = false;

  constructor(options: PunchUdpOptions, resolve: (link: KcpLink) => void, reject: (error: Error) => void) {
    this.#options = options;
    this.#socket = options.socket;
    this.#clock = options.link?.clock ?? systemClock;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#target = options.remote;
    this.#remoteHost = plainAddress(options.remote.host);
    const nowMs = this.#clock.now();
    const timeoutMs = options.timeoutMs ?? PUNCH_TIMEOUT_MS;
    this.#deadline = nowMs + timeoutMs;
    this.#punch = new Punch({ role: options.role, nowMs, timeoutMs });
  }

  start(): void {
    const socket = this.#socket;
    socket.on('message', this.#onMessage);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    this.#options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#punch.pollTransmit(this.#clock.now()) && !this.#options.firstSent) this.#sendEmpty();
    if (!this.#options.allowPortChange) this.#connect();
    this.#tick();
  }

  /** From here on the system drops what comes from other addresses, and reports refusals. */
  #connect(): void {
    try {
      this.#socket.connect(this.#target.port, this.#target.host, (error?: Error) => {
        if (this.#over) return;
        if (error) return this.#fail('PUNCH_FAILED', error);
        this.#connected = true;
        // The acceptor opens its NAT before it lets itself be named, so our first SYN may pass already; what is heard of
        // the other's punching comes up to an interval later. Until then both go on (§10.1, §10.3).
        if (this.#options.role === 'connector') this.#endpoint ??= this.#newEndpoint();
        const early = this.#early;
        this.#early = [];
        for (const datagram of early) this.#take(datagram);
        this.#tick();
      });
    } catch (error) {
      this.#fail('PUNCH_FAILED', error);
    }
  }

  readonly #onMessage = (datagram: Buffer, from: RemoteInfo): void => {
    if (plainAddress(from.address) !== this.#remoteHost) return;
    if (from.port !== this.#target.port) {
      if (!this.#options.allowPortChange || this.#endpoint || this.#early.length > 0) return;
      this.#target = { host: this.#target.host, port: from.port };
    }
    if (this.#connected) this.#take(datagram);
    else {
      // A bound: what overflows is lost, as datagrams are.
      if (this.#early.length < 16) this.#early.push(datagram);
      if (this.#options.allowPortChange && this.#early.length === 1) this.#connect();
    }
  };

  #take(datagram: Buffer): void {
    if (this.#over) return;
    const now = this.#clock.now();
    const first = this.#punch.handle(datagram);
    if (this.#endpoint) this.#endpoint.handle(now, datagram);
    else {
      if (this.#punch.state !== 'through') return;
      this.#endpoint = this.#newEndpoint();
      if (first) this.#endpoint.handle(now, datagram);
    }
    this.#tick();
  }

  #newEndpoint(): KcpEndpoint {
    return new KcpEndpoint({
      role: this.#options.role,
      nowMs: this.#clock.now(),
      conv: randomBytes(4).readUInt32LE(),
    });
  }

  #tick(): void {
    if (this.#over) return;
    const now = this.#clock.now();
    if (now >= this.#deadline) return this.#fail('PUNCH_TIMEOUT');
    const endpoint = this.#endpoint;
    let next: number;
    if (endpoint) {
      for (;;) {
        const length = endpoint.pollTransmit(now, this.#out, 0);
        if (length === 0) break;
        // A few control packets per attempt: a copy each lets the buffer be used again at once.
        this.#socket.send(Buffer.from(this.#out.subarray(0, length)));
      }
      if (endpoint.state === 'established') return this.#done(endpoint);
      if (endpoint.state !== 'opening') return this.#fail('PUNCH_REFUSED');
      next = endpoint.pollTimeout(now);
    } else next = Infinity;
    if (this.#punch.pollTransmit(now)) this.#sendEmpty();
    next = Math.min(next, this.#punch.pollTimeout());
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.setTimer(
      Math.max(1, Math.ceil(Math.min(next, this.#deadline) - now)),
      () => this.#tick(),
    );
  }

  #sendEmpty(): void {
    try {
      if (this.#connected) this.#socket.send(EMPTY);
      // While connecting, Node refuses both ways of sending; the next interval is near.
      else this.#socket.send(EMPTY, this.#target.port, this.#target.host, () => {});
    } catch {
      // A loss.
    }
  }

  #done(endpoint: KcpEndpoint): void {
    this.#release();
    this.#resolve(new KcpLink(this.#socket, endpoint, this.#options.link));
  }

  #fail(reason: 'PUNCH_TIMEOUT' | 'PUNCH_REFUSED' | 'PUNCH_FAILED', cause?: unknown): void {
    this.#give(punchError(reason, formatHostPort(this.#target), cause));
  }

  #give(error: Error): void {
    if (this.#over) return;
    this.#release();
    // Errors of datagrams still under way have nobody to go to.
    this.#socket.on('error', () => {});
    try {
      this.#socket.close();
    } catch {
      // Closed by somebody else.
    }
    this.#reject(error);
  }

  #release(): void {
    this.#over = true;
    this.#cancelTimer?.();
    this.#socket.off('message', this.#onMessage);
    this.#socket.off('error', this.#onError);
    this.#socket.off('close', this.#onClose);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onError = (error: Error): void => {
    if (systemCode(error) !== 'ECONNREFUSED') return;
    if (++this.#refusals >= MAX_REFUSALS) this.#fail('PUNCH_REFUSED', error);
  };

  readonly #onClose = (): void => this.#fail('PUNCH_FAILED', new Error('the UDP socket was closed'));

  readonly #onAbort = (): void => {
    this.#endpoint?.abort();
    this.#give(abortError(this.#options.signal as AbortSignal, 'punch'));
  };
}

function punchError(
  reason: 'PUNCH_TIMEOUT' | 'PUNCH_REFUSED' | 'PUNCH_FAILED',
  target: string,
  cause: unknown,
): Error {
  const make = (code: string, message: string, hint: string): LiteDeskError =>
    new LiteDeskError({ code, stage: 'punch', message, hint }, { cause });
  switch (reason) {
    case 'PUNCH_TIMEOUT':
      return make(
        'PUNCH_TIMEOUT',
        `No direct UDP path to ${target} was found in time.`,
        'A relay can carry the session instead.',
      );
    case 'PUNCH_REFUSED':
      return make(
        'PUNCH_REFUSED',
        `${target} refused the direct UDP path.`,
        'A relay can carry the session instead.',
      );
    default:
      return make(
        'PUNCH_FAILED',
        `The direct UDP path to ${target} could not be tried.`,
        'Check the network connection of this computer; a relay may still work.',
      );
  }
}
