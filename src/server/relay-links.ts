/**
 * Tells relays on other machines which uuids were introduced here, for stock clients, which have no tickets. One TCP
 * connection to the relay's own port for each; what is said on it is signed with our key, so the relay needs to know
 * nothing but the public half. A stock relay closes such a connection at once, and is tried again only now and then.
 */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { encodeFrame, encodeRendezvous } from '../core/wire/index.ts';
import type { Introductions } from './introductions.ts';
import { splitRelay } from './relay-choice.ts';
import { sealTicket } from './tickets.ts';

/** Relays that are told; more is a mistake. */
const MAX_LINKS = 64;
/** ms between two tries, from the first failure on. */
const RETRY_MS = { first: 1_000, last: 60_000 } as const;
const CONNECT_TIMEOUT_MS = 5_000;
/** ms between two empty messages, which show a relay and every NAT between that we are there. */
const HELLO_MS = 20_000;
/** What a relay that was away for a moment is told again, newest last. */
const MAX_RECENT = 256;
const RECENT_MS = 15_000;
/** Bytes that a relay has not taken; one that does not read hears nothing more. */
const MAX_UNSENT_BYTES = 1024 * 1024;

export interface RelayLinksOptions {
  /** `host[:port]` each. */
  readonly relays: readonly string[];
  readonly introductions: Introductions;
  /** Signs (64 bytes). */
  readonly secretKey: () => Uint8Array;
  readonly clock: Clock;
  /** Unix time in ms. */
  readonly unixMs?: () => number;
}

const HELLO = encodeFrame(encodeRendezvous({ relayIntroduction: {} }));

export class RelayLinks {
  readonly #links = new Map<string, Link>();
  readonly #clock: Clock;
  readonly #stopListening: () => void;

  constructor(options: RelayLinksOptions) {
    const { relays, introductions, secretKey, clock, unixMs = Date.now } = options;
    this.#clock = clock;
    this.configure(relays);
    this.#stopListening = introductions.onNote((uuid, { hosts, agreed }, told) => {
      // What was only asked for may come to nothing; an end that is early is held there for a while.
      if (told || !agreed || this.#links.size === 0) return;
      const signed = [sealTicket({ uuid, side: 0, hosts }, secretKey(), unixMs())];
      const frame = encodeFrame(encodeRendezvous({ relayIntroduction: { signed } }));
      for (const link of this.#links.values()) link.tell(frame);
    });
  }

  /** The relays that are told from now on. */
  configure(relays: readonly string[]): void {
    const wanted = new Set(relays.slice(0, MAX_LINKS));
    for (const [relay, link] of this.#links) {
      if (wanted.has(relay)) continue;
      link.close();
      this.#links.delete(relay);
    }
    for (const relay of wanted) if (!this.#links.has(relay)) this.#links.set(relay, new Link(relay, this.#clock));
  }

  /** Relays that are told at the moment. */
  get connected(): number {
    return [...this.#links.values()].filter((link) => link.connected).length;
  }

  close(): void {
    this.#stopListening();
    this.configure([]);
  }
}

class Link {
  readonly #relay: string;
  readonly #clock: Clock;
  #recent: { frame: Uint8Array; at: number }[] = [];
  #socket: Socket | null = null;
  #retryMs: number = RETRY_MS.first;
  #cancel: () => void;
  #closed = false;
  connected = false;

  constructor(relay: string, clock: Clock) {
    this.#relay = relay;
    this.#clock = clock;
    this.#cancel = clock.setTimer(0, () => this.#open());
  }

  tell(frame: Uint8Array): void {
    const now = this.#clock.now();
    if (this.#recent.length >= MAX_RECENT) this.#recent.shift();
    this.#recent.push({ frame, at: now });
    if (this.connected && this.#socket && this.#socket.writableLength < MAX_UNSENT_BYTES) this.#socket.write(frame);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#socket?.destroy();
  }

  #open(): void {
    const socket = connect({ ...splitRelay(this.#relay), noDelay: true });
    this.#socket = socket;
    this.#cancel = this.#clock.setTimer(CONNECT_TIMEOUT_MS, () => socket.destroy());
    socket.on('connect', () => {
      this.#cancel();
      this.connected = true;
      socket.write(HELLO);
      const oldest = this.#clock.now() - RECENT_MS;
      this.#recent = this.#recent.filter(({ at }) => at >= oldest);
      for (const { frame } of this.#recent) socket.write(frame);
      this.#hello(socket);
    });
    // A relay says nothing here.
    socket.resume();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#cancel();
      this.connected = false;
      this.#socket = null;
      if (this.#closed) return;
      this.#cancel = this.#clock.setTimer(this.#retryMs, () => this.#open());
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS.last);
    });
  }

  #hello(socket: Socket): void {
    this.#cancel = this.#clock.setTimer(HELLO_MS, () => {
      // It has listened for a while, so it is one of ours.
      this.#retryMs = RETRY_MS.first;
      socket.write(HELLO);
      this.#hello(socket);
    });
  }
}
