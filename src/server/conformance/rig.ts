/** A running server and bare clients of it, for the tests that follow the specification line by line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, expect } from 'vitest';
import { WebSocket } from 'ws';
import { freePorts } from '../../../test/lib/ports.ts';
import { VirtualClock } from '../../core/clock.ts';
import { encodeRendezvous, hbb, unmangleAddress, type HostPort } from '../../core/wire/index.ts';
import { DEFAULT_LIMITS, type RunningServer, type ServerOptions, startServer } from '../index.ts';
import { writeCertificate } from '../one-port/test-certificates.ts';
import { receive, type TestClient, tcpClient, testClient, testWsClient, udpClient, wsClient } from '../test-wire.ts';

export { receive } from '../test-wire.ts';

export const { Result } = hbb.RegisterPkResponse;
export const { Failure } = hbb.PunchHoleResponse;
export const NatType = hbb.NatType;

export const ID = '123456789';
export const UUID = new Uint8Array(Buffer.from('0123456789abcdef0123456789abcdef'));
export const PK = new Uint8Array(32).fill(7);
/** Controller, controlled side, and somebody who has no business here. */
export const A = '127.0.0.101';
export const B = '127.0.0.102';
export const STRANGER = '127.0.0.66';

export const VERSION = '1.4.9';
/** 2001:db8::5, port 4444. */
export const ADDR_V6 = new Uint8Array(Buffer.from('20010db80000000000000000000000055c11', 'hex'));

/** On the classic ports, or with everything on a single one, plain or inside TLS. */
export type Way = 'classic' | 'single' | 'tls';
let way: Way = 'classic';

/** For a test file that runs the others' tests in another way; call it before they are imported. */
export function useWay(wanted: Way): void {
  way = wanted;
}

/** For the few tests that are about the classic ports themselves. */
export function onOnePort(): boolean {
  return way !== 'classic';
}

export class Rig {
  #dir = '';
  #server: RunningServer | undefined;
  readonly #clients: TestClient[] = [];
  /** Time of the server, once started with `virtual`. */
  clock = new VirtualClock();

