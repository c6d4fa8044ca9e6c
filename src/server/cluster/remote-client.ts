/** A controller that is connected to another node, as the rules of this node see it: what it is sent goes there. */
import type { HostPort } from '../../core/wire/index.ts';
import type { Client } from '../client.ts';

export interface RemoteClientOptions {
  readonly kind: 'tcp' | 'ws';
  readonly remote: HostPort;
  /** The address at which it reached its node. */
  readonly localHost: string;
  readonly onSend: (payload: Uint8Array) => void;
  readonly onCut: () => void;
}

export class RemoteClient implements Client {
  readonly forwarded = true;
  readonly kind: 'tcp' | 'ws';
  readonly remote: HostPort;
  readonly localHost: string;
  readonly #onSend: (payload: Uint8Array) => void;
  readonly #onCut: () => void;
  #closed = false;

  constructor(options: RemoteClientOptions) {
    this.kind = options.kind;
    this.remote = options.remote;
    this.localHost = options.localHost;
    this.#onSend = options.onSend;
    this.#onCut = options.onCut;
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(payload: Uint8Array): void {
    if (!this.#closed) this.#onSend(payload);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onCut();
  }

  /** Its connection has ended at its own node. */
  gone(): void {
    this.#closed = true;
  }

  /** Registrations are never forwarded. */
  keepAsPresence(): void {}
}
