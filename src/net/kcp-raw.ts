import { Duplex } from 'node:stream';
import type { KcpSocket, KcpSocketEnd } from './kcp-socket.ts';
import { linkError } from './errors.ts';
import { CLOSE_FLUSH_MS, DEFAULT_MARKS } from './net-link.ts';

/**
 * The bytes of a KCP connection without frames (tunnels). KCP has no half-open state: a FIN of either side ends both
 * directions, after everything written has been acknowledged.
 */
export class KcpDuplex extends Duplex {
  readonly #kcp: KcpSocket;
  readonly #remote: string;
  #rest: Uint8Array | undefined;
  #wanted = false;
  #ended: boolean;
  #onWritten: ((error?: Error | null) => void) | undefined;
  #onFinal: ((error?: Error | null) => void) | undefined;

  constructor(kcp: KcpSocket, remote: string, rest: Uint8Array) {
    super({ allowHalfOpen: true });
    this.#kcp = kcp;
    this.#remote = remote;
    this.#rest = rest.length > 0 ? rest : undefined;
    this.#ended = kcp.over;
    kcp.setHandlers({
      onReadable: () => this.#pump(),
      onSent: () => this.#release(),
      onEnd: (end, cause) => this.#onEnd(end, cause),
    });
  }

  override _read(): void {
    this.#wanted = true;
    this.#pump();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#ended) return done(linkError({ code: 'EPIPE' }, this.#remote));
    this.#kcp.write(chunk);
    if (this.#kcp.bufferedBytes <= DEFAULT_MARKS.low) done();
    else this.#onWritten = done;
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#ended) return done();
    this.#onFinal = done;
    this.#kcp.end(CLOSE_FLUSH_MS);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#kcp.destroy();
    done(error);
  }

  #pump(): void {
    while (this.#wanted && !this.destroyed) {
      const chunk = this.#rest ?? this.#kcp.read();
      this.#rest = undefined;
      if (!chunk) {
        if (this.#ended) {
          this.#wanted = false;
          this.push(null);
        }
        return;
      }
      if (!this.push(chunk)) this.#wanted = false;
    }
  }

  #release(): void {
    if (!this.#onWritten || this.#kcp.bufferedBytes > DEFAULT_MARKS.low) return;
    const done = this.#onWritten;
    this.#onWritten = undefined;
    done();
  }

  #onEnd(end: KcpSocketEnd, cause: Error | undefined): void {
    this.#ended = true;
    const broken =
      end === 'local' || end === 'remote'
        ? undefined
        : linkError(cause ?? { code: end === 'idle' ? 'ETIMEDOUT' : 'ECONNRESET' }, this.#remote);
    if (broken) this.destroy(broken);
    this.#onWritten?.(linkError({ code: 'EPIPE' }, this.#remote));
    this.#onFinal?.();
    this.#pump();
  }
}
