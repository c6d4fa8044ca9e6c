/** What was acknowledged is on disk: after kill -9 under load, and on a disk that is full. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { decodeRendezvous, encodeRendezvous, hbb } from '../../src/core/wire/index.ts';
import { openPeerStore } from '../../src/server/open-store.ts';
import { buildCli } from '../lib/cli-process.ts';
import { diskUnavailable, kill, type StoreServer, startStoreServer } from './store-process.ts';

const Result = hbb.RegisterPkResponse.Result;
let dir: string;
let server: StoreServer | undefined;

beforeAll(buildCli);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-store-'));
});
afterEach(async () => {
  if (server) await kill(server);
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

const uuidOf = (id: string): Buffer => Buffer.from(`uuid of ${id}`);

/** Each registers one id after the other, each from a socket of its own, so that an answer has one question. */
class Registrars {
  /** By id, in the order of their answers. */
  readonly answers = new Map<string, hbb.RegisterPkResponse.Result>();
  readonly #sockets: ReturnType<typeof createSocket>[] = [];
  #next = 0;
  #stopped = false;
  #wake: () => void = () => {};

  constructor(port: number, prefix: string, count: number) {
    for (let i = 0; i < count; i++) {
      const socket = createSocket('udp4');
      let id = '';
      const ask = (): void => {
        if (this.#stopped) return;
        id = `${prefix}${String(this.#next++).padStart(6, '0')}`;
        const request = { registerPk: { id, uuid: uuidOf(id), pk: Buffer.alloc(32, id) } };
        socket.send(encodeRendezvous(request), port, '127.0.0.1', () => {});
      };
      socket.on('message', (bytes) => {
        const answer = decodeRendezvous(bytes).registerPkResponse;
        if (answer) this.answers.set(id, answer.result ?? Result.OK);
        this.#wake();
        ask();
      });
      socket.on('error', () => {});
      socket.bind(0, '127.0.0.1', ask);
      this.#sockets.push(socket);
    }
  }

  of(result: hbb.RegisterPkResponse.Result): string[] {
    return [...this.answers].filter(([, answer]) => answer === result).map(([id]) => id);
  }

  async until(enough: () => boolean): Promise<void> {
    while (!enough())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  stop(): void {
    this.#stopped = true;
    for (const socket of this.#sockets) socket.close();
  }
}

it('has every acknowledged registration after kill -9 under load, three times over', async () => {
  const acknowledged: string[] = [];
  for (let round = 1; round <= 3; round++) {
    server = await startStoreServer(dir);
    const load = new Registrars(server.port, `kill${round}`, 64);
    await load.until(() => load.answers.size >= round * 700);
    await kill(server);
    server = undefined;
    load.stop();
    expect(load.of(Result.OK)).toHaveLength(load.answers.size);
    acknowledged.push(...load.of(Result.OK));
    const store = openPeerStore(dir, 1);
    for (const id of acknowledged) expect(Buffer.from(store.get(id)?.uuid ?? []).toString()).toBe(`uuid of ${id}`);
    await store.close();
  }
  // And they are still theirs: another machine does not get one of them.
  server = await startStoreServer(dir);
  const socket = createSocket('udp4');
  const stranger = { registerPk: { id: acknowledged[0] ?? '', uuid: Buffer.from('another machine'), pk: Buffer.alloc(32) } };
  socket.send(encodeRendezvous(stranger), server.port, '127.0.0.1');
  const [bytes] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  expect(decodeRendezvous(bytes).registerPkResponse?.result).toBe(Result.UUID_MISMATCH);
});

const noDisk = diskUnavailable();
it.skipIf(noDisk !== null)(`says SERVER_ERROR, not OK, while the disk is full${noDisk ? ` (skipped: ${noDisk})` : ''}`, async () => {
  server = await startStoreServer(dir, 1_024);
  const load = new Registrars(server.port, 'full', 16);
  await load.until(() => load.of(Result.SERVER_ERROR).length >= 200);
  load.stop();
  const acknowledged = load.of(Result.OK);
  expect(acknowledged.length).toBeGreaterThan(50);
  expect(load.answers.size).toBe(acknowledged.length + load.of(Result.SERVER_ERROR).length);
  // It lives, and what it acknowledged is known to it: another machine's claim is told so, and not that the disk is full.
  const socket = createSocket('udp4');
  for (const id of [acknowledged[0] ?? '', acknowledged.at(-1) ?? '']) {
    socket.send(encodeRendezvous({ registerPk: { id, uuid: Buffer.from('another'), pk: Buffer.alloc(32) } }), server.port, '127.0.0.1');
    const [bytes] = (await once(socket, 'message')) as [Buffer];
    expect(decodeRendezvous(bytes).registerPkResponse?.result).toBe(Result.UUID_MISMATCH);
  }
  // It was a disk of its own.
  expect(existsSync(join(dir, 'peers.sqlite3'))).toBe(false);
  // What is on that disk is all that was acknowledged, and nothing that was not.
  socket.send(encodeRendezvous({ registerPeer: { id: load.of(Result.SERVER_ERROR)[0] ?? '' } }), server.port, '127.0.0.1');
  const [bytes] = (await once(socket, 'message')) as [Buffer];
  expect(decodeRendezvous(bytes).registerPeerResponse?.requestPk).toBe(true);
  socket.close();
});
