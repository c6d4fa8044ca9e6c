/**
 * The 14-byte packet layer above UDP: opening, keeping alive and closing one KCP connection (rendezvous §10.2, §10.3).
 * A state machine over datagrams and milliseconds, in the manner of quinn-proto: feed `handle`, drain `pollTransmit`,
 * come back at `pollTimeout`.
 *
 * A stock peer sends SYN, SYN|ACK, the handshake ACK and FIN once each, so that a single lost datagram costs the whole
 * attempt. We repeat them in the ways its table allows: SYN with the same conv, then with a new one (its SYN|ACK may be
 * what was lost), SYN|ACK until established, the ACK until the first data arrives, FIN until answered.
 */
import { putU32, u32 } from './bytes.ts';
import { ENDPOINT_HEADER, KCP_MAX_WINDOW, MAX_DATAGRAM_IN } from './constants.ts';
import { Kcp } from './kcp.ts';

export const FLAG_SYN = 0x01;
export const FLAG_ACK = 0x02;
export const FLAG_FIN = 0x04;
export const FLAG_DATA = 0x08;
export const FLAG_RST = 0x10;
export const FLAG_PING = 0x20;
export const FLAG_PONG = 0x40;
/** The flags that the state machine looks at. */
const STATE_FLAGS = FLAG_SYN | FLAG_ACK | FLAG_FIN | FLAG_RST | FLAG_DATA;

const PING_INTERVAL_MS = 10_000;
/** Without any packet of the connection for longer than this it is dropped. */
const IDLE_LIMIT_MS = 60_000;
/** Waits between the openings that we send: long enough for a slow answer, short enough for a lossy line. */
const OPEN_RETRY_MS = [100, 200, 300, 400, 600] as const;
/** Attempts of one endpoint that are open at once, on either side: a peer that opens more is not served. */
const MAX_ATTEMPTS = 8;
/** Each conv is tried twice, then the next one. */
const SYNS_PER_CONV = 2;
const CONFIRM_RETRY_MS = [40, 80, 160, 320, 640, 1000] as const;
const FIN_RETRY_MS = 60;
const MAX_FINS = 4;
/** Control packets waiting to leave; what overflows is lost like a datagram. */
const MAX_CONTROL = 64;
/** A closed receive window is asked this early: the stock 7 s would be a visible standstill if its reopening is lost. */
const PROBE_FIRST_MS = 250;

export type KcpState = 'opening' | 'established' | 'local-closed' | 'peer-closed' | 'closed';
export type KcpCloseReason = 'local' | 'remote' | 'reset' | 'idle' | 'refused';
type AttemptState = 'syn-sent' | 'syn-received';

interface Attempt {
  readonly conv: number;
  readonly src: number;
  readonly dst: number;
  state: AttemptState;
  sent: number;
}

export interface KcpEndpointOptions {
  /** `connector` sends the SYN. */
  readonly role: 'connector' | 'acceptor';
  readonly nowMs: number;
  /** Connector: the first conv, any random u32; later attempts count up from it. */
  readonly conv?: number;
}

export class KcpEndpoint {
  readonly role: 'connector' | 'acceptor';
  #state: KcpState = 'opening';
  #closeReason: KcpCloseReason | undefined;
  #attempts: Attempt[] = [];
  #nextConv: number;
  #kcp: Kcp | undefined;
  #conv = 0;
  #src = 0;
  #dst = 0;
  #retryAt = Infinity;
  #retries = 0;
  /** Connector: the acceptor has shown by data or acks that it knows. */
  #confirmed = false;
  #closing = false;
  #finsSent = 0;
  #lastHeardAt: number;
  #pingAt: number;
  // Control packets: flags and triple, in a ring of numbers.
  readonly #control = new Uint32Array(MAX_CONTROL * 4);
  #controlHead = 0;
  #controlCount = 0;

  constructor(options: KcpEndpointOptions) {
    this.role = options.role;
    this.#nextConv = (options.conv ?? 0) >>> 0;
    this.#lastHeardAt = options.nowMs;
    this.#pingAt = options.nowMs + PING_INTERVAL_MS;
    if (this.role === 'connector') this.#open(options.nowMs);
  }

  get state(): KcpState {
    return this.#state;
  }

  /** Why `state` is `closed` or `peer-closed`. */
  get closeReason(): KcpCloseReason | undefined {
    return this.#closeReason;
  }

  /** The conversation in use, once established. */
  get conv(): number | undefined {
    return this.#kcp?.conv;
  }

