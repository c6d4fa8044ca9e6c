/**
 * The reliable byte stream over datagrams: KCP 1.x as RustDesk configures it (rendezvous §10.4), stream mode, written
 * from the format. Pure: time comes in as a number of milliseconds, packets are written into the caller's buffer.
 *
 * Nothing is allocated per segment on the sending side: segments live in a slab of fixed slots (`sn & mask`), the
 * unacknowledged ones are linked in sending order, so an acknowledgement costs the same whatever is in flight.
 */
import { ByteQueue } from './byte-queue.ts';
import { Congestion } from './congestion.ts';
import {
  CMD_ACK,
  CMD_PUSH,
  CMD_WASK,
  CMD_WINS,
  KCP_FAST_LIMIT,
  KCP_FAST_RESEND,
  KCP_HEADER,
  KCP_INTERVAL_MS,
  KCP_MSS,
  KCP_MTU,
  KCP_PROBE_FIRST_MS,
  KCP_PROBE_MAX_MS,
  KCP_REMOTE_WINDOW,
  KCP_RTO_INITIAL_MS,
  KCP_RTO_MAX_MS,
  KCP_RTO_MIN_MS,
  KCP_WINDOW,
  SEND_LIMIT_SEGMENTS,
} from './constants.ts';

const MASK = KCP_WINDOW - 1;
/** Received segments are kept up to one window unread plus one window out of order. */
const RECEIVE_SLOTS = 2 * KCP_WINDOW;
const RECEIVE_MASK = RECEIVE_SLOTS - 1;
/** End of the list of unacknowledged slots. */
const NIL = KCP_WINDOW;
/** Acks wait at most one interval, or until this many are there: half a packet. */
const ACK_BATCH = 16;
/** A peer that sends more than this before we may answer sends it again. */
const MAX_PENDING_ACKS = 2 * KCP_WINDOW;
/** Own timeouts back off no further: a path that was away must not be found again only seconds later. */
const BACKOFF_LIMIT_MS = 3_000;
/** An ack that claims a longer round trip is a lie or useless. */
const MAX_RTT_MS = 60_000;

export interface KcpOptions {
  readonly conv: number;
  /** The object's clock starts here: `ts` on the wire counts from it. */
  readonly nowMs: number;
  /** First wait before asking a closed window again; each further one is 1.5 times as long. Default 7000 ms. */
  readonly probeFirstMs?: number;
}

export class Kcp {
  readonly conv: number;
  readonly #epoch: number;
  readonly #congestion: Congestion;

  // Sending: [#una, #next) is in flight, #backlog waits behind it.
  readonly #slab = new Uint8Array(KCP_WINDOW * KCP_MSS);
  readonly #len = new Uint16Array(KCP_WINDOW);
  readonly #sn = new Uint32Array(KCP_WINDOW);
  readonly #ts = new Uint32Array(KCP_WINDOW);
  readonly #sentAt = new Float64Array(KCP_WINDOW);
  readonly #resendAt = new Float64Array(KCP_WINDOW);
  readonly #rto = new Float64Array(KCP_WINDOW);
  readonly #transmits = new Uint32Array(KCP_WINDOW);
  readonly #skips = new Uint32Array(KCP_WINDOW);
  readonly #live = new Uint8Array(KCP_WINDOW);
  readonly #queued = new Uint8Array(KCP_WINDOW);
  readonly #linkNext = new Uint16Array(KCP_WINDOW + 1).fill(NIL);
  readonly #linkPrev = new Uint16Array(KCP_WINDOW + 1).fill(NIL);
  readonly #backlog = new ByteQueue();
  #una = 0;
  #next = 0;
  #inFlight = 0;
  // Slots due for another transmission, in the order found; each slot at most once.
  readonly #resend = new Uint16Array(KCP_WINDOW);
  readonly #resendSn = new Uint32Array(KCP_WINDOW);
  #resendHead = 0;
  #resendCount = 0;
  /** No unacknowledged segment times out before this. */
  #earliestResend = Infinity;
  #roundEnd = 0;

  #remoteWindow = KCP_REMOTE_WINDOW;
  #srtt = 0;
  #rttKnown = false;
  #rttvar = 0;
  #rxRto = KCP_RTO_INITIAL_MS;

