/**
 * The directory of processes that reach one place at once: workers of one host through their primary, or nodes of a test.
 * The hub is the memory they share; each end of it is a {@link Directory}.
 */
import type { Claim, Claimed, Directory, DirectoryEvents, NodeState } from './directory.ts';
import { DirectoryDown } from './directory.ts';

/** One process at the hub. */
export interface HubEnd {
  onMessage(from: string, message: Uint8Array): void;
  onNodes(nodes: readonly NodeState[]): void;
}

interface Held {
  node: string;
  /** When it was last heard, by the hub's clock. */
  heardAt: number;
}

export class Hub {
  readonly #ends = new Map<string, HubEnd>();
  readonly #states = new Map<string, NodeState>();
  readonly #held = new Map<string, Held>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  join(node: string, end: HubEnd): void {
    this.#ends.set(node, end);
  }

  /** The process has gone, and with it what it held. */
  leave(node: string): void {
    this.#ends.delete(node);
    this.#states.delete(node);
    for (const [id, held] of this.#held) if (held.node === node) this.#held.delete(id);
    this.#tellNodes();
  }

  claim(node: string, claims: readonly Claim[]): Claimed[] {
    return claims.map(({ id, ageMs }) => {
      const heardAt = this.#now() - ageMs;
      const held = this.#held.get(id);
      if (held && held.node !== node && held.heardAt > heardAt) return { holder: held.node, previous: null };
      this.#held.set(id, { node, heardAt });
      return { holder: node, previous: held && held.node !== node ? held.node : null };
    });
  }

  release(node: string, ids: readonly string[]): void {
    for (const id of ids) if (this.#held.get(id)?.node === node) this.#held.delete(id);
  }

  holders(ids: readonly string[]): (string | null)[] {
    return ids.map((id) => this.#held.get(id)?.node ?? null);
  }

  send(from: string, to: string, message: Uint8Array): boolean {
    const end = this.#ends.get(to);
    end?.onMessage(from, message);
    return end !== undefined;
  }

  broadcast(from: string, message: Uint8Array): void {
    for (const [node, end] of this.#ends) if (node !== from) end.onMessage(from, message);
  }

  describe(state: NodeState): void {
    this.#states.set(state.node, state);
    this.#tellNodes();
  }

  #tellNodes(): void {
    const states = [...this.#states.values()];
    for (const [node, end] of this.#ends) end.onNodes(states.filter((state) => state.node !== node));
  }
}

/** An end of a hub in the same process, for tests: everything arrives in a later microtask, as it would from afar. */
export class MemoryDirectory implements Directory {
  readonly kind = 'memory';
  readonly node: string;
  readonly #hub: Hub;
  #events: DirectoryEvents | undefined;
  #nodes: readonly NodeState[] = [];
  #connected = false;

  constructor(hub: Hub, node: string) {
    this.#hub = hub;
    this.node = node;
  }

  get connected(): boolean {
    return this.#connected;
  }

  async start(events: DirectoryEvents): Promise<void> {
    this.#events = events;
    this.connect();
  }

  connect(): void {
    this.#hub.join(this.node, {
      onMessage: (from, message) => queueMicrotask(() => this.#connected && this.#events?.onMessage(from, message)),
      onNodes: (nodes) => {
        this.#nodes = nodes;
        this.#events?.onNodes();
      },
    });
    this.#connected = true;
    if (!this.#events) return;
    this.#hub.describe({ node: this.node, ...this.#events.describe() });
    this.#events.onConnected();
  }

  /** As after a kill, or a lost network. */
  disconnect(): void {
    this.#connected = false;
    this.#hub.leave(this.node);
  }

  async claim(claims: readonly Claim[]): Promise<Claimed[]> {
    return this.#up().claim(this.node, claims);
  }

  async release(ids: readonly string[]): Promise<void> {
    this.#up().release(this.node, ids);
  }

  async holders(ids: readonly string[]): Promise<(string | null)[]> {
    return this.#up().holders(ids);
  }

  async send(node: string, message: Uint8Array): Promise<boolean> {
    return this.#up().send(this.node, node, message);
  }

  broadcast(message: Uint8Array): void {
    if (this.#connected) this.#hub.broadcast(this.node, message);
  }

  nodes(): NodeState[] {
    return [...this.#nodes];
  }

  async close(): Promise<void> {
    if (this.#connected) this.disconnect();
  }

  #up(): Hub {
    if (!this.#connected) throw new DirectoryDown('not connected');
    return this.#hub;
  }
}
