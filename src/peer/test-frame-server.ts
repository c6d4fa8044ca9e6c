/** For tests: a server on a port of its own that keeps what each connection said, frame by frame. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { FrameDecoder } from '../core/wire/index.ts';

/** The server's end of one connection: what it was told. */
export interface Arrived {
  readonly socket: Socket;
  readonly frames: Uint8Array[];
}

export class FrameServer {
  /** All connections so far, in order. */
  readonly arrived: Arrived[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      const decoder = new FrameDecoder();
      const end: Arrived = { socket, frames: [] };
      socket.on('data', (chunk: Uint8Array) => end.frames.push(...decoder.push(chunk))).on('error', () => {});
      this.arrived.push(end);
    });
  }

  static async start(): Promise<FrameServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FrameServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const { socket } of this.arrived) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