  /** Call in the describe block or at the top: a fresh folder for each test, and nothing left behind. */
  static forEachTest(): Rig {
    const rig = new Rig();
    beforeEach(() => {
      rig.#dir = mkdtempSync(join(tmpdir(), 'litedesk-conformance-'));
      rig.clock = new VirtualClock();
    });
    afterEach(() => rig.#close());
    return rig;
  }

  get server(): RunningServer {
    if (!this.#server) throw new Error('not started');
    const { single } = this.#server.ports;
    if (way === 'classic') return this.#server;
    const all = { rendezvous: single, natTest: single, relay: single, ws: single, relayWs: single };
    return { ...this.#server, ports: { ...this.#server.ports, ...all } };
  }

  get dir(): string {
    return this.#dir;
  }

  async start(options: Partial<ServerOptions> = {}): Promise<void> {
    if (way === 'classic') {
      this.#server = await startServer({ dataDir: this.#dir, ports: { rendezvous: -1 }, ...options });
      return;
    }
    const tls = writeCertificate(this.#dir);
    const single = options.ports?.single || (await freePorts());
    const limits = { onePortGreetingMs: DEFAULT_LIMITS.greetingDelayMs, ...options.limits };
    this.#server = await startServer({ dataDir: this.#dir, tls, ...options, limits, ports: { rendezvous: 0, single } });
  }

  /** With a clock that only advance() moves. */
  startVirtual(options: Partial<ServerOptions> = {}): Promise<void> {
    return this.start({ clock: this.clock, ...options });
  }

  /** On the same ports and folder. */
  async restart(options: Partial<ServerOptions> = {}): Promise<void> {
    const { ports } = this.server;
    await this.server.close();
    await this.start({ ports, ...options });
  }

  async tcp(from: string, port = this.server.ports.rendezvous, raw = false): Promise<TestClient> {
    if (way !== 'tls') return this.#track(await tcpClient(port, from, raw));
    const socket = connect({ host: from.includes(':') ? '::1' : '127.0.0.1', port, localAddress: from, allowHalfOpen: true });
    const secured = connectTls({ socket, rejectUnauthorized: false });
    await new Promise<void>((resolve, reject) => secured.once('secureConnect', resolve).once('error', reject));
    return this.#track(testClient(secured, raw));
  }

  async udp(from: string): Promise<TestClient> {
    return this.#track(await udpClient(this.server.ports.rendezvous, from));
  }

  async ws(
    from: string,
    options: { port?: number; path?: string; headers?: Record<string, string> } = {},
  ): Promise<Awaited<ReturnType<typeof wsClient>>> {
    const { port = this.server.ports.ws, ...rest } = options;
    const host = from.includes(':') ? '[::1]' : '127.0.0.1';
    const client =
      way === 'tls'
        ? await testWsClient(
            new WebSocket(`wss://${host}:${port}${rest.path ?? '/'}`, {
              localAddress: from,
              headers: rest.headers ?? {},
              rejectUnauthorized: false,
            }),
          )
        : await wsClient(port, { localAddress: from, ...rest });
    this.#track(client);
    return client;
  }

  /** A peer registered by UDP. */
  async peer(from = B, id = ID, pk = PK): Promise<TestClient> {
    const client = await this.udp(from);
    const reply = await ask(client, { registerPk: { id, uuid: UUID, pk } });
    expect(reply.registerPkResponse?.result).toBe(Result.OK);
    return client;
  }

  /** A controller's request, as a stock client sends it (rendezvous §9.1). */
  punch(more: hbb.IPunchHoleRequest = {}): hbb.IRendezvousMessage {
    return {
      punchHoleRequest: {
        id: ID,
        licenceKey: this.server.publicKey,
        natType: NatType.ASYMMETRIC,
        version: VERSION,
        ...more,
      },
    };
  }

  /** Sends the request on a new connection from `from`. */
  async punchFrom(from: string, more: hbb.IPunchHoleRequest = {}): Promise<TestClient> {
    const client = await this.tcp(from);
    say(client, this.punch(more));
    return client;
  }

  /** What a request for `id` is refused with. */
  async refusal(id = ID, from = A): Promise<hbb.PunchHoleResponse.Failure | null | undefined> {
    const client = await this.punchFrom(from, { id });
    const reply = await receive(client);
    client.destroy();
    return reply.punchHoleResponse?.failure;
  }

  async #close(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.destroy();
    await this.#server?.close();
    this.#server = undefined;
    rmSync(this.#dir, { recursive: true });
  }

  #track<T extends TestClient>(client: T): T {
    this.#clients.push(client);
    return client;
  }
}

export function say(client: TestClient, message: hbb.IRendezvousMessage): void {
  client.send(encodeRendezvous(message));
}

export async function ask(client: TestClient, message: hbb.IRendezvousMessage): Promise<hbb.RendezvousMessage> {
  say(client, message);
  return receive(client);
}

/** The connection ends without another word. */
export async function expectClosed(client: TestClient): Promise<void> {
  expect(await client.inbox.next()).toBeNull();
}

/** Nothing came before the answer to a message that is always answered: proof of silence without waiting. */
export async function expectSilence(udp: TestClient): Promise<void> {
  const reply = await ask(udp, { registerPeer: { id: 'nobody-knows', serial: 1_000 } });
  expect(reply.registerPeerResponse?.requestPk).toBe(true);
  expect(udp.inbox.size).toBe(0);
}

/** The same on a connection that is still open for requests. */
export async function expectSilentButOpen(client: TestClient, key: string): Promise<void> {
  const reply = await ask(client, { punchHoleRequest: { id: 'nobody-knows', licenceKey: key } });
  expect(reply.union).toBe('punchHoleResponse');
  expect(client.inbox.size).toBe(0);
}

export function addressIn(bytes: Uint8Array | null | undefined): HostPort {
  return unmangleAddress(bytes ?? new Uint8Array());
}
