import { putU32, u32 } from '../kcp/bytes.ts';
import {
  CMD_ACK,
  CMD_PUSH,
  CMD_WASK,
  CMD_WINS,
  ENDPOINT_HEADER,
  KCP_HEADER,
  KCP_INTERVAL_MS,
  KCP_MSS,
  KCP_MTU,
  KCP_REMOTE_WINDOW,
  KCP_RTO_INITIAL_MS,
  KCP_RTO_MIN_MS,
  KCP_WINDOW,
} from '../kcp/constants.ts';
import { FLAG_ACK, FLAG_DATA, FLAG_SYN, putHeader } from '../kcp/packet.ts';

const FAST_RESEND = 2;
const FAST_LIMIT = 5;

interface Segment {
  readonly sn: number;
  readonly data: Uint8Array;
  ts: number;
  resendAt: number;
  rto: number;
  transmits: number;
  skips: number;
}

/**
 * A stock peer on an open connection, as far as datagrams show it (rendezvous §10.2 to §10.4): no congestion window, one
 * flush per interval, repetition after two skips or a timeout of its own for each segment. To test and measure ours
 * against; it opens the connection as a connector, or answers as an acceptor.
 */
export class StockKcp {
  readonly #conv: number;
  readonly #connector: boolean;
  #state: 'closed' | 'opening' | 'answering' | 'open' = 'closed';
  #handshake = false;
  #nextFlushAt = 0;
  // Sending.
  #queue: Uint8Array[] = [];
  #flight: Segment[] = [];
  #next = 0;
  #una = 0;
  #remoteWindow = KCP_REMOTE_WINDOW;
  #srtt = 0;
  #rttvar = 0;
  #rto = KCP_RTO_INITIAL_MS;
  // Receiving.
  readonly #received = new Map<number, Uint8Array>();
  #unread: Uint8Array[] = [];
  #expected = 0;
  #acks: (readonly [sn: number, ts: number])[] = [];
  #tell = false;
  /** What the last flush decided to send. */
  #out: Uint8Array[] = [];

  constructor(role: 'connector' | 'acceptor', conv: number) {
    this.#conv = conv;
    this.#connector = role === 'connector';
  }

  get established(): boolean {
    return this.#state === 'open';
  }

  /** Segments not acknowledged, queued ones included. */
  get waiting(): number {
    return this.#queue.length + this.#flight.length;
  }

  /** Bytes queued and never sent. */
  get backlogBytes(): number {
    return this.#queue.length * KCP_MSS;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += KCP_MSS) this.#queue.push(bytes.slice(at, at + KCP_MSS));
  }

  read(): Uint8Array | undefined {
    return this.#unread.shift();
  }

