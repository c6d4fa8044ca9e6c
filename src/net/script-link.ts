import type { LinkClose, LinkHandlers } from '../core/link.ts';
import type { NetLink } from './net-link.ts';

/** For tests: a link whose other end is the test: `feed` plays the peer, `sent` is what the peer got. */
export class ScriptLink implements NetLink {
  readonly transport = 'tcp';
  readonly localAddress = '127.0.0.1:1';
  readonly remoteAddress = '127.0.0.1:2';
  readonly stats = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };
  readonly bufferedBytes = 0;
  readonly sent: Uint8Array[] = [];
  closed = false;
  #handlers: LinkHandlers | undefined;
  #paused = false;
  #queue: Uint8Array[] = [];
  #end: LinkClose | undefined;

  feed(payload: Uint8Array): void {
    this.#queue.push(payload);
    this.#pump();
  }
  end(close: LinkClose): void {
    if (this.closed) return;
    this.closed = true;
    this.#end = close;
    this.#pump();
  }
  setHandlers(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#pump();
  }
  send(payload: Uint8Array): boolean {
    this.sent.push(payload);
    return true;
  }
  setMaxPayload(): void {}
  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
    this.#pump();
  }
  close(): void {
    this.end({ by: 'local' });
  }
  destroy(error?: Error): void {
    this.#queue = [];
    this.end(error ? { by: 'error', error } : { by: 'local' });
  }
  takeRaw(): never {
    throw new Error('not here');
  }
  #pump(): void {
    while (this.#handlers && !this.#paused) {
      const frame = this.#queue.shift();
      if (!frame) break;
      this.#handlers.onFrame(frame);
    }
    if (this.#end && this.#handlers && this.#queue.length === 0) {
      const end = this.#end;
      this.#end = undefined;
      this.#handlers.onClose(end);
    }
  }
}
