/** The relay (rendezvous §7), open to all who have its key: who may use it is in relay-introduced.test.ts. */
import { describe, expect, it } from 'vitest';
import { until } from '../../../test/lib/until.ts';
import { encodeFrame, encodeRendezvous, type hbb } from '../../core/wire/index.ts';
import type { ServerOptions } from '../index.ts';
import type { TestClient } from '../test-wire.ts';
import { A, B, expectClosed, Rig } from './rig.ts';

const rig = Rig.forEachTest();
const text = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString();

const start = (options: Partial<ServerOptions> = {}): Promise<void> => rig.start({ openRelay: true, ...options });
const startVirtual = (): Promise<void> => start({ clock: rig.clock });

function request(uuid: string, more: hbb.IRequestRelay = {}): Uint8Array {
  return encodeRendezvous({ requestRelay: { uuid, licenceKey: rig.server.publicKey, ...more } });
}
async function byTcp(uuid: string, early = '', from = A): Promise<TestClient> {
  const client = await rig.tcp(from, rig.server.ports.relay, true);
  client.sendRaw(Buffer.concat([encodeFrame(request(uuid)), Buffer.from(early)]));
  return client;
}
async function byWs(uuid: string, from = A): Promise<Awaited<ReturnType<Rig['ws']>>> {
  const client = await rig.ws(from, { port: rig.server.ports.relayWs });
  client.send(request(uuid));
  return client;
}
/** All that arrived until `length` bytes are there. */
async function read(client: TestClient, length: number): Promise<string> {
  let got = '';
  while (got.length < length) {
    const chunk = await client.inbox.next();
    if (!chunk) throw new Error(`closed after ${got.length} bytes`);
    got += text(chunk) ?? '';
  }
  return got;
}
async function waiting(count: number): Promise<void> {
  await until(() => rig.server.stats()['relayWaiting'] === count);
}

describe('two TCP connections with one uuid', () => {
  it('become one, raw, with what was sent ahead and without a word of the relay', async () => {
    await start();
    const a = await byTcp('any text is a uuid', 'ahead of A ');
    const b = await byTcp('any text is a uuid', 'ahead of B ', B);
    a.sendRaw(Buffer.from('A'));
    b.sendRaw(Buffer.from('B'));
    expect(await read(b, 12)).toBe('ahead of A A');
    expect(await read(a, 12)).toBe('ahead of B B');
  });

  it('need not come in one order, nor name the same id, type or token', async () => {
    await start();
    const b = await rig.tcp(B, rig.server.ports.relay, true);
    b.sendRaw(encodeFrame(request('u')));
    const a = await rig.tcp(A, rig.server.ports.relay, true);
    a.sendRaw(encodeFrame(request('u', { id: '123456789', connType: 1, token: 't' })));
    a.sendRaw(Buffer.from('hello'));
    expect(await read(b, 5)).toBe('hello');
  });

  it('always meet when they come at the same moment', async () => {
    await start();
    const uuids = Array.from({ length: 60 }, (_, i) => `same-moment-${i}`);
    const ends = await Promise.all(
      uuids.flatMap((uuid) => [rig.tcp(A, rig.server.ports.relay, true), rig.tcp(B, rig.server.ports.relay, true)].map(async (dial) => ({ uuid, client: await dial }))),
    );
    for (const { uuid, client } of ends) client.sendRaw(Buffer.concat([encodeFrame(request(uuid)), Buffer.from(uuid)]));
    for (const { uuid, client } of ends) expect(await read(client, uuid.length)).toBe(uuid);
  });

  it('a third waits anew, and a fourth meets it', async () => {
    await start();
    await read(await pairOf('u'), 1);
    await read(await pairOf('u'), 1);
    expect(rig.server.stats()['relayPairs']).toBe(2);
  });

  async function pairOf(uuid: string): Promise<TestClient> {
    const one = await byTcp(uuid);
    const other = await byTcp(uuid, '', B);
    other.sendRaw(Buffer.from('x'));
    return one;
  }

  it('half-close one direction; the other goes on, unlike with hbbr', async () => {
    await start();
    const a = await byTcp('u');
    const b = await byTcp('u', '', B);
    a.sendRaw(Buffer.from('last words'));
    a.end();
    expect(await read(b, 10)).toBe('last words');
    expect(await b.inbox.next()).toBeNull();
    b.sendRaw(Buffer.from('answer'));
    expect(await read(a, 6)).toBe('answer');
    b.end();
    await expectClosed(a);
  });

  it('end together', async () => {
    await start();
    const a = await byTcp('u');
    const b = await byTcp('u', 'x', B);
    await read(a, 1);
    a.destroy();
    while (await b.inbox.next());
    b.destroy();
    await until(() => rig.server.stats()['relayPairs'] === 0);
  });
});

