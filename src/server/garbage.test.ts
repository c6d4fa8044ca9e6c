/** Random and mutated frames at every port: the server stays up, holds nothing, and serves a real peer meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { until } from '../../test/lib/until.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous, type hbb } from '../core/wire/index.ts';
import { startServer } from './index.ts';
import { type TestClient, tcpClient, udpClient, wsClient } from './test-wire.ts';

const FRAMES = 2_000;

/** mulberry32: small, seeded, good enough to be unkind. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const MODELS: hbb.IRendezvousMessage[] = [
  { registerPeer: { id: 'garbage1', serial: 3 } },
  { registerPk: { id: 'garbage1', uuid: new Uint8Array(16), pk: new Uint8Array(32) } },
  { punchHoleRequest: { id: 'garbage1', licenceKey: 'k', udpPort: 1, socketAddrV6: new Uint8Array(18) } },
  { punchHoleSent: { id: 'garbage1', socketAddr: new Uint8Array(11), version: '1' } },
  { localAddr: { id: 'garbage1', socketAddr: new Uint8Array(18), version: '1' } },
  { requestRelay: { id: 'garbage1', uuid: 'u', licenceKey: 'k' } },
  { relayResponse: { id: 'garbage1', uuid: 'u', socketAddr: new Uint8Array(9) } },
  { testNatRequest: { serial: 1 } },
  { onlineRequest: { id: 'x', peers: ['a', 'b'] } },
  { keyExchange: { keys: [new Uint8Array(32), new Uint8Array(48)] } },
];

it(`${FRAMES} frames at each port`, { timeout: 60_000 }, async () => {
  const random = seeded(20_261_121);
  const dir = mkdtempSync(join(tmpdir(), 'litedesk-garbage-'));
  const server = await startServer({ dataDir: dir, ports: { rendezvous: -1 }, limits: { relayWaitMs: 200, frameTimeoutMs: 2_000 } });
  const { ports } = server;
  const bytes = (n: number): Uint8Array => Uint8Array.from({ length: n }, () => Math.floor(random() * 256));
  const frame = (): Uint8Array => {
    if (random() < 0.4) return bytes(Math.floor(random() * 200));
    const model = encodeRendezvous(MODELS[Math.floor(random() * MODELS.length)] ?? {});
    const mutated = Uint8Array.from(model);
    for (let i = 0; i < 3; i++) mutated[Math.floor(random() * mutated.length)] = Math.floor(random() * 256);
    return mutated.subarray(0, 1 + Math.floor(random() * mutated.length));
  };
  const b = await udpClient(ports.rendezvous, '127.0.0.102');
  b.send(encodeRendezvous({ registerPk: { id: '123456789', uuid: new Uint8Array(8), pk: new Uint8Array(32) } }));
  await b.inbox.next();

  const flood = await udpClient(ports.rendezvous, '127.0.0.66');
  for (let i = 0; i < FRAMES; i++) {
    flood.sendRaw(frame());
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const dialers: (() => Promise<TestClient>)[] = [
    ...[ports.rendezvous, ports.natTest, ports.relay, ports.ws, ports.relayWs].map((port) => () => tcpClient(port, '127.0.0.66', true)),
    ...[ports.ws, ports.relayWs].map((port) => () => wsClient(port, { localAddress: '127.0.0.66' })),
  ];
  for (const dial of dialers)
    for (let sent = 0; sent < FRAMES; ) {
      const client = await dial();
      const batch = 1 + Math.floor(random() * 40);
      for (let i = 0; i < batch && !client.inbox.closed; i++, sent++) {
        const payload = frame();
        if (random() < 0.5) client.send(payload);
        else client.sendRaw(random() < 0.5 ? payload : encodeFrame(payload).subarray(0, payload.length));
      }
      client.destroy();
    }

  const a = await tcpClient(ports.rendezvous, '127.0.0.101');
  b.send(encodeRendezvous({ registerPeer: { id: '123456789' } }));
  await b.inbox.next();
  a.send(encodeRendezvous({ punchHoleRequest: { id: '123456789', licenceKey: server.publicKey } }));
  const push = decodeRendezvous((await b.inbox.next()) ?? new Uint8Array());
  expect(push.union).toBe('punchHole');
  for (const client of [a, b, flood]) client.destroy();
  await until(() => server.stats().connections === 0 && server.stats().relayWaiting === 0);
  expect(server.stats().pendingRequests).toBe(0);
  await server.close();
  rmSync(dir, { recursive: true });
});
