/** One lobby client: its socket, how long it may be silent, and how much may wait for it. */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { HostPort } from '../../core/wire/index.ts';
import type { Reason } from '../observe/reasons.ts';
import type { ServerLimits } from '../limits.ts';
import { LobbyDecoder } from './frame.ts';

export interface LobbyEvents {
  onRegistered(): void;
  /** One whole message. @throws WireError: the connection ends */
  onMessage(connection: LobbyConnection, text: string): void;
  onClosed(connection: LobbyConnection): void;
  /** Something ends it that the client is to blame for. */
  onFault(connection: LobbyConnection, reason: Reason): void;
}

/** Bytes that all connections together hold for others or of unfinished messages. */
export class LobbyBudget {
  readonly #max: number;
  #bytes = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False, and nothing taken, when that would be too much. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#max) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export class LobbyConnection {
  readonly remote: HostPort;
  readonly #socket: Socket;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #events: LobbyEvents;
  readonly #budget: LobbyBudget;
  readonly #decoder: LobbyDecoder;
  /** Clients that are not read until this one has. */
  readonly #held = new Set<LobbyConnection>();
  #cancelTimer: () => void;
  #cancelStuck: (() => void) | undefined;
  /** Of the budget: bytes of an unfinished message, and bytes that have not left. */
  #unfinished = 0;
  #unsent = 0;
  #waitsForOther = false;
  #registered = false;
  #closed = false;

  constructor(socket: Socket, remote: HostPort, limits: ServerLimits, clock: Clock, budget: LobbyBudget, events: LobbyEvents) {
    this.remote = remote;
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.#events = events;
    this.#budget = budget;
    this.#decoder = new LobbyDecoder(limits.maxLobbyFrameBytes);
    this.#cancelTimer = clock.setTimer(limits.lobbyRegisterMs, () => this.fault('lobby-not-registered'));
    // Replies must go out at once: the stock client reads them and pushes from one socket in two threads.
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#drained());
    // A lobby client that sends no more can be told nothing either.
    socket.on('end', () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#ended());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Silence now counts from message to message. */
  registered(): void {
    this.#registered = true;
    this.#events.onRegistered();
    this.#restartTimer();
  }

  /** Queues one frame; false when this client does not read as fast as others send to it. */
  send(frame: Buffer): boolean {
    if (this.#closed || this.#socket.destroyed) return true;
    if (!this.#budget.take(frame.length)) {
      this.fault('lobby-full');
      return true;
    }
    this.#unsent += frame.length;
    this.#socket.write(frame, () => {
      // The end gives all of it back at once.
      if (this.#closed) return;
      this.#unsent -= frame.length;
      this.#budget.give(frame.length);
    });
    if (this.#socket.writableLength <= this.#limits.maxLobbyUnsentBytes) return true;
    this.#cancelStuck ??= this.#clock.setTimer(this.#limits.lobbyRegisterMs, () => this.fault('lobby-slow'));
    return false;
  }

  /** Reads nothing from this client until `other` has read, or is gone. */
  holdFor(other: LobbyConnection): void {
    if (other.#closed) return;
    this.#waitsForOther = true;
    this.#socket.pause();
    this.#cancelTimer();
    other.#held.add(this);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The client is to blame for its end. */
  fault(reason: Reason): void {
    if (this.#closed || this.#socket.destroyed) return;
    this.#events.onFault(this, reason);
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#decoder.push(chunk);
    this.#read();
  }

  #read(): void {
    try {
      while (!this.#closed && !this.#socket.destroyed && !this.#waitsForOther) {
        const text = this.#decoder.next();
        if (text === null) break;
        this.#restartTimer();
        this.#events.onMessage(this, text);
      }
    } catch {
      return this.fault('lobby-bad-input');
    }
    // A message mostly comes whole and is gone at once: only what stays takes of the budget.
    const more = this.#decoder.bytes - this.#unfinished;
    if (more > 0 && !this.#budget.take(more)) return this.fault('lobby-full');
    if (more < 0) this.#budget.give(-more);
    this.#unfinished += more;
  }

  #drained(): void {
    this.#cancelStuck?.();
    this.#cancelStuck = undefined;
    this.#letGo();
  }

  #letGo(): void {
    for (const held of this.#held) held.#goOn();
    this.#held.clear();
  }

  #goOn(): void {
    if (this.#closed) return;
    this.#waitsForOther = false;
    this.#restartTimer();
    this.#read();
    if (!this.#waitsForOther) this.#socket.resume();
  }

  #restartTimer(): void {
    if (!this.#registered) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.setTimer(this.#limits.lobbySilenceMs, () => this.fault('lobby-slow'));
  }

  #ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#cancelStuck?.();
    this.#budget.give(this.#unfinished + this.#unsent);
    this.#letGo();
    this.#events.onClosed(this);
  }
}
