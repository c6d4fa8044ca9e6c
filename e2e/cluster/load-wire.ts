/** Sockets of the load: one message at a time, waited for with a limit. */
import { createSocket, type Socket as DgramSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { decodeRendezvous, encodeFrame, encodeRendezvous, FrameDecoder, type HostPort, type hbb } from '../../src/core/wire/index.ts';
import { Inbox } from '../../src/server/test-wire.ts';

export class FramedSocket {
  readonly #socket: Socket;
  readonly #inbox = new Inbox();

  private constructor(socket: Socket) {
    this.#socket = socket;
    const decoder = new FrameDecoder();
    socket.on('data', (chunk: Uint8Array) => {
      for (const payload of decoder.push(chunk)) this.#inbox.push(payload);
    });
    socket.on('close', () => this.#inbox.close());
  }

  /** Null when nobody takes the connection. */
  static connect(to: HostPort, localAddress: string, timeoutMs: number): Promise<FramedSocket | null> {
    return new Promise((resolve) => {
      const socket = connect({ host: to.host, port: to.port, localAddress, noDelay: true });
      const fail = (): void => {
        socket.destroy();
        resolve(null);
      };
      const timer = setTimeout(fail, timeoutMs);
      socket.on('error', () => {
        clearTimeout(timer);
        fail();
      });
      socket.once('connect', () => {
        clearTimeout(timer);
        resolve(new FramedSocket(socket));
      });
    });
  }

  get address(): HostPort {
    return { host: this.#socket.localAddress ?? '', port: this.#socket.localPort ?? 0 };
  }

  send(message: hbb.IRendezvousMessage): void {
    this.sendPayload(encodeRendezvous(message));
  }

  sendPayload(payload: Uint8Array): void {
    this.#socket.write(encodeFrame(payload));
  }

  nextPayload(timeoutMs: number): Promise<Uint8Array | null> {
    return this.#inbox.next(timeoutMs);
  }

  /** Skips one greeting (rendezvous §6.9). */
  async next(timeoutMs: number): Promise<hbb.RendezvousMessage | null> {
    for (;;) {
      const payload = await this.#inbox.next(timeoutMs);
      if (!payload) return null;
      const message = decodeRendezvous(payload);
      if (message.union !== 'keyExchange') return message;
    }
  }

  /** Sends what is left, then ends. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

export class UdpSocket {
  readonly #socket: DgramSocket;
  readonly #inbox = new Inbox();

  private constructor(socket: DgramSocket, onMessage?: (message: hbb.RendezvousMessage) => void) {
    this.#socket = socket;
    socket.on('message', (bytes) => {
      if (onMessage) onMessage(decodeRendezvous(bytes));
      else this.#inbox.push(bytes);
    });
    // An ICMP error of a node that is dead.
    socket.on('error', () => {});
  }

  static open(host: string, onMessage?: (message: hbb.RendezvousMessage) => void): Promise<UdpSocket> {
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: host }, () => {
        socket.off('error', reject);
        resolve(new UdpSocket(socket, onMessage));
      });
    });
  }

  send(message: hbb.IRendezvousMessage, to: HostPort): void {
    this.#socket.send(encodeRendezvous(message), to.port, to.host, () => {});
  }

  /** Forgets answers that came too late. */
  clear(): void {
    this.#inbox.clear();
  }

  async next(timeoutMs: number): Promise<hbb.RendezvousMessage | null> {
    const bytes = await this.#inbox.next(timeoutMs);
    return bytes && decodeRendezvous(bytes);
  }

  close(): void {
    this.#socket.close();
  }
}

export function one<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}
