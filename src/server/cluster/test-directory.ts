/** For tests: a directory that is an end of a hub in the same process. */
import { type Claim, type Claimed, type Directory, DirectoryDown, type DirectoryEvents, type NodeState } from './directory.ts';
import type { Hub } from './hub.ts';

/** Everything arrives in a later microtask, as it would from afar. */
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
