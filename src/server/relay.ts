/** The relay (rendezvous §7): joins two connections that name the same uuid, and looks at nothing they send. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Clock } from '../core/clock.ts';
import { decodeRendezvous, FrameDecoder } from '../core/wire/index.ts';
import { Bandwidth } from './bandwidth.ts';
import type { Counters } from './counters.ts';
import type { ServerLimits } from './limits.ts';
import type { Detail } from './observe/reasons.ts';
import { type RelayEnd, TcpEnd, WsEnd } from './relay-end.ts';
import { RelayPair } from './relay-pair.ts';

export interface RelayOptions {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** What clients must send as licence_key; '' accepts everything. */
  readonly licenceKey: string;
}

/** A stream that has said its uuid and waits for the other one. */
interface Waiter {
  readonly end: RelayEnd;
  /** Lets go of the waiting stream's events and timer, and gives what it has sent since. */
  leave(): void;
  /** Hands what came early to the pair. */
  replay(): void;
}

/** A first frame is a RequestRelay of some 150 bytes; a token in it may be longer. */
const MAX_FIRST_FRAME = 16 * 1024;
/** How often idle pairs are looked for, ms (rendezvous §7.5). */
export const RELAY_SWEEP_MS = 3_000;

export class Relay {
  readonly #o: RelayOptions;
  readonly #waiting = new Map<string, Waiter>();
  readonly #waitingByHost = new Map<string, number>();
  readonly #pairs = new Set<RelayPair>();
  readonly #total: Bandwidth;
  #cancelSweep: (() => void) | undefined;
  #endedBytes = 0;

