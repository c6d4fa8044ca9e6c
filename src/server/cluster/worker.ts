/**
 * One of several processes of a server on one host (`--workers`). All serve the rendezvous ports: the system spreads
 * datagrams by their sender, so that a peer stays with one of them, and connections by chance. The first one alone serves
 * the relay and the single port, whose two ends must meet in one process, besides metrics, lobby and admin socket.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { NumbersChannel, WorkerNumbers } from '../observe/numbers.ts';
import type { PeerRow, PeerStore } from '../peer-store.ts';
import type { SharedRows } from './cluster.ts';
import { type Claim, type Claimed, type Directory, DirectoryDown, type DirectoryEvents, type NodeState } from './directory.ts';

/** How the processes get at the same port: the system shares it out, or the primary does (Node before 22.12). */
export type PortSharing = 'system' | 'primary';

export interface WorkerPlace {
  /** 0: the one with everything. */
  readonly index: number;
  readonly sharing: PortSharing;
  /** How the first one learns the numbers of the others. */
  readonly numbers?: NumbersChannel;
  /** What the workers share; absent when it is Redis. */
  readonly directory?: Directory;
}

/** Whether this Node can let the system share out ports. */
export function portSharing(version = process.versions.node): PortSharing {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12) ? 'system' : 'primary';
}

/** What a worker asks its primary; the answer to one with `ref` has the same. */
export type WorkerCall =
  | { readonly call: 'claim'; readonly ref: number; readonly claims: readonly Claim[] }
  | { readonly call: 'release'; readonly ref: number; readonly ids: readonly string[] }
  | { readonly call: 'holders'; readonly ref: number; readonly ids: readonly string[] }
  | { readonly call: 'send'; readonly ref: number; readonly node: string; readonly message: Uint8Array }
  | { readonly call: 'broadcast'; readonly message: Uint8Array }
  | { readonly call: 'describe'; readonly state: NodeState };

export type PrimaryWord =
  | { readonly word: 'result'; readonly ref: number; readonly result: unknown }
  | { readonly word: 'message'; readonly from: string; readonly message: Uint8Array }
  | { readonly word: 'nodes'; readonly nodes: readonly NodeState[] }
  | { readonly word: 'numbers'; readonly worker: number; readonly numbers: WorkerNumbers }
  | { readonly word: 'stop' };

/** Primary and workers are the same program, so that a look at the kind is enough. */
const Word = z.looseObject({ word: z.enum(['result', 'message', 'nodes', 'numbers', 'stop']) });

/** The channel to the primary; `process` in a worker. */
export interface PrimaryChannel {
  send(call: WorkerCall): void;
  onWord(listener: (word: PrimaryWord) => void): () => void;
}

export function processChannel(): PrimaryChannel {
  return {
    send: (call) => void process.send?.(call),
    onWord: (listener) => {
      const onMessage = (value: unknown): void => {
        if (Word.safeParse(value).success) listener(value as PrimaryWord);
      };
      process.on('message', onMessage);
      return () => void process.off('message', onMessage);
    },
  };
}

const BEAT_MS = 1_000;
/** Questions to the primary that wait for an answer; it answers at once, or is gone. */
const MAX_OPEN = 100_000;

/** The directory of workers: the memory is the primary's (hub.ts). */
export class WorkerDirectory implements Directory {
  readonly kind = 'workers';
  readonly node = randomBytes(8).toString('hex');
  readonly #channel: PrimaryChannel;
  readonly #open = new Map<number, (result: unknown) => void>();
  #nodes: readonly NodeState[] = [];
  #events: DirectoryEvents | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stop = (): void => {};
  #nextRef = 1;
  #connected = false;

  constructor(channel: PrimaryChannel) {
    this.#channel = channel;
  }

  get connected(): boolean {
    return this.#connected;
  }

  async start(events: DirectoryEvents): Promise<void> {
    this.#events = events;
    this.#stop = this.#channel.onWord((word) => this.#onWord(word));
    this.#connected = true;
    const describe = (): void => this.#channel.send({ call: 'describe', state: { node: this.node, ...events.describe() } });
    describe();
    this.#timer = setInterval(describe, BEAT_MS);
    events.onConnected();
  }

  async claim(claims: readonly Claim[]): Promise<Claimed[]> {
    return (await this.#ask((ref) => ({ call: 'claim', ref, claims }))) as Claimed[];
  }

  async release(ids: readonly string[]): Promise<void> {
    await this.#ask((ref) => ({ call: 'release', ref, ids }));
  }

  async holders(ids: readonly string[]): Promise<(string | null)[]> {
    return (await this.#ask((ref) => ({ call: 'holders', ref, ids }))) as (string | null)[];
  }

  async send(node: string, message: Uint8Array): Promise<boolean> {
    return (await this.#ask((ref) => ({ call: 'send', ref, node, message }))) === true;
  }

  broadcast(message: Uint8Array): void {
    if (this.#connected) this.#channel.send({ call: 'broadcast', message });
  }

  nodes(): NodeState[] {
    return [...this.#nodes];
  }

  async close(): Promise<void> {
    this.#connected = false;
    this.#stop();
    clearInterval(this.#timer);
    for (const settle of this.#open.values()) settle(null);
    this.#open.clear();
  }

  #ask(call: (ref: number) => WorkerCall): Promise<unknown> {
    if (!this.#connected || this.#open.size >= MAX_OPEN) return Promise.reject(new DirectoryDown('no primary'));
    const ref = this.#nextRef++;
    return new Promise((resolve) => {
      this.#open.set(ref, resolve);
      this.#channel.send(call(ref));
    });
  }

  #onWord(word: PrimaryWord): void {
    switch (word.word) {
      case 'result':
        this.#open.get(word.ref)?.(word.result);
        this.#open.delete(word.ref);
        return;
      case 'message':
        return this.#events?.onMessage(word.from, word.message);
      case 'nodes':
        this.#nodes = word.nodes;
        return this.#events?.onNodes();
      case 'numbers':
      case 'stop':
    }
  }
}

/** The rows of a store that all workers have open themselves. */
export function localRows(store: PeerStore): SharedRows {
  return {
    refresh: async (id: string): Promise<PeerRow | null> => store.get(id),
    // A disk forgets nothing while we look away.
    restore: async () => {},
  };
}
