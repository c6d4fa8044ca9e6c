/** Whole sessions through a relay that keeps every byte and changes some; docs/threat-model.md names the attacks. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { passwordHash } from '../core/crypto/index.ts';
import { PeerLab, registered } from '../../test/lib/peers.ts';
import type { Peer } from './peer.ts';

let lab: PeerLab;
let relay: EvilRelay;
beforeEach(() => {
  lab = new PeerLab();
  relay = new EvilRelay();
});
afterEach(async () => {
  await lab.end();
  relay.end();
});

/** In front of an honest relay. */
class EvilRelay {
  readonly seen: Buffer[] = [];
  /** What becomes of a chunk on its way to an end: both are behind it, and two changes could make none. */
  change: (chunk: Buffer) => Buffer = (chunk) => chunk;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor() {
    this.#server = createServer((near) => {
      const far = connect(this.#port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (chunk: Buffer) => {
          this.seen.push(chunk);
          to.write(to === near ? this.change(Buffer.from(chunk)) : chunk);
        });
        from.on('error', () => {});
        from.on('close', () => to.destroy());
      }
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as { port: number }).port;
  }

  /** Where the honest one is. */
  behind(port: number): void {
    this.#port = port;
  }

  saw(bytes: Uint8Array): boolean {
    return Buffer.concat(this.seen).includes(Buffer.from(bytes));
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

const PASSWORD = 'a password nobody guesses';
const SECRET = 'what only the two may know';

async function scene(): Promise<{ host: Peer; controller: Peer }> {
  const port = await relay.listen();
  const server = await lab.server('server', { relays: [`127.0.0.1:${port}`] });
  relay.behind(server.ports.relay);
  const host = await lab.peer('host', server.invitation, { password: PASSWORD });
  expect(await registered(host)).toBe('registered');
  return { host, controller: await lab.peer('controller', server.invitation) };
}

/** A session over the relay; `chats` is what the host has sent of it. */
async function over(from: Peer, to: Peer) {
  const chats: string[] = [];
  const connected = await from.connect(to.id, {
    signal: AbortSignal.timeout(20_000),
    path: 'relay',
    password: PASSWORD,
    video: false,
  });
  const { session } = connected;
  const closed = new Promise<string>((resolve) =>
    session.on('closed', ({ error }) => resolve(error?.code ?? 'closed')),
  );
  session.on('chat', ({ text }) => chats.push(text));
  const opened = new Promise<void>((resolve) => session.on('opened', () => resolve()));
  session.start();
  await opened;
  return { session, connected, chats, closed };
}

test('a relay that keeps everything has no password, no hash of it, no id of the controller and no content', async () => {
  const { host, controller } = await scene();
  const { session, connected } = await over(controller, host);
  expect([connected.path, session.hostProven]).toEqual(['relay', true]);
  session.chat(SECRET);
  await session.ping();
  const h1 = session.h1 ?? new Uint8Array();
  expect(h1).toEqual(passwordHash(PASSWORD, session.salt ?? ''));
  expect(relay.seen.length).toBeGreaterThan(4);
  for (const secret of [PASSWORD, SECRET, controller.id, session.salt ?? ''])
    expect(relay.saw(Buffer.from(secret)), secret).toBe(false);
  expect(relay.saw(h1)).toBe(false);
  session.close();
});

test('a relay that changes a bit breaks that path and nothing else: the session comes back over another one', async () => {
  const { host, controller } = await scene();
  const { session, closed } = await over(controller, host);
  let flipped = 0;
  relay.change = (chunk) => {
    if (flipped++ > 0) return chunk;
    const at = chunk.length - 1;
    chunk[at] = (chunk[at] ?? 0) ^ 1;
    return chunk;
  };
  const rtt = await Promise.race([session.ping(), closed]);
  expect(rtt).toBeTypeOf('number');
  expect(flipped).toBeGreaterThan(0);
  session.close();
});

test('a relay that changes every chunk lets no session begin', async () => {
  const { host, controller } = await scene();
  let chunks = 0;
  relay.change = (chunk) => {
    const at = chunk.length - 1;
    chunk[at] = (chunk[at] ?? 0) ^ 1;
    chunks++;
    return chunk;
  };
  await expect(over(controller, host)).rejects.toMatchObject({
    code: expect.stringMatching(/^(HANDSHAKE|RELAY)_[A-Z_]+$/),
  });
  expect(chunks).toBeGreaterThan(0);
  expect(host.incoming).toEqual([]);
});
