/**
 * What several nodes share: who holds which peer, who lives, and a way to send to one another. Three kinds of it: none (one
 * process, nothing to ask), Redis between hosts (redis-directory.ts), and a hub between workers of one host (hub.ts).
 *
 * A node *holds* a peer while the peer's registration is alive with it: only that node can push to it, since its NAT lets
 * only that address in.
 */

/** What a relay says about itself; the choice among relays weighs it (relay-score.ts). */
export interface RelayState {
  /** `host[:port]` that clients are sent to. */
  readonly address: string;
  readonly pairs: number;
  readonly maxPairs: number;
  /** Bits a second that it carries now, and may carry; 0: no limit. */
  readonly bps: number;
  readonly maxBps: number;
  /** Says so itself before it goes: no new sessions. */
  readonly draining: boolean;
}

/** One living process, as it describes itself once a second. */
export interface NodeState {
  readonly node: string;
  /** Public key that clients of this node know; all nodes must have the same. */
  readonly key: string;
  readonly relay: RelayState | null;
  /** Peers that are registered there now. */
  readonly peers: number;
}

export interface Claim {
  readonly id: string;
  /** ms since the peer was last heard: of two nodes that claim it, the one that heard it later has it. */
  readonly ageMs: number;
}

export interface Claimed {
  /** Who holds it now: this node, or one that heard from it later. */
  readonly holder: string;
  /** Who held it before, when that was another node. */
  readonly previous: string | null;
}

export interface DirectoryEvents {
  onMessage(from: string, message: Uint8Array): void;
  /** It can be asked again after it was away: everything held must be claimed anew. */
  onConnected(): void;
  /** Another node came, went or said something new about itself. */
  onNodes(): void;
  /** Called about once a second. */
  describe(): Omit<NodeState, 'node'>;
}

/** Promises reject with {@link DirectoryDown} while the directory cannot be asked. */
export interface Directory {
  /** `redis`, `workers` or `memory`; for logs. */
  readonly kind: string;
  /** This process's own name in it; new with every start. */
  readonly node: string;
  readonly connected: boolean;
  start(events: DirectoryEvents): Promise<void>;
  /** Resolves once every node finds the peers here. */
  claim(claims: readonly Claim[]): Promise<Claimed[]>;
  /** Peers that are not held any more; nothing happens to those that another node has claimed meanwhile. */
  release(ids: readonly string[]): Promise<void>;
  /** The living node that holds each id, or null. */
  holders(ids: readonly string[]): Promise<(string | null)[]>;
  /** Delivers at most once. False: that node is not there. */
  send(node: string, message: Uint8Array): Promise<boolean>;
  /** To every other living node, at most once. */
  broadcast(message: Uint8Array): void;
  /** The other living nodes, as far as known. */
  nodes(): NodeState[];
  close(): Promise<void>;
}

/** The directory or the shared store does not answer at the moment. */
export class DirectoryDown extends Error {
  constructor(why: string) {
    super(`the shared directory is away: ${why}`);
    this.name = 'DirectoryDown';
  }
}
