/**
 * The 14-byte packet layer above UDP: opening, keeping alive and closing one KCP connection (rendezvous §10.2, §10.3).
 * A state machine over datagrams and milliseconds, in the manner of quinn-proto: feed `handle`, drain `pollTransmit`,
 * come back at `pollTimeout`.
 *
 * A stock peer sends SYN, SYN|ACK, the handshake ACK and FIN once each, so that a single lost datagram costs the whole
 * attempt. We repeat them in the ways its table allows: SYN with the same conv, then with a new one (its SYN|ACK may be
 * what was lost), SYN|ACK until established, the ACK until the first data arrives, FIN until answered.
 */
import { u32 } from './bytes.ts';
import { ENDPOINT_HEADER, MAX_DATAGRAM, MAX_DATAGRAM_IN } from './constants.ts';
import { Kcp } from './kcp.ts';
import {
  ControlQueue,
  FLAG_ACK,
  FLAG_DATA,
  FLAG_FIN,
  FLAG_PING,
  FLAG_PONG,
  FLAG_RST,
  FLAG_SYN,
  putHeader,
  STATE_FLAGS,
} from './packet.ts';

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
  /** When its opening was sent for the first time. */
  readonly sentAt: number;
}

export interface KcpEndpointOptions {
  /** `connector` sends the SYN. */
  readonly role: 'connector' | 'acceptor';
  readonly nowMs: number;
  /** Connector: the first conv, any random u32; later attempts count up from it. */
  readonly conv?: number;
  /** The layer below has opened the connection at both ends, as `conv` and these two: there is no SYN. */
  readonly opened?: { readonly src: number; readonly dst: number };
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
  readonly #control = new ControlQueue();

  constructor(options: KcpEndpointOptions) {
    this.role = options.role;
    this.#nextConv = (options.conv ?? 0) >>> 0;
    this.#lastHeardAt = options.nowMs;
    this.#pingAt = options.nowMs + PING_INTERVAL_MS;
    const { opened, nowMs } = options;
    if (opened) {
      this.#establish(nowMs, { ...opened, conv: this.#nextConv, state: 'syn-sent', sent: 0, sentAt: nowMs });
      this.#confirm();
    } else if (this.role === 'connector') this.#open(nowMs);
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

  /** What the path carries, in bytes per ms with all headers; 0 before the first measurement. */
  get bandwidth(): number {
    return this.#kcp?.bandwidth ?? 0;
  }

  get retransmits(): number {
    return this.#kcp?.retransmits ?? 0;
  }

  /** Once established: sends datagrams of up to so many bytes, at most MAX_DATAGRAM, if they arrive (packet-size.ts). */
  tryDatagram(nowMs: number, bytes: number): void {
    this.#kcp?.tryPacket(nowMs, Math.min(bytes, MAX_DATAGRAM) - ENDPOINT_HEADER);
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
      this.#control.push(FLAG_FIN, this.#conv, this.#src, this.#dst);
      this.#end('remote');
    }
  }

