/** Whom the relay refuses and slows down, and when (rendezvous §7.5 to §7.7). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { encodeFrame, encodeRendezvous } from '../core/wire/index.ts';
import { type RunningServer, startServer } from './index.ts';
import { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';
import { RELAY_SWEEP_MS } from './relay.ts';
import type { EndEvents, RelayEnd } from './relay-end.ts';
import { RelayPair } from './relay-pair.ts';
import { RelayPolicy } from './relay-policy.ts';
import { tcpClient, type TestClient } from './test-wire.ts';

let dir: string;
let server: RunningServer | undefined;
let clients: TestClient[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-policy-'));
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await server?.close();
  server = undefined;
  rmSync(dir, { recursive: true });
});

class FakeEnd implements RelayEnd {
  readonly kind = 'tcp';
  readonly host: string;
  events: EndEvents | undefined;
  constructor(host: string) {
    this.host = host;
  }
  setEvents(events: EndEvents): void {
    this.events = events;
  }
  useFrames(): void {}
  useRaw(): void {}
  readonly flushed = true;
  replay(): void {}
  write(): boolean {
    return true;
  }
  end(): void {}
  pause(): void {}
  resume(): void {}
  destroy(): void {}
}

function policyWith(limits: Partial<ServerLimits> = {}): { policy: RelayPolicy; clock: VirtualClock; session: (a: string, b: string) => Session } {
  const clock = new VirtualClock();
  const policy = new RelayPolicy({ dataDir: dir, limits: { ...DEFAULT_LIMITS, ...limits }, clock, onListFailed: () => {} });
  const session = (a: string, b: string): Session => {
    const [first, second] = [new FakeEnd(a), new FakeEnd(b)];
    const speeds = policy.limitsFor([a, b]);
    const pair = new RelayPair(first, second, speeds, clock, () => {});
    policy.watch(pair, speeds[0]);
    return { pair, send: (bytes) => first.events?.onData(new Uint8Array(bytes)), restMs: () => speeds[0].take(8 * 1024 * 1024) };
  };
  return { policy, clock, session };
}
interface Session {
  readonly pair: RelayPair;
  send(bytes: number): void;
  /** For how long 8 MiB more make the sender rest. */
  restMs(): number;
}

it('slows a session of a listed address down, also when it is listed later', () => {
  writeFileSync(join(dir, 'blacklist.txt'), '192.0.2.1 too much\n');
  const { policy, clock, session } = policyWith({ relayPairBps: 0, relayTotalBps: 0, relayLimitedBps: 8 * 1024 * 1024 });
  expect(session('192.0.2.9', '192.0.2.1').restMs()).toBeGreaterThan(500);
  const later = session('192.0.2.9', '192.0.2.2');
  expect(later.restMs()).toBe(0);
  policy.blacklist.add(['192.0.2.2']);
  clock.advance(RELAY_SWEEP_MS);
  expect(policy.review(later.pair)).toBe(true);
  expect(policy.usage(later.pair).limited).toBe('blacklist');
  expect(later.restMs()).toBeGreaterThan(500);
  policy.blacklist.remove(['192.0.2.2']);
  policy.review(later.pair);
  expect(policy.usage(later.pair).limited).toBeNull();
});

it('downgrades a session that uses its speed for half an hour, for good', () => {
  const { policy, clock, session } = policyWith({ relayPairBps: 8_000_000, relayTotalBps: 0 });
  const greedy = session('192.0.2.1', '192.0.2.2');
  const modest = session('192.0.2.3', '192.0.2.4');
  const run = (seconds: number, share: number): void => {
    for (let i = 0; i < seconds; i += 10) {
      greedy.send(10 * 1_000_000 * share);
      modest.send(10 * 1_000_000 * 0.5);
      clock.advance(10_000);
      for (const { pair } of [greedy, modest]) expect(policy.review(pair)).toBe(true);
    }
  };
  run(1_800, 0.7);
  expect(policy.usage(greedy.pair).limited).toBeNull();
  run(10, 0.7);
  expect(policy.usage(greedy.pair)).toEqual({ bps: 5_600_000, highestBps: 5_600_000, limited: 'downgraded' });
  run(3_000, 0);
  expect(policy.usage(greedy.pair)).toMatchObject({ bps: 0, limited: 'downgraded' });
  expect(policy.usage(modest.pair)).toMatchObject({ bps: 4_000_000, limited: null });
});

it('changes speeds while it runs', () => {
  const { policy, session } = policyWith();
  const { pair, restMs } = session('192.0.2.1', '192.0.2.2');
  for (let i = 0; i < 30; i++) restMs();
  policy.setSpeed('pairBps', 1024 * 1024);
  policy.review(pair);
  expect(restMs()).toBeGreaterThan(1_000);
  expect(policy.speeds.pairBps).toBe(1024 * 1024);
});

it('refuses blocked addresses at the relay, ends their sessions, and only there', async () => {
  writeFileSync(join(dir, 'blocklist.txt'), '127.0.0.66\n');
  const clock = new VirtualClock();
  server = await startServer({ dataDir: dir, ports: { rendezvous: -1 }, openRelay: true, clock });
  const { ports, publicKey } = server;
  const join2 = async (host: string): Promise<TestClient> => {
    const client = await tcpClient(ports.relay, host, true);
    clients.push(client);
    client.sendRaw(encodeFrame(encodeRendezvous({ requestRelay: { uuid: 'u', licenceKey: publicKey } })));
    return client;
  };
  expect(await (await join2('127.0.0.66')).inbox.next()).toBeNull();
  const other = await tcpClient(ports.natTest, '127.0.0.66');
  clients.push(other);
  other.send(encodeRendezvous({ testNatRequest: {} }));
  expect(await other.inbox.next()).not.toBeNull();
  const [a, b] = [await join2('127.0.0.67'), await join2('127.0.0.68')];
  a.sendRaw(Buffer.from('hello'));
  expect(Buffer.from((await b.inbox.next()) ?? [])).toEqual(Buffer.from('hello'));
  writeFileSync(join(dir, 'blocklist.txt'), '127.0.0.66\n127.0.0.67\n');
  clock.advance(RELAY_SWEEP_MS);
  expect([await a.inbox.next(), await b.inbox.next()]).toEqual([null, null]);
  expect(server.stats()).toMatchObject({ 'relay-blocked': 1, 'relay-cut': 1 });
});
