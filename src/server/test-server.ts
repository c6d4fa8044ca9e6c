/** One server for each test of a file, in a folder of its own, and the clients that talk to it; all gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type RunningServer, type ServerOptions, startServer } from './index.ts';
import { type TestClient, tcpClient, udpClient, wsClient } from './test-wire.ts';

/** Where clients come from, as addresses of the loopback. */
export const A = '127.0.0.101';
export const B = '127.0.0.102';
export const STRANGER = '127.0.0.66';

export class ServerUnderTest {
  #dir = '';
  #server: RunningServer | null = null;
  #clients: TestClient[] = [];

  /** Registers the hooks of the file that makes it. */
  constructor() {
    beforeEach(() => {
      this.#dir = mkdtempSync(join(tmpdir(), 'litedesk-server-'));
    });
    afterEach(async () => {
      for (const client of this.#clients.splice(0)) client.destroy();
      await this.#server?.close();
      this.#server = null;
      rmSync(this.#dir, { recursive: true });
    });
  }

  /** The folder of this test. */
  get dir(): string {
    return this.#dir;
  }

  get server(): RunningServer {
    if (!this.#server) throw new Error('no server was started');
    return this.#server;
  }

  /** Starts a server on ports that are free, or the next one of the same folder once the last was closed. */
  async start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
    this.#server = await startServer({ dataDir: this.#dir, ports: { rendezvous: -1 }, ...options });
    return this.#server;
  }

  /** Has a client closed after the test. */
  track<T extends TestClient>(client: T): T {
    this.#clients.push(client);
    return client;
  }

  /** `raw`: the inbox holds chunks as they come, else frame payloads. */
  async tcp(from = A, port = this.server.ports.rendezvous, raw = false): Promise<TestClient> {
    return this.track(await tcpClient(port, from, raw));
  }

  async udp(from = B): Promise<TestClient> {
    return this.track(await udpClient(this.server.ports.rendezvous, from));
  }

  async ws(from = A, port = this.server.ports.ws): Promise<TestClient> {
    return this.track(await wsClient(port, { localAddress: from }));
  }
}

/** Resolves when the server has closed the connection. */
export async function closed(client: TestClient): Promise<void> {
  while (await client.inbox.next());
}

/** Lets the sockets of this process do what they can do now. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
