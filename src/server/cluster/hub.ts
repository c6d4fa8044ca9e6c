/**
 * The directory of processes that reach one place at once: workers of one host through their primary, or nodes of a test.
 * The hub is the memory they share; each end of it is a `Directory`.
 */
import type { Claim, Claimed, NodeState } from './directory.ts';

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
