/**
 * One sender of datagrams at the relay, as a socket of its own (docs/protocol.md, "The relay over UDP"). Until it has shown that
 * it gets what is sent to it, it is sent no more bytes than came from it; until it is joined, it may send only a little.
 */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { type AddressInfo, isIPv6 } from 'node:net';
import { encodeProof, type HostPort, PROOF_BYTES } from '../core/wire/index.ts';
import type { DatagramSocket } from '../net/datagram-socket.ts';
import type { UdpPath } from './client.ts';

export interface RelayFlowOptions {
  readonly conv: number;
  readonly from: HostPort;
  readonly path: UdpPath;
  /** Bytes of the stream taken before it is joined; what is more has to be sent again. */
  readonly maxEarlyBytes: number;
  readonly onClosed: (flow: RelayFlow) => void;
}

export class RelayFlow extends EventEmitter implements DatagramSocket {
  readonly conv: number;
  readonly from: HostPort;
  readonly #o: RelayFlowOptions;
  readonly #token = randomBytes(PROOF_BYTES);
  #path: UdpPath;
  #credit = 0;
  #earlyBytes = 0;
  #proven = false;
  #joined = false;
  #closed = false;

  constructor(options: RelayFlowOptions) {
    super();
    this.#o = options;
    this.#path = options.path;
    this.conv = options.conv;
    this.from = options.from;
  }

  /** Somebody at that address gets what we send. */
  get proven(): boolean {
    return this.#proven;
  }

  /** A datagram of this connection came; to be told before anything is answered. */
  received(bytes: number, path: UdpPath): void {
    this.#credit += bytes;
    this.#path = path;
  }

  /** Asks for the proof. */
  ask(): void {
    this.#send(encodeProof('prove', this.conv, this.#token));
  }

  /** @returns whether this shows for the first time that somebody is there */
  prove(token: Uint8Array): boolean {
    if (this.#proven || this.#token.compare(token) !== 0) return false;
    this.#proven = true;
    return true;
  }

  /** Hands a packet to the stream. */
  deliver(datagram: Uint8Array): void {
    if (!this.#joined) {
      if (this.#earlyBytes + datagram.length > this.#o.maxEarlyBytes) return;
      this.#earlyBytes += datagram.length;
    }
    this.emit('message', datagram);
  }

  /** It has its other half: from here on the windows of both limit what is on its way. */
  join(): void {
    this.#joined = true;
  }

  send(bytes: Uint8Array, offset: number, length: number): void {
    this.#send(bytes.subarray(offset, offset + length));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#o.onClosed(this);
    this.removeAllListeners();
  }

  getSendQueueSize(): number {
    return this.#path.queuedBytes?.() ?? 0;
  }

  address(): AddressInfo {
    return addressInfo({ host: this.#path.localHost, port: this.#path.localPort ?? 0 });
  }

  remoteAddress(): AddressInfo {
    return addressInfo(this.from);
  }

  /** The socket is everybody's. */
  setRecvBufferSize(): void {}
  setSendBufferSize(): void {}

  #send(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (!this.#proven) {
      // Lost like any datagram: once it has proven itself it is sent again.
      if (bytes.length > this.#credit) return;
      this.#credit -= bytes.length;
    }
    this.#path.send(bytes, this.from);
  }
}

function addressInfo({ host, port }: HostPort): AddressInfo {
  return { address: host, port, family: isIPv6(host) ? 'IPv6' : 'IPv4' };
}
