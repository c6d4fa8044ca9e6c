import { expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import type { NatReport, NatVerdict } from '../core/nat/report.ts';
import type { Peer } from '../peer/peer.ts';
import { NetworkVerdict } from './network-verdict.ts';

class FakePeer extends Emitter<{ registered: object }> {
  server: { host: string; port: number; key: string } | null = { host: 'desk.example.org', port: 21_116, key: '' };
  register(): void {
    this.emit('registered', {});
  }
}

function setUp() {
  const peer = new FakePeer();
  const answers: ((verdict: NatVerdict) => void)[] = [];
  const seen: (NatVerdict | null)[] = [];
  const clock = new VirtualClock();
  const network = { name: 'home' };
  const verdict: NetworkVerdict = new NetworkVerdict({
    peer: peer as unknown as Peer,
    clock,
    look: () => network.name,
    onChange: () => seen.push(verdict.report?.verdict ?? null),
    probe: () => new Promise((resolve) => answers.push((found) => resolve({ verdict: found } as NatReport))),
  });
  return { peer, answers, seen, verdict, clock, network };
}

test('is found out when the server is there', async () => {
  const t = setUp();
  expect(t.verdict.report).toBeNull();
  t.peer.register();
  t.answers[0]?.('random');
  await Promise.resolve();
  await Promise.resolve();
  expect(t.seen).toEqual(['random']);
  t.verdict.close();
});

test('is that of the last test', async () => {
  const t = setUp();
  t.peer.register();
  t.peer.register();
  t.answers[1]?.('usual');
  t.answers[0]?.('no-udp');
  await Promise.resolve();
  await Promise.resolve();
  expect(t.seen).toEqual(['usual']);
  t.verdict.close();
});

test('is tested again when the network has changed, once it is quiet', async () => {
  const t = setUp();
  t.peer.register();
  t.answers[0]?.('usual');
  await Promise.resolve();
  await Promise.resolve();
  for (const name of ['no network', 'café']) {
    t.network.name = name;
    t.clock.advance(1_000);
  }
  expect(t.seen).toEqual(['usual', null]);
  t.clock.advance(1_999);
  expect(t.answers).toHaveLength(1);
  t.clock.advance(1);
  expect(t.answers).toHaveLength(2);
  t.answers[1]?.('one-port');
  await Promise.resolve();
  await Promise.resolve();
  expect(t.seen).toEqual(['usual', null, 'one-port']);
  t.verdict.close();
  expect(t.clock.pending).toBe(0);
});
