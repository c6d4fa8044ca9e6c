/** One UDP socket that asks a rendezvous server and tells exactly what came back, and from where. */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { decodeRendezvous, encodeRendezvous, type HostPort, type hbb } from '../../core/wire/index.ts';
import { plainAddress } from '../endpoint.ts';
import { Inbox } from './inbox.ts';

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: HostPort;
}

/** A request over UDP is repeated after these ms: a datagram is easily lost. */
const RESEND_MS = [250, 500, 1_000] as const;

export class UdpProbe {
  readonly #socket: Socket;
  readonly #inbox = new Inbox<Datagram>();
  #open = true;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (bytes, info) =>
      this.#inbox.push({ bytes, from: { host: plainAddress(info.address), port: info.port } }),
    );
    socket.on('error', (error) => this.#inbox.end(error));
  }

  /** A socket of the family of `towards`, not connected, so that answers from a wrong address are seen too. */
  static open(towards: HostPort): Promise<UdpProbe> {
    const v6 = isIPv6(towards.host);
    const socket = createSocket(v6 ? 'udp6' : 'udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, v6 ? '::' : '0.0.0.0', () => {
        socket.off('error', reject);
        resolve(new UdpProbe(socket));
      });
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(bytes: Uint8Array, to: HostPort): void {
    if (this.#open) this.#socket.send(bytes, to.port, to.host, () => {});
  }

  /** The next datagram. Rejects with ABORTED, or the error that ended the socket. */
  next(signal: AbortSignal): Promise<Datagram> {
    return this.#inbox.next(signal);
  }

  /** The next message that `pick` takes; the rest is passed over. */
  async nextMessage<T>(
    pick: (message: hbb.RendezvousMessage, from: HostPort) => T | null | undefined,
    signal: AbortSignal,
  ): Promise<T> {
    for (;;) {
      const { bytes, from } = await this.#inbox.next(signal);
      try {
        const picked = pick(decodeRendezvous(bytes), from);
        if (picked !== null && picked !== undefined) return picked;
      } catch {
        // Not a message: somebody else's datagram.
      }
    }
  }

  /** Sends until `pick` takes an answer. Rejects with ABORTED. */
  async ask<T>(
    message: hbb.IRendezvousMessage,
    to: HostPort,
    pick: (message: hbb.RendezvousMessage, from: HostPort) => T | null | undefined,
    signal: AbortSignal,
  ): Promise<T> {
    const bytes = encodeRendezvous(message);
    let sent = 0;
    let timer: NodeJS.Timeout | undefined;
    const again = (): void => {
      this.send(bytes, to);
      timer = setTimeout(again, RESEND_MS[Math.min(sent++, RESEND_MS.length - 1)]);
    };
    again();
    try {
      return await this.nextMessage(pick, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    if (this.#open) this.#socket.close();
    this.#open = false;
  }
}
