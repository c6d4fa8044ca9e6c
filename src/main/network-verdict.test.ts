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
  const verdict: NetworkVerdict = new NetworkVerdict({
    peer: peer as unknown as Peer,
    clock: new VirtualClock(),
    onChange: () => seen.push(verdict.verdict),
    probe: () => new Promise((resolve) => answers.push((found) => resolve({ verdict: found } as NatReport))),
  });
  return { peer, answers, seen, verdict };
}

test('is found out when the server is there', async () => {
  const t = setUp();
  expect(t.verdict.verdict).toBeNull();
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