  /** Ends at once; the peer gets a RST. */
  abort(): void {
    if (this.#state === 'closed') return;
    for (const a of this.#attempts) this.#control.push(FLAG_RST, a.conv, a.src, a.dst);
    if (this.#kcp && this.#state !== 'peer-closed')
      this.#control.push(FLAG_RST, this.#conv, this.#src, this.#dst);
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
    if (this.#control.empty) this.#tick(nowMs);
    if (!this.#control.empty) return this.#control.shift(out, at);
    if (!this.#kcp || this.#state === 'closed' || this.#state === 'peer-closed') return 0;
    const length = this.#kcp.pollTransmit(nowMs, out, at + ENDPOINT_HEADER);
    if (length === 0) return 0;
    putHeader(out, at, this.#conv, this.#src, this.#dst, FLAG_ACK | FLAG_DATA);
    return ENDPOINT_HEADER + length;
  }

  /** When to call pollTransmit again although nothing happened, in ms of the same clock; Infinity: never. */
  pollTimeout(nowMs: number): number {
    if (!this.#control.empty) return nowMs;
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
      this.#control.push(FLAG_RST, attempt.conv, attempt.src, attempt.dst);
    } else if (attempt.state === 'syn-sent' && exact === (FLAG_SYN | FLAG_ACK)) {
      this.#establish(nowMs, attempt);
      this.#control.push(FLAG_ACK | FLAG_DATA, attempt.conv, attempt.src, attempt.dst);
      this.#retries = 0;
      this.#retryAt = nowMs + CONFIRM_RETRY_MS[0];
    } else if (attempt.state === 'syn-received' && exact === (FLAG_ACK | FLAG_DATA)) {
      const kcp = this.#establish(nowMs, attempt);
      this.#confirm();
      if (datagram.length > ENDPOINT_HEADER) kcp.handle(nowMs, datagram, ENDPOINT_HEADER);
    } else if (attempt.state === 'syn-received' && exact === FLAG_SYN) {
      attempt.sent++;
      this.#control.push(FLAG_SYN | FLAG_ACK, attempt.conv, attempt.src, attempt.dst);
    }
  }

  #handleUnknown(nowMs: number, conv: number, src: number, dst: number, flags: number): void {
    const exact = flags & STATE_FLAGS;
    if (exact & FLAG_RST) return;
    if (exact !== FLAG_SYN || this.role === 'connector') {
      // Late answers to attempts which another one has overtaken end on the other side by this, too.
      this.#control.push(FLAG_RST, conv, src, dst);
      return;
    }
    if (this.#state !== 'opening' || this.#attempts.length >= MAX_ATTEMPTS) return;
    this.#attempts.push({ conv, src, dst, state: 'syn-received', sent: 1, sentAt: nowMs });
    this.#lastHeardAt = nowMs;
    this.#control.push(FLAG_SYN | FLAG_ACK, conv, src, dst);
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
      receiver: 'adaptive',
      // Of the first opening; if a later one was answered, the first ack puts it right.
      rttMs: nowMs - attempt.sentAt,
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
      attempt = { conv: this.#nextConv, src: 0, dst: 0, state: 'syn-sent', sent: 0, sentAt: nowMs };
      this.#nextConv = (this.#nextConv + 1) >>> 0;
      this.#attempts.push(attempt);
      if (this.#attempts.length > MAX_ATTEMPTS) this.#attempts.shift();
    }
    attempt.sent++;
    this.#control.push(FLAG_SYN, attempt.conv, 0, 0);
    this.#retryAt = nowMs + step(OPEN_RETRY_MS, this.#retries++);
  }

  #finWhenDone(nowMs: number): void {
    if (this.#state !== 'established' || this.#kcp?.waiting !== 0) return;
    this.#state = 'local-closed';
    this.#fin(nowMs);
  }

  #fin(nowMs: number): void {
    this.#finsSent++;
    this.#control.push(FLAG_FIN, this.#conv, this.#src, this.#dst);
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
      // Not while opening: one that overtakes its SYN is answered by a RST, which ends what that SYN has just begun.
      if (this.#state === 'established') this.#control.push(FLAG_PING, this.#conv, this.#src, this.#dst);
    }
    if (nowMs < this.#retryAt) return;
    if (this.#state === 'opening') {
      if (this.role === 'connector') this.#open(nowMs);
      else {
        for (const a of this.#attempts) {
          a.sent++;
          this.#control.push(FLAG_SYN | FLAG_ACK, a.conv, a.src, a.dst);
        }
        this.#retryAt = this.#attempts.length > 0 ? nowMs + step(OPEN_RETRY_MS, ++this.#retries) : Infinity;
      }
    } else if (this.#state === 'local-closed') {
      if (this.#finsSent < MAX_FINS) this.#fin(nowMs);
      else this.#end('local');
    } else if (this.#state === 'established' && !this.#confirmed) {
      this.#control.push(FLAG_ACK | FLAG_DATA, this.#conv, this.#src, this.#dst);
      this.#retryAt = nowMs + step(CONFIRM_RETRY_MS, ++this.#retries);
    } else this.#retryAt = Infinity;
  }

  #pong(flags: number, conv: number, src: number, dst: number, known: boolean): void {
    this.#control.push(known ? flags | FLAG_PONG : (flags & ~FLAG_PING) | FLAG_RST, conv, src, dst);
  }

  #end(reason: KcpCloseReason): void {
    if (this.#state === 'closed') return;
    if (this.#state !== 'peer-closed') this.#closeReason = reason;
    this.#state = 'closed';
    this.#attempts = [];
    this.#retryAt = Infinity;
  }
}

function step(table: readonly number[], index: number): number {
  return table[Math.min(index, table.length - 1)] as number;
}
