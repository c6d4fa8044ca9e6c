import { expect, test } from 'vitest';
import { Kcp } from './kcp.ts';

const CONV = 0x12345678;

function packets(kcp: Kcp, nowMs: number): string[] {
  const out = new Uint8Array(1200);
  const list: string[] = [];
  for (let n = kcp.pollTransmit(nowMs, out, 0); n > 0; n = kcp.pollTransmit(nowMs, out, 0))
    list.push(Buffer.from(out.subarray(0, n)).toString('hex'));
  return list;
}
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const seg = (cmd: string, wnd: string, ts: string, sn: string, una: string, len: string): string =>
  `78563412${cmd}00${wnd}${ts}${sn}${una}${len}`;

test('the wire trace of rendezvous §10.4, byte for byte', () => {
  const a = new Kcp({ conv: CONV, nowMs: 0 });
  const b = new Kcp({ conv: CONV, nowMs: 0 });
  b.write(bytes('14 68656c6c6f'));
  const hello = packets(b, 4);
  expect(hello).toEqual([`${seg('51', '0004', '04000000', '00000000', '00000000', '06000000')}1468656c6c6f`]);
  a.handle(24, bytes(hello[0] as string), 0);
  expect(Buffer.from(a.read() as Uint8Array).toString('hex')).toBe('1468656c6c6f');
  const ack = packets(a, 24);
  expect(ack).toEqual([seg('52', '0004', '04000000', '00000000', '01000000', '00000000')]);
  b.handle(44, bytes(ack[0] as string), 0);
  expect(b.waiting).toBe(0);

  a.write(new Uint8Array(2500).fill(0xab));
  const three = packets(a, 50);
  expect(three.map((p) => p.length / 2)).toEqual([1200, 1200, 172]);
  expect(three.map((p) => p.slice(0, 48))).toEqual([
    seg('51', '0004', '32000000', '00000000', '01000000', '98040000'),
    seg('51', '0004', '32000000', '01000000', '01000000', '98040000'),
    seg('51', '0004', '32000000', '02000000', '01000000', '94000000'),
  ]);
  b.handle(70, bytes(three[0] as string), 0);
  expect(packets(b, 70)).toEqual([seg('52', 'ff03', '32000000', '00000000', '01000000', '00000000')]);
  b.read();
  b.handle(70, bytes(three[1] as string), 0);
  b.handle(70, bytes(three[2] as string), 0);
  expect(packets(b, 70)).toEqual([]);
  expect(b.pollTimeout(70)).toBe(80);
  while (b.read());
  expect(packets(b, 80)).toEqual([
    seg('52', '0004', '32000000', '01000000', '03000000', '00000000') +
      seg('52', '0004', '32000000', '02000000', '03000000', '00000000'),
  ]);

  a.write(bytes('aa'));
  const first = packets(a, 90);
  a.write(bytes('bb'));
  expect([...first, ...packets(a, 90)]).toEqual([
    `${seg('51', '0004', '5a000000', '03000000', '01000000', '01000000')}aa`,
    `${seg('51', '0004', '5a000000', '04000000', '01000000', '01000000')}bb`,
  ]);
});

test('a closed window is probed after 7 s and answered', () => {
  const a = new Kcp({ conv: CONV, nowMs: 0 });
  const b = new Kcp({ conv: CONV, nowMs: 0 });
  a.handle(0, bytes(seg('54', '0000', '00000000', '00000000', '00000000', '00000000')), 0);
  a.write(bytes('aa'));
  expect(packets(a, 0)).toEqual([]);
  expect(packets(a, 6999)).toEqual([]);
  const ask = packets(a, 7000);
  expect(ask).toEqual([seg('53', '0004', '00000000', '00000000', '00000000', '00000000')]);
  b.handle(7000, bytes(ask[0] as string), 0);
  const tell = packets(b, 7000);
  expect(tell).toEqual([seg('54', '0004', '00000000', '00000000', '00000000', '00000000')]);
  a.handle(7001, bytes(tell[0] as string), 0);
  expect(packets(a, 7001)).toHaveLength(1);
});

test('a reader that stops closes the window, and its return opens it without a probe', () => {
  const a = new Kcp({ conv: CONV, nowMs: 0 });
  const b = new Kcp({ conv: CONV, nowMs: 0 });
  let now = 0;
  const total = 1500 * 1176;
  let sent = a.write(new Uint8Array(total));
  expect(sent).toBe(total);
  for (; now < 2000; now += 5) exchange(a, b, now);
  // One window is all that the reader's side holds.
  expect(a.waiting).toBe(1500 - 1024);
  sent = 0;
  for (; now < 4000; now += 5) {
    for (let c = b.read(); c; c = b.read()) sent += c.length;
    exchange(a, b, now);
  }
  expect(sent).toBe(total);
});

function exchange(a: Kcp, b: Kcp, now: number): void {
  for (const p of packets(a, now)) b.handle(now, bytes(p), 0);
  for (const p of packets(b, now)) a.handle(now, bytes(p), 0);
}

test('refuses other conversations, lengths beyond the packet, and acknowledgements of what was never sent', () => {
  const k = new Kcp({ conv: CONV, nowMs: 0 });
  expect(
    k.handle(
      0,
      bytes(`00000000${seg('51', '0004', '00000000', '00000000', '00000000', '00000000').slice(8)}`),
      0,
    ),
  ).toBe(false);
  expect(k.handle(0, bytes(seg('51', '0004', '00000000', '00000000', '00000000', '01000000')), 0)).toBe(
    false,
  );
  expect(k.handle(0, bytes(seg('52', '0004', '00000000', '00000000', '01000000', '00000000')), 0)).toBe(
    false,
  );
  expect(k.handle(0, bytes(seg('55', '0004', '00000000', '00000000', '00000000', '00000000')), 0)).toBe(
    false,
  );
  expect(k.write(new Uint8Array(4 * 1024 * 1024))).toBe(2048 * 1176);
});

test('acks travel with data that waits, whose segment leaves room for them, for at most 10 ms', () => {
  const ends = [0, 1].map(() => new Kcp({ conv: CONV, nowMs: 0, receiver: 'adaptive' })) as [Kcp, Kcp];
  const [ours, peer] = ends;
  ours.write(new Uint8Array(100_000));
  const first = [0, 10, 20].flatMap((nowMs) => packets(ours, nowMs));
  // The window is full; a message comes in.
  peer.write(bytes('cc'));
  ours.handle(20, bytes(packets(peer, 20)[0] as string), 0);
  expect(packets(ours, 20)).toEqual([]);
  // Room again: one packet has the ack and as much data as still fits.
  for (const packet of first) peer.handle(21, bytes(packet), 0);
  while (peer.read());
  for (const packet of packets(peer, 21)) ours.handle(25, bytes(packet), 0);
  const next = packets(ours, 25)[0] as string;
  expect(next.length / 2).toBe(1200);
  expect([next.slice(8, 10), next.slice(48 + 8, 48 + 10)]).toEqual(['52', '51']);
  // Without room it leaves alone.
  while (packets(ours, 25).length > 0);
  peer.write(bytes('dd'));
  ours.handle(30, bytes(packets(peer, 30)[0] as string), 0);
  expect(packets(ours, 30)).toEqual([]);
  expect(ours.pollTimeout(30)).toBeLessThanOrEqual(40);
  expect(packets(ours, 40).map((packet) => packet.length / 2)).toEqual([24]);
});