  handle(nowMs: number, datagram: Uint8Array): void {
    if (datagram.length < ENDPOINT_HEADER) return;
    const flags = datagram[12] as number;
    if (flags === FLAG_SYN && !this.#connector && this.#state === 'closed') {
      this.#state = 'answering';
      this.#handshake = true;
    } else if (flags === (FLAG_SYN | FLAG_ACK) && this.#state === 'opening') {
      this.#state = 'open';
      this.#handshake = true;
    } else if (flags === (FLAG_ACK | FLAG_DATA)) {
      if (this.#state === 'answering') this.#state = 'open';
      if (this.#state === 'open') this.#input(nowMs, datagram);
    }
  }

  pollTransmit(nowMs: number, out: Uint8Array, at: number): number {
    if (this.#connector && this.#state === 'closed') {
      this.#state = 'opening';
      this.#handshake = true;
    }
    if (this.#handshake) {
      this.#handshake = false;
      const flags = {
        closed: 0,
        opening: FLAG_SYN,
        answering: FLAG_SYN | FLAG_ACK,
        open: FLAG_ACK | FLAG_DATA,
      }[this.#state];
      putHeader(out, at, this.#conv, 0, 0, flags);
      return ENDPOINT_HEADER;
    }
    if (this.#state === 'open' && nowMs >= this.#nextFlushAt) {
      this.#nextFlushAt = nowMs + KCP_INTERVAL_MS;
      this.#flush(nowMs);
    }
    const packet = this.#out.shift();
    if (packet === undefined) return 0;
    putHeader(out, at, this.#conv, 0, 0, FLAG_ACK | FLAG_DATA);
    out.set(packet, at + ENDPOINT_HEADER);
    return ENDPOINT_HEADER + packet.length;
  }

  pollTimeout(nowMs: number): number {
    if (this.#handshake || this.#out.length > 0) return nowMs;
    return this.#state === 'open' ? this.#nextFlushAt : Infinity;
  }

  #input(nowMs: number, datagram: Uint8Array): void {
    let newest: readonly [sn: number, ts: number] | undefined;
    for (let at = ENDPOINT_HEADER; datagram.length - at >= KCP_HEADER; ) {
      const [cmd, length] = [datagram[at + 4], u32(datagram, at + 20)];
      const [ts, sn, una] = [u32(datagram, at + 8), u32(datagram, at + 12), u32(datagram, at + 16)];
      if (u32(datagram, at) !== this.#conv || length > datagram.length - at - KCP_HEADER) return;
      this.#remoteWindow = (datagram[at + 6] as number) | ((datagram[at + 7] as number) << 8);
      this.#flight = this.#flight.filter((segment) => segment.sn >= una);
      if (cmd === CMD_ACK) {
        this.#sample(nowMs - ts);
        this.#flight = this.#flight.filter((segment) => segment.sn !== sn);
        if (newest === undefined || sn > newest[0]) newest = [sn, ts];
      } else if (cmd === CMD_PUSH)
        this.#push(sn, ts, datagram.slice(at + KCP_HEADER, at + KCP_HEADER + length));
      else if (cmd === CMD_WASK) this.#tell = true;
      this.#una = this.#flight[0]?.sn ?? this.#next;
      at += KCP_HEADER + length;
    }
    if (newest !== undefined)
      for (const segment of this.#flight)
        if (segment.sn < newest[0] && newest[1] >= segment.ts) segment.skips++;
  }

  #sample(rtt: number): void {
    if (rtt < 0) return;
    this.#rttvar = this.#srtt === 0 ? rtt / 2 : (3 * this.#rttvar + Math.abs(rtt - this.#srtt)) / 4;
    this.#srtt = this.#srtt === 0 ? rtt : (7 * this.#srtt + rtt) / 8;
    this.#rto = Math.max(KCP_RTO_MIN_MS, this.#srtt + Math.max(KCP_INTERVAL_MS, 4 * this.#rttvar));
  }

  #push(sn: number, ts: number, data: Uint8Array): void {
    if (sn >= this.#expected + KCP_WINDOW) return;
    this.#acks.push([sn, ts]);
    if (sn < this.#expected) return;
    this.#received.set(sn, data);
    for (;;) {
      const next = this.#received.get(this.#expected);
      if (next === undefined || this.#unread.length >= KCP_WINDOW) return;
      this.#received.delete(this.#expected++);
      this.#unread.push(next);
    }
  }

  #flush(nowMs: number): void {
    const parts: Uint8Array[] = this.#acks.map(([sn, ts]) =>
      this.#segment(CMD_ACK, ts, sn, new Uint8Array(0)),
    );
    this.#acks = [];
    if (this.#tell) parts.push(this.#segment(CMD_WINS, 0, 0, new Uint8Array(0)));
    this.#tell = false;
    const window = Math.min(KCP_WINDOW, this.#remoteWindow);
    while (this.#next < this.#una + window && this.#queue.length > 0) {
      const data = this.#queue.shift() as Uint8Array;
      this.#flight.push({
        sn: this.#next++,
        data,
        ts: 0,
        resendAt: 0,
        rto: this.#rto,
        transmits: 0,
        skips: 0,
      });
    }
    for (const segment of this.#flight) {
      if (segment.transmits === 0) segment.rto = this.#rto;
      else if (nowMs >= segment.resendAt) segment.rto *= 1.5;
      else if (segment.skips < FAST_RESEND || segment.transmits > FAST_LIMIT) continue;
      segment.transmits++;
      segment.skips = 0;
      segment.ts = Math.floor(nowMs);
      segment.resendAt = nowMs + segment.rto;
      parts.push(this.#segment(CMD_PUSH, segment.ts, segment.sn, segment.data));
    }
    this.#pack(parts);
  }

  #segment(cmd: number, ts: number, sn: number, data: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(KCP_HEADER + data.length);
    const free = Math.max(0, KCP_WINDOW - this.#unread.length);
    putU32(bytes, 0, this.#conv);
    bytes.set([cmd, 0, free & 0xff, free >> 8], 4);
    putU32(bytes, 8, ts);
    putU32(bytes, 12, sn);
    putU32(bytes, 16, this.#expected);
    putU32(bytes, 20, data.length);
    bytes.set(data, KCP_HEADER);
    return bytes;
  }

  /** Segments into packets, each as full as it gets in this order. */
  #pack(parts: readonly Uint8Array[]): void {
    let packet = new Uint8Array(KCP_MTU);
    let length = 0;
    const close = (): void => {
      if (length > 0) this.#out.push(packet.subarray(0, length));
      packet = new Uint8Array(KCP_MTU);
      length = 0;
    };
    for (const part of parts) {
      if (length + part.length > KCP_MTU) close();
      packet.set(part, length);
      length += part.length;
    }
    close();
  }
}
