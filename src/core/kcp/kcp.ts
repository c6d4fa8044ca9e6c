/**
 * The reliable byte stream over datagrams: KCP 1.x as RustDesk configures it (rendezvous §10.4), stream mode, written
 * from the format. Pure: time comes in as a number of milliseconds, packets are written into the caller's buffer.
 *
 * The format says what a segment and an acknowledgement look like; when to send, how much, and what to take for lost is
 * each sender's own matter. That is Congestion, Pacer and Recovery here; a stock receiver takes part without knowing.
 */
import { putU32, u32 } from './bytes.ts';
import { ByteQueue } from './byte-queue.ts';
import { Congestion } from './congestion.ts';
import {
  CMD_ACK,
  CMD_PUSH,
  CMD_WASK,
  CMD_WINS,
  FULL_SEGMENT,
  KCP_HEADER,
  KCP_MAX_WINDOW,
  KCP_MSS,
  KCP_PROBE_FIRST_MS,
  KCP_PROBE_MAX_MS,
  KCP_REMOTE_WINDOW,
  KCP_WINDOW,
  SEGMENT_OVERHEAD,
} from './constants.ts';
import { Flight, NONE } from './flight.ts';
import { Pacer } from './pacer.ts';
import { PacketSize } from './packet-size.ts';
import { ReceiveWindow } from './receive-window.ts';
import { Recovery } from './recovery.ts';
import { RoundTrip } from './round-trip.ts';

/** Bytes written and not sent stay below this, as in the send loop of §10.4. */
const SEND_LIMIT_BYTES = 2 * KCP_WINDOW * KCP_MSS;
/** What may leave before anything is known of the path: as the first window, but not all at once. */
const INITIAL_BURST = 4 * FULL_SEGMENT;

/** So many acks share a packet with data that would fill it alone. */
const MAX_ACKS_BEFORE = 6;

export interface KcpOptions {
  readonly conv: number;
  /** The object's clock starts here: `ts` on the wire counts from it. */
  readonly nowMs: number;
  /** First wait before asking a closed window again; each further one is 1.5 times as long. Default 7000 ms. */
  readonly probeFirstMs?: number;
  /** The round trip of the handshake, in ms, if that was measured. */
  readonly rttMs?: number;
  /** How it receives: as a stock peer does (the default), or with acks and a window that follow the traffic. */
  readonly receiver?: 'stock' | 'adaptive';
}

export class Kcp {
  readonly conv: number;
  readonly #epoch: number;
  readonly #backlog = new ByteQueue();
  readonly #flight = new Flight();
  readonly #receive: ReceiveWindow;
  readonly #roundTrip = new RoundTrip();
  readonly #recovery = new Recovery(this.#flight, this.#roundTrip);
  readonly #congestion: Congestion;
  readonly #pacer: Pacer;
  readonly #size = new PacketSize();
  #remoteWindow = KCP_REMOTE_WINDOW;
  /** The next segment may leave whatever the window and the pace say. */
  #free = false;
  #retransmits = 0;

  // Window probe.
  readonly #probeFirst: number;
  #probeWait = 0;
  #probeAt = Infinity;
  #ask = false;
  #tell = false;

  constructor(options: KcpOptions) {
    this.conv = options.conv >>> 0;
    this.#epoch = options.nowMs;
    this.#probeFirst = options.probeFirstMs ?? KCP_PROBE_FIRST_MS;
    this.#receive = new ReceiveWindow(options.receiver === 'adaptive');
    this.#congestion = new Congestion(options.nowMs, options.rttMs);
    if (options.rttMs !== undefined) this.#roundTrip.sample(options.rttMs);
    this.#pacer = new Pacer(options.nowMs, INITIAL_BURST);
  }

  /** Bytes written and not sent even once. */
  get backlogBytes(): number {
    return this.#backlog.length;
  }

  /** Unacknowledged plus queued segments; 0 means the peer has everything. */
  get waiting(): number {
    return this.#flight.count + Math.ceil(this.#backlog.length / KCP_MSS);
  }

  get readable(): boolean {
    return this.#receive.readable;
  }

  /** Smoothed round trip in ms, 0 before the first sample. */
  get rttMs(): number {
    return this.#roundTrip.smoothedMs;
  }

  /** What the path carries, in bytes per ms with all headers; 0 before the first measurement. */
  get bandwidth(): number {
    return this.#congestion.bandwidth;
  }

  /** Segments sent more than once so far. */
  get retransmits(): number {
    return this.#retransmits;
  }

  /** Finds out whether packets of so many bytes arrive, and sends such ones if they do. At most MAX_DATAGRAM - ENDPOINT_HEADER. */
  tryPacket(nowMs: number, bytes: number): void {
    this.#size.want(nowMs, bytes);
  }

