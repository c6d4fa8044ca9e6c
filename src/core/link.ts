/**
 * A link is an ordered stream of frames with back-pressure, whatever carries it: TCP, KCP over UDP, WebSocket or a
 * relay. Handshakes, sealing and sessions are written against this interface only.
 */
export type Transport = 'tcp' | 'kcp' | 'websocket';

/**
 * Largest payloads taken, in bytes, by how far the other end has proven itself: a stranger can make us hold no more than
 * this for each connection. Links start at `session`; who accepts strangers lowers it (`setMaxPayload`).
 */
export const PAYLOAD_LIMITS = {
  /** The key exchange: SignedId and PublicKey have about 100 bytes, and an id is a name (session §2.2). */
  handshake: 64 * 1024,
  /** Until the login is accepted: the picture in a login request is the largest thing that anybody sends (session §2.5). */
  login: 256 * 1024,
  /** A big clipboard picture or a 4K key frame, with room to spare (session §0.1). */
  session: 64 * 1024 * 1024,
} as const;

/** Why a link ended. `remote` closed in order, `local` was closed by us, `error` broke (see `error`). */
export interface LinkClose {
  readonly by: 'remote' | 'local' | 'error';
  readonly error?: Error;
}

export interface LinkHandlers {
  /** One whole frame payload. The buffer belongs to the receiver from here on, unless it `borrows`. */
  onFrame(payload: Uint8Array): void;
  /** `onFrame` is done with the payload when it returns: a link may then show its own memory instead of a copy. */
  readonly borrows?: boolean;
  /** `bufferedBytes` fell below the low-water mark after `send` had answered false. */
  onDrain?(): void;
  /** Called exactly once. No onFrame after it. */
  onClose(close: LinkClose): void;
}

export interface LinkStats {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
}

export interface Link {
  readonly transport: Transport;
  /** `ip:port`, or `[ip]:port` for IPv6. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly stats: LinkStats;
  /** Bytes accepted by `send` that have not left yet. */
  readonly bufferedBytes: number;
  /** True once onClose was or is about to be called. */
  readonly closed: boolean;
  /**
   * Installs the receiver. Frames (and a close) that came earlier are held back (bounded, by pausing the source) and
   * delivered on the first call, in order. A later call replaces the receiver.
   */
  setHandlers(handlers: LinkHandlers): void;
  /** Queues one frame payload. False: above the high-water mark, wait for onDrain before sending bulk data. */
  send(payload: Uint8Array): boolean;
  /**
   * As `send`, for a payload in pieces, where a link can take it so without joining them. See `sendParts`. `owned`: the memory
   * behind them is the link's, which may release it (core/memory.ts) as soon as it is done with.
   */
  sendParts?(parts: readonly Uint8Array[], owned?: boolean): boolean;
  /** Sets the largest payload taken from now on, in bytes; a larger one that is announced breaks the link. */
  setMaxPayload(bytes: number): void;
  /** Stops and restarts reading; used for back-pressure towards the sender. */
  pause(): void;
  resume(): void;
  /** Ends in order: what was sent still leaves (bounded time), then onClose({by:'local'}). */
  close(): void;
  /** Ends at once. */
  destroy(error?: Error): void;
}

/** Queues one frame payload that lies in pieces; joins them only for a link that does not take pieces. Answers as `send`. */
export function sendParts(link: Pick<Link, 'send' | 'sendParts'>, parts: readonly Uint8Array[], owned = false): boolean {
  if (link.sendParts) return link.sendParts(parts, owned);
  return link.send(parts.length === 1 ? (parts[0] as Uint8Array) : joinParts(parts));
}

/** One piece of memory with everything that is in `parts`. */
export function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
