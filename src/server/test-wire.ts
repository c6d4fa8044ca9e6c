/** Bare clients for the server's tests: what arrives is kept in order, and can be waited for. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { decodeRendezvous, encodeFrame, encodeRendezvous, FrameDecoder, type hbb } from '../core/wire/index.ts';

/** What arrived and was not asked for yet; at most one waits for it. */
export class Inbox {
  readonly #items: Uint8Array[] = [];
  #wake: () => void = () => {};
  #closed = false;

  get size(): number {
    return this.#items.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  push(item: Uint8Array): void {
    this.#items.push(item);
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  clear(): void {
    this.#items.length = 0;
  }

  /** The next item, or null once closed; with `timeoutMs` also when none came in time. */
  async next(timeoutMs?: number): Promise<Uint8Array | null> {
    let late = false;
    while (this.#items.length === 0 && !this.#closed && !late)
      await new Promise<void>((resolve) => {
        const end = (): void => {
          late = true;
          resolve();
        };
        const timer = timeoutMs === undefined ? undefined : setTimeout(end, timeoutMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    return this.#items.shift() ?? null;
  }
}

export interface TestClient {
  readonly inbox: Inbox;
  /** Sends bytes as they are (TCP), or one message or datagram. */
  sendRaw(bytes: Uint8Array): void;
  /** Sends one payload, framed where the transport wants it. */
  send(payload: Uint8Array): void;
  end(): void;
  destroy(): void;
  readonly localPort: number;
}

/** Loopback has many IPv4 addresses and one of IPv6. */
function serverOf(localAddress: string): string {
  return localAddress.includes(':') ? '::1' : '127.0.0.1';
}

/** `raw`: the inbox holds chunks as they come, else frame payloads. */
export async function tcpClient(port: number, localAddress = '127.0.0.51', raw = false): Promise<TestClient> {
  const socket: Socket = connect({ host: serverOf(localAddress), port, localAddress, allowHalfOpen: true });
  const client = testClient(socket, raw);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return client;
}

/** The same on a socket that is there already, also one inside TLS. */
export function testClient(socket: Socket, raw = false): TestClient {
  const inbox = new Inbox();
  const decoder = new FrameDecoder();
  socket.on('data', (chunk: Uint8Array) => {
    if (raw) inbox.push(chunk);
    else for (const frame of decoder.push(chunk)) inbox.push(frame);
  });
  socket.on('end', () => inbox.close());
  socket.on('error', () => inbox.close());
  socket.on('close', () => inbox.close());
  return {
    inbox,
    sendRaw: (bytes) => void socket.write(bytes),
    send: (payload) => void socket.write(encodeFrame(payload)),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    get localPort() {
      return socket.localPort ?? 0;
    },
  };
}

export async function udpClient(port: number, localAddress = '127.0.0.51'): Promise<TestClient> {
  const socket: UdpSocket = createSocket(localAddress.includes(':') ? 'udp6' : 'udp4');
  const inbox = new Inbox();
  // Connected, so that an answer from another address than was asked is lost, as behind a NAT.
  await new Promise<void>((resolve) => socket.bind({ address: localAddress }, resolve));
  await new Promise<void>((resolve) => socket.connect(port, serverOf(localAddress), resolve));
  socket.on('message', (bytes) => inbox.push(bytes));
  socket.on('error', () => {});
  const send = (bytes: Uint8Array): void => socket.send(bytes, () => {});
  let open = true;
  const destroy = (): void => {
    if (open) socket.close();
    open = false;
  };
  return { inbox, sendRaw: send, send, end: destroy, destroy, localPort: socket.address().port };
}

export async function wsClient(
  port: number,
  options: { localAddress?: string; path?: string; headers?: Record<string, string> } = {},
): Promise<TestClient & { readonly ws: WebSocket }> {
  const localAddress = options.localAddress ?? '127.0.0.51';
  const host = localAddress.includes(':') ? '[::1]' : '127.0.0.1';
  const ws = new WebSocket(`ws://${host}:${port}${options.path ?? '/'}`, {
    localAddress,
    headers: options.headers ?? {},
  });
  return await testWsClient(ws);
}

export async function testWsClient(ws: WebSocket): Promise<TestClient & { readonly ws: WebSocket }> {
  const inbox = new Inbox();
  ws.on('message', (data) => inbox.push(data as Buffer));
  ws.on('close', () => inbox.close());
  ws.on('error', () => inbox.close());
  await new Promise<void>((resolve) => ws.once('open', () => resolve()));
  const send = (bytes: Uint8Array): void => ws.send(bytes);
  return { ws, inbox, sendRaw: send, send, end: () => ws.close(), destroy: () => ws.terminate(), localPort: 0 };
}

/** The next message, or null once the connection is closed. */
export async function nextMessage(client: TestClient): Promise<hbb.RendezvousMessage | null> {
  const bytes = await client.inbox.next();
  return bytes && decodeRendezvous(bytes);
}

/** The next message. @throws when the connection ends instead */
export async function receive(client: TestClient): Promise<hbb.RendezvousMessage> {
  const message = await nextMessage(client);
  if (!message) throw new Error('closed instead of answered');
  return message;
}

/** Sends a message; the next one, or null once the connection is closed. */
export async function ask(client: TestClient, message: hbb.IRendezvousMessage): Promise<hbb.RendezvousMessage | null> {
  client.send(encodeRendezvous(message));
  return await nextMessage(client);
}
