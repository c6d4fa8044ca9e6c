/** For tests of links: what arrives at one end, and bytes to send. */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { LinkClose } from '../core/link.ts';
import type { NetLink } from './net-link.ts';

/** Collects what one end gets; `until` waits for it without polling. */
export class LinkProbe {
  readonly frames: Uint8Array[] = [];
  readonly closes: LinkClose[] = [];
  drains = 0;
  onFrame: ((payload: Uint8Array) => void) | undefined;
  #waiters: { ready: () => boolean; resolve: () => void }[] = [];

  attach(link: NetLink): this {
    link.setHandlers({
      onFrame: (payload) => {
        if (this.closes.length > 0) throw new Error('a frame after the end');
        this.frames.push(payload);
        this.onFrame?.(payload);
        this.#check();
      },
      onDrain: () => {
        this.drains++;
        this.#check();
      },
      onClose: (close) => {
        this.closes.push(close);
        this.#check();
      },
    });
    return this;
  }

  until(ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ ready, resolve }));
  }

  closed(): Promise<void> {
    return this.until(() => this.closes.length > 0);
  }

  #check(): void {
    const due = this.#waiters.filter((waiter) => waiter.ready());
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter));
    for (const waiter of due) waiter.resolve();
  }
}

/** `size` bytes that differ from frame to frame and from place to place. */
export function pattern(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = (seed * 2654435761 + size) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function digest(bytes: Uint8Array): string {
  return `${bytes.length}:${createHash('sha1').update(bytes).digest('hex')}`;
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** Reads `count` bytes of a raw stream. */
export function readBytes(stream: Duplex, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      size += chunk.length;
      if (size < count) return;
      stream.off('data', onData);
      stream.off('close', onClose);
      stream.pause();
      resolve(Buffer.concat(chunks));
    };
    const onClose = (): void => reject(new Error(`the raw stream closed after ${size} of ${count} bytes`));
    stream.on('data', onData);
    stream.on('close', onClose);
    stream.resume();
  });
}