  /** Segments the peer has not acknowledged, queued ones included. */
  get waiting(): number {
    return this.#kcp?.waiting ?? 0;
  }

  /** Bytes written that have not left even once. */
  get backlogBytes(): number {
    return this.#kcp?.backlogBytes ?? 0;
  }

  /** True when `read` has something. */
  get readable(): boolean {
    return this.#kcp?.readable ?? false;
  }

  get rttMs(): number {
    return this.#kcp?.rttMs ?? 0;
  }

  get retransmits(): number {
    return this.#kcp?.retransmits ?? 0;
  }

  /** Bytes taken, by reference; fewer than offered means: wait for acknowledgements. 0 before `established`. */
  write(bytes: Uint8Array): number {
    if (this.#state !== 'established' || this.#closing || !this.#kcp) return 0;
    return this.#kcp.write(bytes);
  }

  /** Next received bytes; still answers what is left after the peer closed. */
  read(): Uint8Array | undefined {
    return this.#kcp?.read();
  }

  /** Ends in order: FIN follows the last acknowledgement. Before `established` it resets. */
  close(nowMs: number): void {
    if (this.#state === 'established') {
      this.#closing = true;
      this.#finWhenDone(nowMs);
    } else if (this.#state === 'opening') this.abort();
    else if (this.#state === 'peer-closed') {
      // The peer waits for this in its LocalClosed state.
      this.#queue(FLAG_FIN, this.#conv, this.#src, this.#dst);
      this.#end('remote');
    }
  }

  /** Ends at once; the peer gets a RST. */
  abort(): void {
    if (this.#state === 'closed') return;
    for (const a of this.#attempts) this.#queue(FLAG_RST, a.conv, a.src, a.dst);
    if (this.#kcp && this.#state !== 'peer-closed') this.#queue(FLAG_RST, this.#conv, this.#src, this.#dst);
    this.#end('local');
  }

  /** Takes one datagram and keeps references into it: do not reuse the buffer. */
  handle(nowMs: number, datagram: Uint8Array): void {
    if (datagram.length < ENDPOINT_HEADER || datagram.length > MAX_DATAGRAM_IN) return;
    const conv = u32(datagram, 0);
    const src = u32(datagram, 4);
    const dst = u32(datagram, 8);
    const flags = datagram[12] as number;
    const kcp = this.#kcp;
    if (kcp && conv === this.#conv && src === this.#src && dst === this.#dst && this.#state !== 'closed') {
      this.#lastHeardAt = nowMs;
      if (flags & (FLAG_PING | FLAG_PONG)) {
        if (!(flags & FLAG_PONG)) this.#pong(flags, conv, src, dst, this.#state !== 'local-closed');
        return;
      }
      this.#handleCurrent(nowMs, kcp, flags, datagram);
      return;
    }
    const attempt = this.#attempts.find((a) => a.conv === conv && a.src === src && a.dst === dst);
    if (flags & (FLAG_PING | FLAG_PONG)) {
      if (attempt) this.#lastHeardAt = nowMs;
      if (!(flags & FLAG_PONG)) this.#pong(flags, conv, src, dst, attempt !== undefined);
      return;
    }
    if (attempt) {
      this.#lastHeardAt = nowMs;
      this.#handleAttempt(nowMs, attempt, flags, datagram);
    } else this.#handleUnknown(nowMs, conv, src, dst, flags);
  }

  /**
   * Writes the next datagram into `out` at `at` (MAX_DATAGRAM bytes of room) and returns its length; 0: nothing now.
   * Call until 0 after each handle, write, read, close, or timeout.
   */
  pollTransmit(nowMs: number, out: Uint8Array, at: number): number {
    if (this.#controlCount === 0) this.#tick(nowMs);
    if (this.#controlCount > 0) {
      const i = this.#controlHead * 4;
      this.#controlHead = (this.#controlHead + 1) % MAX_CONTROL;
      this.#controlCount--;
      const control = this.#control;
      putHeader(
        out,
        at,
        control[i + 1] as number,
        control[i + 2] as number,
        control[i + 3] as number,
        control[i] as number,
      );
      return ENDPOINT_HEADER;
    }
    if (!this.#kcp || this.#state === 'closed' || this.#state === 'peer-closed') return 0;
    const length = this.#kcp.pollTransmit(nowMs, out, at + ENDPOINT_HEADER);
    if (length === 0) return 0;
    putHeader(out, at, this.#conv, this.#src, this.#dst, FLAG_ACK | FLAG_DATA);
    return ENDPOINT_HEADER + length;
  }

  /** When to call pollTransmit again although nothing happened, in ms of the same clock; Infinity: never. */
  pollTimeout(nowMs: number): number {
    if (this.#controlCount > 0) return nowMs;
    if (this.#state === 'closed') return Infinity;
    let at = Math.min(this.#retryAt, this.#lastHeardAt + IDLE_LIMIT_MS);
    if (this.#state !== 'peer-closed') {
      at = Math.min(at, this.#pingAt);
      if (this.#kcp) at = Math.min(at, this.#kcp.pollTimeout(nowMs));
    }
    return at;
  }

  #handleCurrent(nowMs: number, kcp: Kcp, flags: number, datagram: Uint8Array): void {
    const state = this.#state;
    if (state === 'peer-closed') {
      if (flags & FLAG_RST) this.#end('reset');
      return;
    }
    if (flags & FLAG_DATA) {
      if (!this.#confirmed && flags === (FLAG_ACK | FLAG_DATA)) this.#confirm();
      if (datagram.length > ENDPOINT_HEADER) kcp.handle(nowMs, datagram, ENDPOINT_HEADER);
      if (this.#closing && state === 'established') this.#finWhenDone(nowMs);
    }
    if (flags & FLAG_RST) this.#end(this.#finsSent > 0 ? 'local' : 'reset');
    else if (flags & FLAG_FIN) {
      if (state === 'established') {
        this.#state = 'peer-closed';
        this.#closeReason = 'remote';
        this.#retryAt = Infinity;
      } else this.#end('local');
    }
  }

  #handleAttempt(nowMs: number, attempt: Attempt, flags: number, datagram: Uint8Array): void {
    const exact = flags & STATE_FLAGS;
    if (exact & FLAG_RST) {
      this.#drop(attempt);
      if (this.role === 'connector' && this.#attempts.length === 0 && this.#nextTries(nowMs) === false)
        this.#end('refused');
    } else if (exact & FLAG_FIN) {
      this.#drop(attempt);
      this.#queue(FLAG_RST, attempt.conv, attempt.src, attempt.dst);
    } else if (attempt.state === 'syn-sent' && exact === (FLAG_SYN | FLAG_ACK)) {
      this.#establish(nowMs, attempt);
      this.#queue(FLAG_ACK | FLAG_DATA, attempt.conv, attempt.src, attempt.dst);
      this.#retries = 0;
      this.#retryAt = nowMs + CONFIRM_RETRY_MS[0];
    } else if (attempt.state === 'syn-received' && exact === (FLAG_ACK | FLAG_DATA)) {
      const kcp = this.#establish(nowMs, attempt);
      this.#confirm();
      if (datagram.length > ENDPOINT_HEADER) kcp.handle(nowMs, datagram, ENDPOINT_HEADER);
    } else if (attempt.state === 'syn-received' && exact === FLAG_SYN)
      this.#queue(FLAG_SYN | FLAG_ACK, attempt.conv, attempt.src, attempt.dst);
  }

  #handleUnknown(nowMs: number, conv: number, src: number, dst: number, flags: number): void {
    const exact = flags & STATE_FLAGS;
    if (exact & FLAG_RST) return;
    if (exact !== FLAG_SYN || this.role === 'connector') {
      // Late answers to attempts which another one has overtaken end on the other side by this, too.
      this.#queue(FLAG_RST, conv, src, dst);
      return;
    }
    if (this.#state !== 'opening' || this.#attempts.length >= MAX_ATTEMPTS) return;
    this.#attempts.push({ conv, src, dst, state: 'syn-received', sent: 1 });
    this.#lastHeardAt = nowMs;
    this.#queue(FLAG_SYN | FLAG_ACK, conv, src, dst);
    if (this.#retryAt === Infinity) this.#retryAt = nowMs + OPEN_RETRY_MS[0];
  }

  #establish(nowMs: number, attempt: Attempt): Kcp {
    this.#conv = attempt.conv;
    this.#src = attempt.src;
    this.#dst = attempt.dst;
    const kcp = new Kcp({
      conv: attempt.conv,
      nowMs,
      probeFirstMs: PROBE_FIRST_MS,
      maxReceiveWindow: KCP_MAX_WINDOW,
    });
    this.#kcp = kcp;
    this.#state = 'established';
    this.#attempts = [];
    return kcp;
  }

  #confirm(): void {
    this.#confirmed = true;
    if (this.#finsSent === 0) this.#retryAt = Infinity;
  }

  #drop(attempt: Attempt): void {
    this.#attempts = this.#attempts.filter((a) => a !== attempt);
  }

  /** Connector: a new attempt, if one may still be made. */
  #nextTries(nowMs: number): boolean {
    if (this.#retries >= MAX_ATTEMPTS * SYNS_PER_CONV) return false;
    this.#retryAt = Math.min(this.#retryAt, nowMs + OPEN_RETRY_MS[0]);
    return true;
  }

  #open(nowMs: number): void {
    const newest = this.#attempts.at(-1);
    let attempt = newest && newest.sent < SYNS_PER_CONV ? newest : undefined;
    if (!attempt) {
      attempt = { conv: this.#nextConv, src: 0, dst: 0, state: 'syn-sent', sent: 0 };
      this.#nextConv = (this.#nextConv + 1) >>> 0;
      this.#attempts.push(attempt);
      if (this.#attempts.length > MAX_ATTEMPTS) this.#attempts.shift();
    }
    attempt.sent++;
    this.#queue(FLAG_SYN, attempt.conv, 0, 0);
    this.#retryAt = nowMs + step(OPEN_RETRY_MS, this.#retries++);
  }

  #finWhenDone(nowMs: number): void {
    if (this.#state !== 'established' || this.#kcp?.waiting !== 0) return;
    this.#state = 'local-closed';
    this.#fin(nowMs);
  }

  #fin(nowMs: number): void {
    this.#finsSent++;
    this.#queue(FLAG_FIN, this.#conv, this.#src, this.#dst);
    this.#retryAt = nowMs + FIN_RETRY_MS;
  }

  /** What is due by time alone. */
  #tick(nowMs: number): void {
    if (this.#state === 'closed') return;
    if (nowMs - this.#lastHeardAt >= IDLE_LIMIT_MS) {
      this.#end('idle');
      return;
    }
    if (nowMs >= this.#pingAt) {
      this.#pingAt = nowMs + PING_INTERVAL_MS;
      if (this.#kcp) {
        if (this.#state === 'established') this.#queue(FLAG_PING, this.#conv, this.#src, this.#dst);
      } else for (const a of this.#attempts) this.#queue(FLAG_PING, a.conv, a.src, a.dst);
    }
    if (nowMs < this.#retryAt) return;
    if (this.#state === 'opening') {
      if (this.role === 'connector') this.#open(nowMs);
      else {
        for (const a of this.#attempts) this.#queue(FLAG_SYN | FLAG_ACK, a.conv, a.src, a.dst);
        this.#retryAt = this.#attempts.length > 0 ? nowMs + step(OPEN_RETRY_MS, ++this.#retries) : Infinity;
      }
    } else if (this.#state === 'local-closed') {
      if (this.#finsSent < MAX_FINS) this.#fin(nowMs);
      else this.#end('local');
    } else if (this.#state === 'established' && !this.#confirmed) {
      this.#queue(FLAG_ACK | FLAG_DATA, this.#conv, this.#src, this.#dst);
      this.#retryAt = nowMs + step(CONFIRM_RETRY_MS, ++this.#retries);
    } else this.#retryAt = Infinity;
  }

  #pong(flags: number, conv: number, src: number, dst: number, known: boolean): void {
    this.#queue(known ? flags | FLAG_PONG : (flags & ~FLAG_PING) | FLAG_RST, conv, src, dst);
  }

  #end(reason: KcpCloseReason): void {
    if (this.#state === 'closed') return;
    if (this.#state !== 'peer-closed') this.#closeReason = reason;
    this.#state = 'closed';
    this.#attempts = [];
    this.#retryAt = Infinity;
  }

  #queue(flags: number, conv: number, src: number, dst: number): void {
    if (this.#controlCount >= MAX_CONTROL) return;
    const i = ((this.#controlHead + this.#controlCount++) % MAX_CONTROL) * 4;
    this.#control[i] = flags;
    this.#control[i + 1] = conv;
    this.#control[i + 2] = src;
    this.#control[i + 3] = dst;
  }
}

function step(table: readonly number[], index: number): number {
  return table[Math.min(index, table.length - 1)] as number;
}

function putHeader(out: Uint8Array, at: number, conv: number, src: number, dst: number, flags: number): void {
  putU32(out, at, conv);
  putU32(out, at + 4, src);
  putU32(out, at + 8, dst);
  out[at + 12] = flags;
  out[at + 13] = 0;
}