  // Receiving: [#readNext, #rcvNext) is in order and unread, beyond it are holes.
  readonly #received: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(RECEIVE_SLOTS).fill(
    undefined,
  );
  #readNext = 0;
  #rcvNext = 0;
  #outOfOrder = 0;
  readonly #ackSn = new Uint32Array(MAX_PENDING_ACKS);
  readonly #ackTs = new Uint32Array(MAX_PENDING_ACKS);
  #ackHead = 0;
  #ackCount = 0;
  #ackNow = false;
  #lastAckAt = -Infinity;
  #wasFull = false;
  #tell = false;

  // Window probe.
  readonly #probeFirst: number;
  #probeWait = 0;
  #probeAt = Infinity;
  #ask = false;

  #retransmits = 0;

  constructor(options: KcpOptions) {
    this.conv = options.conv >>> 0;
    this.#epoch = options.nowMs;
    this.#probeFirst = options.probeFirstMs ?? KCP_PROBE_FIRST_MS;
    this.#congestion = new Congestion(KCP_WINDOW, options.nowMs);
  }

  /** Bytes written and not sent even once. */
  get backlogBytes(): number {
    return this.#backlog.length;
  }

  /** Unacknowledged plus queued segments; 0 means the peer has everything. */
  get waiting(): number {
    return this.#inFlight + Math.ceil(this.#backlog.length / KCP_MSS);
  }

  get readable(): boolean {
    return this.#readNext !== this.#rcvNext;
  }

  /** Smoothed round trip in ms, 0 before the first sample. */
  get rttMs(): number {
    return this.#srtt;
  }

  /** Segments sent more than once so far. */
  get retransmits(): number {
    return this.#retransmits;
  }

  /** Takes bytes for sending, by reference: do not change them. Returns how many; less than offered means full. */
  write(bytes: Uint8Array): number {
    const room = SEND_LIMIT_SEGMENTS * KCP_MSS - this.#inFlight * KCP_MSS - this.#backlog.length;
    if (room <= 0) return 0;
    if (bytes.length <= room) {
      this.#backlog.push(bytes);
      return bytes.length;
    }
    this.#backlog.push(bytes.subarray(0, room));
    return room;
  }

  /** Next received bytes in order; undefined when there are none. */
  read(): Uint8Array | undefined {
    while (this.#readNext !== this.#rcvNext) {
      const slot = this.#readNext & RECEIVE_MASK;
      const data = this.#received[slot] as Uint8Array;
      this.#received[slot] = undefined;
      this.#readNext = (this.#readNext + 1) >>> 0;
      this.#advance();
      const unread = (this.#rcvNext - this.#readNext) | 0;
      if (this.#wasFull && unread <= KCP_WINDOW / 2) {
        // The peer saw a closed window: tell it now instead of waiting for its probe.
        this.#wasFull = false;
        this.#tell = true;
      }
      if (data.length > 0) return data;
    }
    if (this.#wasFull) {
      this.#wasFull = false;
      this.#tell = true;
    }
    return undefined;
  }

  /**
   * Takes one KCP packet: `data` from `start` on. Keeps references into it. False: not a packet of this conversation
   * (what preceded the fault has been taken).
   */
  handle(nowMs: number, data: Uint8Array, start: number): boolean {
    const end = data.length;
    let at = start;
    let acked = 0;
    let sawAck = false;
    let maxAck = 0;
    let maxAckTs = 0;
    let roundDone = false;
    // The first ack segment of a packet acknowledges the others by its una; they are samples all the same.
    const firstUna = this.#una;
    let ok = end - at >= KCP_HEADER;
    while (end - at >= KCP_HEADER) {
      const cmd = data[at + 4] as number;
      const length = u32(data, at + 20);
      const una = u32(data, at + 16);
      if (
        u32(data, at) !== this.conv ||
        length > end - at - KCP_HEADER ||
        cmd < CMD_PUSH ||
        cmd > CMD_WINS ||
        ((una - this.#next) | 0) > 0
      ) {
        ok = false;
        break;
      }
      this.#remoteWindow = (data[at + 6] as number) | ((data[at + 7] as number) << 8);
      const ts = u32(data, at + 8);
      const sn = u32(data, at + 12);

      while (((una - this.#una) | 0) > 0) {
        const slot = this.#una & MASK;
        if (this.#live[slot]) {
          if (((this.#una - this.#roundEnd) | 0) >= 0) roundDone = true;
          this.#remove(slot);
          acked++;
        }
        this.#una = (this.#una + 1) >>> 0;
      }

      if (cmd === CMD_ACK) {
        const slot = sn & MASK;
        const known = ((sn - this.#una) | 0) >= 0 && ((this.#next - sn) | 0) > 0;
        if (known || ((sn - firstUna) | 0) >= 0) this.#sampleRtt(nowMs, sn, ts, slot);
        if (known && this.#live[slot]) {
          if (((sn - this.#roundEnd) | 0) >= 0) roundDone = true;
          this.#remove(slot);
          acked++;
        }
        if (!sawAck || ((sn - maxAck) | 0) > 0) {
          if (((this.#next - sn) | 0) > 0) {
            sawAck = true;
            maxAck = sn;
            maxAckTs = ts;
          }
        }
      } else if (cmd === CMD_PUSH) this.#push(sn, ts, data, at + KCP_HEADER, length);
      else if (cmd === CMD_WASK) this.#tell = true;
      at += KCP_HEADER + length;
    }
    this.#una = this.#inFlight === 0 ? this.#next : (this.#sn[this.#linkNext[NIL] as number] as number);
    if (sawAck) this.#countSkips(maxAck, maxAckTs);
    if (acked > 0) {
      this.#congestion.onAcked(nowMs, acked, roundDone);
      if (roundDone) this.#roundEnd = this.#next;
    }
    return ok;
  }

  /**
   * Writes the next packet into `out` at `at` (KCP_MTU bytes of room) and returns its length; 0: nothing to send now.
   * Call until 0 after each input, write, or timeout.
   */
  pollTransmit(nowMs: number, out: Uint8Array, at: number): number {
    if (nowMs >= this.#earliestResend) this.#scanTimeouts(nowMs);
    this.#probe(nowMs);

    let room = this.#congestion.budget(nowMs) >= 1;
    const window = Math.min(this.#remoteWindow, this.#congestion.window(nowMs));
    const end = at + KCP_MTU;
    const unread = (this.#rcvNext - this.#readNext) | 0;
    const free = Math.max(0, KCP_WINDOW - unread);
    let o = at;

    if (
      this.#ackCount > 0 &&
      (this.#acksDue(nowMs) || (room && (this.#resendCount > 0 || this.#mayCut(window))))
    ) {
      while (this.#ackCount > 0 && o + KCP_HEADER <= end) {
        const i = this.#ackHead;
        o = this.#header(out, o, CMD_ACK, free, this.#ackTs[i] as number, this.#ackSn[i] as number, 0);
        this.#ackHead = (i + 1) % MAX_PENDING_ACKS;
        this.#ackCount--;
      }
      if (this.#ackCount === 0) {
        this.#ackNow = false;
        this.#lastAckAt = nowMs;
      } else this.#ackNow = true;
    }
    if (this.#ask && o + KCP_HEADER <= end) {
      this.#ask = false;
      o = this.#header(out, o, CMD_WASK, free, 0, 0, 0);
    }
    if (this.#tell && o + KCP_HEADER <= end) {
      this.#tell = false;
      o = this.#header(out, o, CMD_WINS, free, 0, 0, 0);
    }

    while (room && this.#resendCount > 0) {
      const slot = this.#resend[this.#resendHead] as number;
      const current = this.#live[slot] && this.#sn[slot] === this.#resendSn[this.#resendHead];
      if (current && o + KCP_HEADER + (this.#len[slot] as number) > end) return o - at;
      this.#resendHead = (this.#resendHead + 1) & MASK;
      this.#resendCount--;
      this.#queued[slot] = 0;
      if (!current) {
        // Acknowledged meanwhile; whoever has the slot now was left out of the last scan.
        if (this.#live[slot])
          this.#earliestResend = Math.min(this.#earliestResend, this.#resendAt[slot] as number);
        continue;
      }
      this.#retransmits++;
      o = this.#segment(nowMs, slot, out, o, free);
      room = this.#congestion.budget(nowMs) >= 1;
    }
    while (room && this.#mayCut(window)) {
      const length = Math.min(KCP_MSS, this.#backlog.length);
      if (o + KCP_HEADER + length > end) return o - at;
      const slot = this.#cut(length);
      o = this.#segment(nowMs, slot, out, o, free);
      room = this.#congestion.budget(nowMs) >= 1;
    }
    if (this.#backlog.length === 0) this.#congestion.onAppLimited();
    return o - at;
  }

  /** When pollTransmit should be called next although nothing comes in; Infinity: never. */
  pollTimeout(nowMs: number): number {
    let at = this.#earliestResend;
    if (this.#ackCount > 0)
      at = Math.min(at, this.#acksDue(nowMs) ? nowMs : this.#lastAckAt + KCP_INTERVAL_MS);
    if (this.#tell || this.#ask) return nowMs;
    if (this.#probeWait > 0) at = Math.min(at, this.#probeAt);
    const window = Math.min(this.#remoteWindow, this.#congestion.window(nowMs));
    if (this.#resendCount > 0 || this.#mayCut(window)) at = Math.min(at, this.#congestion.nextSendAt());
    else if (this.#backlog.length > 0 && this.#remoteWindow > 0) at = Math.min(at, nowMs + KCP_INTERVAL_MS);
    return at;
  }

  #acksDue(nowMs: number): boolean {
    return this.#ackNow || this.#ackCount >= ACK_BATCH || nowMs - this.#lastAckAt >= KCP_INTERVAL_MS;
  }

  #mayCut(window: number): boolean {
    return (
      this.#backlog.length > 0 &&
      this.#inFlight < window &&
      // The receiver counts its window from the first segment it misses.
      ((this.#next - this.#una) | 0) < Math.min(KCP_WINDOW, this.#remoteWindow)
    );
  }

  /** Makes the next segment from the front of the backlog. */
  #cut(length: number): number {
    const sn = this.#next;
    const slot = sn & MASK;
    this.#next = (sn + 1) >>> 0;
    this.#backlog.take(this.#slab, slot * KCP_MSS, length);
    this.#len[slot] = length;
    this.#sn[slot] = sn;
    this.#transmits[slot] = 0;
    this.#live[slot] = 1;
    const last = this.#linkPrev[NIL] as number;
    this.#linkNext[last] = slot;
    this.#linkPrev[slot] = last;
    this.#linkNext[slot] = NIL;
    this.#linkPrev[NIL] = slot;
    this.#inFlight++;
    return slot;
  }

  #remove(slot: number): void {
    this.#live[slot] = 0;
    const prev = this.#linkPrev[slot] as number;
    const next = this.#linkNext[slot] as number;
    this.#linkNext[prev] = next;
    this.#linkPrev[next] = prev;
    this.#inFlight--;
    if (this.#inFlight === 0) this.#earliestResend = Infinity;
  }

  /** Writes a PUSH segment and arms its timeout. */
  #segment(nowMs: number, slot: number, out: Uint8Array, o: number, free: number): number {
    const transmits = (this.#transmits[slot] as number) + 1;
    this.#transmits[slot] = transmits;
    if (transmits === 1) this.#rto[slot] = this.#rxRto;
    const ts = this.#clock(nowMs);
    this.#ts[slot] = ts;
    this.#sentAt[slot] = nowMs;
    this.#skips[slot] = 0;
    const due = nowMs + (this.#rto[slot] as number);
    this.#resendAt[slot] = due;
    if (due < this.#earliestResend) this.#earliestResend = due;
    this.#congestion.onSent();
    const length = this.#len[slot] as number;
    const body = this.#header(out, o, CMD_PUSH, free, ts, this.#sn[slot] as number, length);
    const from = slot * KCP_MSS;
    out.set(this.#slab.subarray(from, from + length), body);
    return body + length;
  }

  #header(
    out: Uint8Array,
    o: number,
    cmd: number,
    wnd: number,
    ts: number,
    sn: number,
    length: number,
  ): number {
    putU32(out, o, this.conv);
    out[o + 4] = cmd;
    out[o + 5] = 0;
    out[o + 6] = wnd & 0xff;
    out[o + 7] = wnd >>> 8;
    putU32(out, o + 8, ts);
    putU32(out, o + 12, sn);
    putU32(out, o + 16, this.#rcvNext);
    putU32(out, o + 20, length);
    return o + KCP_HEADER;
  }

  #clock(nowMs: number): number {
    return Math.floor(nowMs - this.#epoch) >>> 0;
  }

  #push(sn: number, ts: number, data: Uint8Array, at: number, length: number): void {
    const ahead = (sn - this.#rcvNext) | 0;
    if (ahead >= KCP_WINDOW) return;
    if (this.#ackCount < MAX_PENDING_ACKS) {
      const i = (this.#ackHead + this.#ackCount++) % MAX_PENDING_ACKS;
      this.#ackSn[i] = sn;
      this.#ackTs[i] = ts;
    }
    // A hole, or a repetition (its ack was lost): the sender waits for word of it.
    if (ahead !== 0) this.#ackNow = true;
    if (ahead < 0) return;
    const slot = sn & RECEIVE_MASK;
    if (this.#received[slot] !== undefined) return;
    this.#received[slot] = data.subarray(at, at + length);
    this.#outOfOrder++;
    this.#advance();
  }

  /** Moves what has become contiguous into the readable part, up to one window of it. */
  #advance(): void {
    while (this.#outOfOrder > 0 && ((this.#rcvNext - this.#readNext) | 0) < KCP_WINDOW) {
      if (this.#received[this.#rcvNext & RECEIVE_MASK] === undefined) return;
      this.#rcvNext = (this.#rcvNext + 1) >>> 0;
      this.#outOfOrder--;
    }
    if (((this.#rcvNext - this.#readNext) | 0) >= KCP_WINDOW) this.#wasFull = true;
  }

  #sampleRtt(nowMs: number, sn: number, ts: number, slot: number): void {
    // Our own record is finer than the echoed whole milliseconds, when it is of the same transmission.
    const own = this.#sn[slot] === sn && this.#ts[slot] === ts;
    const rtt = own ? nowMs - (this.#sentAt[slot] as number) : (this.#clock(nowMs) - ts) | 0;
    if (rtt < 0 || rtt > MAX_RTT_MS) return;
    if (!this.#rttKnown) {
      this.#rttKnown = true;
      this.#srtt = rtt;
      this.#rttvar = rtt / 2;
    } else {
      this.#rttvar += (Math.abs(rtt - this.#srtt) - this.#rttvar) / 4;
      this.#srtt += (rtt - this.#srtt) / 8;
    }
    const rto = this.#srtt + Math.max(KCP_INTERVAL_MS, 4 * this.#rttvar);
    this.#rxRto = Math.min(Math.max(KCP_RTO_MIN_MS, rto), KCP_RTO_MAX_MS);
    if (own) this.#congestion.onRtt(nowMs, rtt, this.#srtt);
  }

  /** Segments that a later ack has overtaken; "conserve": only acks of what was sent after them count. */
  #countSkips(maxAck: number, ackTs: number): void {
    for (let slot = this.#linkNext[NIL] as number; slot !== NIL; slot = this.#linkNext[slot] as number) {
      if ((((this.#sn[slot] as number) - maxAck) | 0) >= 0) break;
      if (((ackTs - (this.#ts[slot] as number)) | 0) < 0) continue;
      const skips = (this.#skips[slot] as number) + 1;
      this.#skips[slot] = skips;
      if (skips >= KCP_FAST_RESEND && (this.#transmits[slot] as number) <= KCP_FAST_LIMIT)
        this.#requeue(slot);
    }
  }

  #scanTimeouts(nowMs: number): void {
    let earliest = Infinity;
    for (let slot = this.#linkNext[NIL] as number; slot !== NIL; slot = this.#linkNext[slot] as number) {
      if (this.#queued[slot]) continue;
      const due = this.#resendAt[slot] as number;
      if (nowMs >= due) {
        const rto = this.#rto[slot] as number;
        this.#rto[slot] = Math.max(rto, Math.min(rto * 1.5, Math.max(BACKOFF_LIMIT_MS, this.#rxRto)));
        this.#requeue(slot);
      } else if (due < earliest) earliest = due;
    }
    this.#earliestResend = earliest;
  }

  #requeue(slot: number): void {
    if (this.#queued[slot]) return;
    this.#queued[slot] = 1;
    const at = (this.#resendHead + this.#resendCount++) & MASK;
    this.#resend[at] = slot;
    this.#resendSn[at] = this.#sn[slot] as number;
    this.#congestion.onLoss();
  }

  #probe(nowMs: number): void {
    if (this.#remoteWindow > 0 || this.#backlog.length === 0) {
      this.#probeWait = 0;
      return;
    }
    if (this.#probeWait === 0) {
      this.#probeWait = this.#probeFirst;
      this.#probeAt = nowMs + this.#probeWait;
    } else if (nowMs >= this.#probeAt) {
      this.#probeWait = Math.min(this.#probeWait * 1.5, KCP_PROBE_MAX_MS);
      this.#probeAt = nowMs + this.#probeWait;
      this.#ask = true;
    }
  }
}

function u32(b: Uint8Array, o: number): number {
  return (
    ((b[o] as number) |
      ((b[o + 1] as number) << 8) |
      ((b[o + 2] as number) << 16) |
      ((b[o + 3] as number) << 24)) >>>
    0
  );
}

function putU32(b: Uint8Array, o: number, value: number): void {
  b[o] = value & 0xff;
  b[o + 1] = (value >>> 8) & 0xff;
  b[o + 2] = (value >>> 16) & 0xff;
  b[o + 3] = value >>> 24;
}