  constructor(options: RelayOptions) {
    this.#o = options;
    this.#total = new Bandwidth(options.limits.relayTotalBps, options.clock);
    const sweep = (): void => {
      this.#cancelSweep = options.clock.setTimer(RELAY_SWEEP_MS, sweep);
      const oldest = options.clock.now() - options.limits.relayIdleMs;
      for (const pair of this.#pairs)
        if (pair.lastTrafficAt < oldest) {
          options.counters.count('relay-idle');
          pair.destroy();
        }
    };
    this.#cancelSweep = options.clock.setTimer(RELAY_SWEEP_MS, sweep);
  }

  get pairs(): number {
    return this.#pairs.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Bytes forwarded since the start, both directions of all pairs. */
  get bytes(): number {
    let bytes = this.#endedBytes;
    for (const pair of this.#pairs) bytes += pair.bytes;
    return bytes;
  }

  onTcp(socket: Socket, host: string): void {
    const { limits, clock } = this.#o;
    const decoder = new FrameDecoder({ maxPayload: MAX_FIRST_FRAME });
    const cancelTimer = clock.setTimer(limits.frameTimeoutMs, () => socket.destroy());
    const cut = (): void => void socket.destroy();
    const stop = (): void => {
      cancelTimer();
      socket.off('data', onData).off('end', cut).off('error', cut).off('close', stop);
    };
    const onData = (chunk: Uint8Array): void => {
      let first: Uint8Array | null;
      try {
        first = decoder.pushOne(chunk);
      } catch {
        return cut();
      }
      if (!first) return;
      const uuid = this.#uuidOf(first, { from: host, via: 'tcp' });
      if (uuid === null) return cut();
      stop();
      const end = new TcpEnd(socket, host, limits.maxRelayMessageBytes);
      this.#arrived(uuid, end, decoder.takeRest());
    };
    socket.on('data', onData).on('end', cut).on('error', cut).on('close', stop);
  }

  onWs(ws: WebSocket, host: string): void {
    const { limits, clock } = this.#o;
    const cancelTimer = clock.setTimer(limits.frameTimeoutMs, () => ws.terminate());
    const cut = (): void => ws.terminate();
    const stop = (): void => {
      cancelTimer();
      ws.off('message', onMessage).off('error', cut).off('close', stop);
    };
    const onMessage = (data: unknown, isBinary: boolean): void => {
      if (!isBinary) return;
      const uuid = this.#uuidOf(data as Buffer, { from: host, via: 'ws' });
      stop();
      ws.on('error', cut);
      if (uuid === null) return void ws.close(1000);
      this.#arrived(uuid, new WsEnd(ws, host, limits.relayBufferBytes), null);
    };
    ws.on('message', onMessage).on('error', cut).on('close', stop);
  }

  close(): void {
    this.#cancelSweep?.();
    for (const waiter of [...this.#waiting.values()]) waiter.end.destroy();
    for (const pair of [...this.#pairs]) pair.destroy();
  }

  /** The uuid of an acceptable first frame, else null. Refusals are silent on the wire (rendezvous §7.2). */
  #uuidOf(frame: Uint8Array, from: Detail): string | null {
    const { counters, licenceKey, limits } = this.#o;
    try {
      const message = decodeRendezvous(frame);
      const request = message.union === 'requestRelay' ? message.requestRelay : null;
      const uuid = request?.uuid ?? '';
      if (uuid === '' || uuid.length > limits.maxRelayUuidLength) counters.count('relay-not-a-request', from);
      else if (licenceKey !== '' && request?.licenceKey !== licenceKey) counters.count('relay-wrong-key', from);
      else return uuid;
    } catch {
      counters.count('relay-not-a-message', from);
    }
    return null;
  }

  /** Pairs the stream or lets it wait. Look-up and store are one step: nothing else runs in between. */
  #arrived(uuid: string, end: RelayEnd, early: Uint8Array | null): void {
    const { limits, counters } = this.#o;
    const other = this.#waiting.get(uuid);
    if (other) {
      other.leave();
      if (this.#pairs.size >= limits.maxRelayPairs) {
        counters.count('relay-too-many-pairs', { from: end.host, via: end.kind });
        other.end.destroy();
        return end.destroy();
      }
      const pair = new RelayPair(
        other.end,
        end,
        [new Bandwidth(limits.relayPairBps, this.#o.clock), this.#total],
        this.#o.clock,
        (closed) => this.#ended(closed, end),
      );
      this.#pairs.add(pair);
      counters.count('relay-paired', { from: end.host, via: end.kind });
      other.replay();
      if (early && early.length > 0) end.replay(early);
      other.end.resume();
      end.resume();
      return;
    }
    const own = this.#waitingByHost.get(end.host) ?? 0;
    if (this.#waiting.size >= limits.maxRelayWaiting || own >= limits.maxRelayWaitingPerAddress) {
      counters.count('relay-too-many-waiting', { from: end.host, via: end.kind });
      return end.destroy();
    }
    this.#wait(uuid, end, early);
  }

  #ended(pair: RelayPair, end: RelayEnd): void {
    if (!this.#pairs.delete(pair)) return;
    this.#endedBytes += pair.bytes;
    this.#o.counters.count('relay-ended', { from: end.host, bytes: pair.bytes, ms: this.#o.clock.now() - pair.since });
  }

  #wait(uuid: string, end: RelayEnd, early: Uint8Array | null): void {
    const { limits, clock, counters } = this.#o;
    const held: Uint8Array[] = [];
    let heldBytes = 0;
    const hold = (data: Uint8Array): void => {
      held.push(data);
      heldBytes += data.length;
      if (heldBytes > limits.relayEarlyBytes) end.pause();
    };
    if (early && early.length > 0) hold(early);
    const leave = (): void => {
      cancelTimer();
      if (this.#waiting.get(uuid) !== waiter) return;
      this.#waiting.delete(uuid);
      const left = (this.#waitingByHost.get(end.host) ?? 1) - 1;
      if (left > 0) this.#waitingByHost.set(end.host, left);
      else this.#waitingByHost.delete(end.host);
    };
    const gone = (): void => {
      leave();
      end.destroy();
    };
    const cancelTimer = clock.setTimer(limits.relayWaitMs, () => {
      counters.count('relay-nobody-came', { from: end.host, via: end.kind });
      gone();
    });
    const waiter: Waiter = {
      end,
      leave,
      // The pair has installed its own events by now: what was held goes the way of everything that follows.
      replay: () => {
        for (const data of held) end.replay(data);
      },
    };
    this.#waiting.set(uuid, waiter);
    this.#waitingByHost.set(end.host, (this.#waitingByHost.get(end.host) ?? 0) + 1);
    // A stream that goes while it waits must not be paired with the next one (rendezvous §7.3).
    end.setEvents({ onData: hold, onSign: () => {}, onEnd: gone, onDrain: () => {}, onClose: gone });
  }
}