describe('a connection that waits', () => {
  it('is forgotten when its client goes, so that the next one is not joined with nobody', async () => {
    await start();
    const gone = await byTcp('u');
    await waiting(1);
    gone.destroy();
    await waiting(0);
    const a = await byTcp('u');
    const b = await byTcp('u', 'hello', B);
    expect(await read(a, 5)).toBe('hello');
    b.destroy();
  });

  it('is closed after 30 s, counted for itself also under a uuid that was used before', async () => {
    await startVirtual();
    const first = await byTcp('u');
    await waiting(1);
    rig.clock.advance(20_000);
    await byTcp('u', 'x', B);
    await read(first, 1);
    const later = await byTcp('u');
    await waiting(1);
    rig.clock.advance(15_000);
    expect(later.inbox.closed).toBe(false);
    // The pair was silent meanwhile, and this one's own time is not over.
    await waiting(1);
    rig.clock.advance(15_100);
    await expectClosed(later);
  });
});

describe('a pair', () => {
  it('ends after 30 s without data in either direction, not before', async () => {
    await startVirtual();
    const a = await byTcp('u');
    const b = await byTcp('u', 'x', B);
    await read(a, 1);
    for (let i = 0; i < 4; i++) {
      rig.clock.advance(20_000);
      b.sendRaw(Buffer.from('y'));
      await read(a, 1);
    }
    rig.clock.advance(29_000);
    expect(a.inbox.closed).toBe(false);
    rig.clock.advance(5_000);
    for (const client of [a, b]) while (await client.inbox.next());
  });
});

describe('WebSocket', () => {
  it('and TCP: a frame is a message, without empty ones and without text', async () => {
    await start();
    const a = await byWs('u');
    const b = await rig.tcp(B, rig.server.ports.relay);
    b.send(request('u'));
    b.send(new Uint8Array());
    b.send(Buffer.from('from B'));
    expect(text(await a.inbox.next())).toBe('from B');
    a.ws.send('text is dropped');
    a.ws.ping();
    a.send(new Uint8Array());
    a.send(Buffer.from('from A'));
    expect(text(await b.inbox.next())).toBe('from A');
  });

  it('and WebSocket: message by message; a close ends the pair', async () => {
    await start();
    const a = await byWs('u');
    const b = await byWs('u', B);
    for (const word of ['one', 'two']) a.send(Buffer.from(word));
    expect([text(await b.inbox.next()), text(await b.inbox.next())]).toEqual(['one', 'two']);
    a.end();
    await expectClosed(b);
  });
});

describe('the key', () => {
  it('of the server is wanted from both; without one, anything goes', async () => {
    await start();
    const wrong = await rig.tcp(A, rig.server.ports.relay);
    wrong.send(request('u', { licenceKey: 'another' }));
    await expectClosed(wrong);
    await rig.restart({ key: '', openRelay: true });
    const a = await rig.tcp(A, rig.server.ports.relay, true);
    a.sendRaw(encodeFrame(request('u', { licenceKey: 'one' })));
    const b = await rig.tcp(B, rig.server.ports.relay, true);
    b.sendRaw(Buffer.concat([encodeFrame(request('u', { licenceKey: 'two' })), Buffer.from('x')]));
    expect(await read(a, 1)).toBe('x');
  });
});