  /** Takes bytes for sending, by reference: do not change them. Returns how many; less than offered means full. */
  write(bytes: Uint8Array): number {
    const room = SEND_LIMIT_BYTES - this.#backlog.length;
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
    const data = this.#receive.read();
    if (this.#receive.takeReopened()) this.#tell = true;
    return data;
  }

  /**
   * Takes one KCP packet: `data` from `start` on. Keeps references into it. False: not a packet of this conversation
   * (what preceded the fault has been taken).
   */
  handle(nowMs: number, data: Uint8Array, start: number): boolean {
    const flight = this.#flight;
    let at = start;
    let progress = false;
    let covered = flight.una;
    let ok = data.length - at >= KCP_HEADER;
    while (data.length - at >= KCP_HEADER) {
      const cmd = data[at + 4] as number;
      const length = u32(data, at + 20);
      const una = u32(data, at + 16);
      if (
        u32(data, at) !== this.conv ||
        length > data.length - at - KCP_HEADER ||
        cmd < CMD_PUSH ||
        cmd > CMD_WINS ||
        ((una - flight.next) | 0) > 0
      ) {
        ok = false;
        break;
      }
      this.#remoteWindow = (data[at + 6] as number) | ((data[at + 7] as number) << 8);
      const ts = u32(data, at + 8);
      const sn = u32(data, at + 12);
      if (((una - covered) | 0) > 0) covered = una;
      if (cmd === CMD_ACK) progress = this.#acknowledge(nowMs, sn, ts) || progress;
      else if (cmd === CMD_PUSH) this.#receive.push(nowMs, sn, ts, data, at + KCP_HEADER, length);
      else if (cmd === CMD_WASK) this.#tell = true;
      at += KCP_HEADER + length;
    }
    // After the acks, which say more: when their segments arrived.
    while (((covered - flight.una) | 0) > 0) {
      this.#arrived(nowMs, flight.find(flight.una), false);
      progress = true;
    }
    if (progress) {
      this.#recovery.onProgress(nowMs, this.#congestion.minRttMs, this.#lose);
      this.#congestion.onPacket(nowMs, flight.orders);
    }
    return ok;
  }

  /**
   * Writes the next packet into `out` at `at` (MAX_DATAGRAM - ENDPOINT_HEADER bytes of room) and returns its length; 0: nothing to send now.
   * Call until 0 after each input, write, or timeout.
   */
  pollTransmit(nowMs: number, out: Uint8Array, at: number): number {
    if (nowMs >= this.#recovery.nextAt()) this.#onTimeout(nowMs);
    this.#probe(nowMs);
    if (nowMs >= this.#size.at && this.#flight.una !== 0) return this.#trial(nowMs, out, at);
    const end = at + this.#size.bytes;
    let o = at;
    if (this.#receive.hasAcks && (this.#receive.acksDue(nowMs, this.#backlog.length > 0) || this.#maySend(nowMs))) {
      o = this.#acks(nowMs, out, o, end);
    }
    if (this.#ask && o + KCP_HEADER <= end) {
      this.#ask = false;
      o = this.#header(out, o, CMD_WASK, 0, 0, 0);
    }
    if (this.#tell && o + KCP_HEADER <= end) {
      this.#tell = false;
      o = this.#header(out, o, CMD_WINS, 0, 0, 0);
    }
    while (this.#maySend(nowMs)) {
      const lost = this.#flight.firstLost;
      const length = lost !== NONE ? this.#flight.length(lost) : this.#nextLength(o - at);
      if (o + KCP_HEADER + length > end) return o - at;
      if (lost !== NONE) this.#retransmits++;
      o = this.#segment(nowMs, lost !== NONE ? lost : this.#flight.cut(this.#backlog, length), out, o);
    }
    if (this.#backlog.length === 0 && !this.#flight.hasLost) this.#congestion.onAppLimited();
    return o - at;
  }

  /** When pollTransmit should be called next although nothing comes in; Infinity: never. */
  pollTimeout(nowMs: number): number {
    if (this.#tell || this.#ask) return nowMs;
    let at = Math.min(this.#recovery.nextAt(), this.#receive.ackAt(nowMs, this.#backlog.length > 0));
    if (this.#flight.una !== 0) at = Math.min(at, this.#size.at);
    if (this.#probeWait > 0) at = Math.min(at, this.#probeAt);
    if (this.#hasRoom()) at = Math.min(at, this.#pacer.nextAt(this.#congestion.pacingRate));
    return at;
  }

  /** Something waits that the windows of both sides let go. */
  #hasRoom(): boolean {
    const flight = this.#flight;
    if (flight.hasLost) return this.#free || flight.pipeBytes < this.#congestion.window;
    return (
      this.#backlog.length > 0 &&
      flight.pipeBytes < this.#congestion.window &&
      // The receiver counts its window from the first segment it misses.
      flight.span < Math.min(KCP_MAX_WINDOW, this.#remoteWindow)
    );
  }

  #maySend(nowMs: number): boolean {
    return this.#hasRoom() && (this.#free || this.#pacer.ready(nowMs, this.#congestion.pacingRate));
  }

  /** Of a new segment behind so many bytes of a packet: a little shorter, if that spares the acks before it a datagram. */
  #nextLength(used: number): number {
    const full = this.#size.segmentBytes;
    const room = full - used;
    return Math.min(used <= MAX_ACKS_BEFORE * KCP_HEADER ? room : full, this.#backlog.length);
  }

  #acks(nowMs: number, out: Uint8Array, start: number, end: number): number {
    const receive = this.#receive;
    let o = start;
    for (let left = receive.repeatable; left > 0 && o + KCP_HEADER <= end; left--) {
      const [sn, ts] = receive.takeRepeated();
      if (((sn - receive.next) | 0) > 0) o = this.#header(out, o, CMD_ACK, ts, sn, 0);
    }
    for (let left = receive.acksPerPacket; left > 0 && receive.hasAcks && o + KCP_HEADER <= end; left--) {
      o = this.#header(out, o, CMD_ACK, receive.ackTs, receive.ackSn, 0);
      receive.shiftAck(nowMs);
    }
    return o;
  }

  /** Writes a PUSH segment and notes that it left. */
  #segment(nowMs: number, slot: number, out: Uint8Array, o: number): number {
    const flight = this.#flight;
    const ts = this.#clock(nowMs);
    this.#free = false;
    if (flight.count === 1 && flight.transmits(slot) === 0) this.#recovery.restart(nowMs);
    this.#congestion.onSent(nowMs, flight.orders, flight.pipeBytes);
    flight.sent(slot, nowMs, ts);
    this.#pacer.spend(flight.wireBytes(slot));
    const length = flight.length(slot);
    const body = this.#header(out, o, CMD_PUSH, ts, flight.sn(slot), length);
    flight.copyTo(slot, out, body);
    return body + length;
  }

  /** Writes a packet of the size that is to be tried, as a repetition of the segment that was acknowledged last. */
  #trial(nowMs: number, out: Uint8Array, at: number): number {
    const sn = (this.#flight.una - 1) >>> 0;
    const length = this.#size.wanted - KCP_HEADER;
    const body = this.#header(out, at, CMD_PUSH, this.#size.tried(nowMs, sn, this.#clock(nowMs)), sn, length);
    out.fill(0, body, body + length);
    this.#pacer.spend(length + SEGMENT_OVERHEAD);
    return body + length - at;
  }

  #header(out: Uint8Array, o: number, cmd: number, ts: number, sn: number, length: number): number {
    const free = this.#receive.free;
    putU32(out, o, this.conv);
    out[o + 4] = cmd;
    out[o + 5] = 0;
    out[o + 6] = free & 0xff;
    out[o + 7] = free >>> 8;
    putU32(out, o + 8, ts);
    putU32(out, o + 12, sn);
    putU32(out, o + 16, this.#receive.next);
    putU32(out, o + 20, length);
    return o + KCP_HEADER;
  }

  #clock(nowMs: number): number {
    return Math.floor(nowMs - this.#epoch) >>> 0;
  }

  /** One ACK segment. True: it says something new. */
  #acknowledge(nowMs: number, sn: number, ts: number): boolean {
    const flight = this.#flight;
    const slot = flight.find(sn);
    if (slot === NONE) {
      this.#size.acknowledged(sn, ts);
      return false;
    }
    const exact = flight.ts(slot) === ts;
    if (exact) {
      // Our own record is finer than the echoed whole milliseconds.
      const rtt = nowMs - flight.sentAt(slot);
      if (this.#roundTrip.sample(rtt)) this.#congestion.onRtt(nowMs, rtt);
    } else if (flight.transmits(slot) > 1 && ((ts - flight.ts(slot)) | 0) < 0) {
      this.#recovery.onNeedless(slot);
      this.#congestion.onNeedless(flight.wireBytes(slot));
    }
    this.#arrived(nowMs, slot, exact);
    return true;
  }

  #arrived(nowMs: number, slot: number, exact: boolean): void {
    const flight = this.#flight;
    this.#recovery.onArrived(nowMs, slot, exact);
    const known = exact || flight.transmits(slot) === 1;
    this.#congestion.onAcked(
      flight.wireBytes(slot),
      known ? flight.sentAt(slot) : 0,
      known ? flight.order(slot) : -1,
    );
    flight.acknowledge(slot);
  }

  readonly #lose = (slot: number): void => {
    this.#congestion.onLost(this.#flight.wireBytes(slot));
    this.#flight.lose(slot);
  };

  #onTimeout(nowMs: number): void {
    if (this.#recovery.onTime(nowMs, this.#congestion.minRttMs, this.#lose))
      this.#free = this.#flight.hasLost;
    if (this.#recovery.timeouts > 0) this.#congestion.suspend();
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
