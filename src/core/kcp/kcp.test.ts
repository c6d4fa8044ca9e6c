import { expect, test } from 'vitest';
import { MAX_DATAGRAM } from './constants.ts';
import { KcpEndpoint } from './endpoint.ts';
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

/** A random number generator that gives the same numbers for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Side {
  endpoint: KcpEndpoint;
  inbox: { at: number; data: Uint8Array }[];
  left: Uint8Array;
  got: number;
}

/** Runs two endpoints over a bad line until both have everything; returns the virtual time it took. */
function simulate(seed: number, bytesEach: number, loss: number): number {
  const random = seeded(seed);
  const side = (role: 'connector' | 'acceptor'): Side => ({
    endpoint: new KcpEndpoint({ role, nowMs: 0, conv: (seed * 2654435761) >>> 0 }),
    inbox: [],
    left: Uint8Array.from({ length: bytesEach }, (_, i) => (i * 31 + (i >> 8) + seed) & 0xff),
    got: 0,
  });
  const a = side('connector');
  const b = side('acceptor');
  const pattern = a.left;
  const out = new Uint8Array(MAX_DATAGRAM);
  const delay = 1 + random() * 40;
  let now = 0;
  const step = (me: Side, other: Side): number => {
    me.inbox.sort((x, y) => x.at - y.at);
    while (me.inbox[0] && me.inbox[0].at <= now)
      me.endpoint.handle(now, (me.inbox.shift() as { data: Uint8Array }).data);
    for (let c = me.endpoint.read(); c; c = me.endpoint.read()) {
      for (let i = 0; i < c.length; i++)
        if (c[i] !== pattern[me.got + i]) throw new Error(`seed ${seed}: byte ${me.got + i} differs`);
      me.got += c.length;
    }
    me.left = me.left.subarray(me.endpoint.write(me.left.subarray(0, 1 + Math.floor(random() * 9000))));
    for (let n = me.endpoint.pollTransmit(now, out, 0); n > 0; n = me.endpoint.pollTransmit(now, out, 0)) {
      const copies = random() < loss ? 0 : random() < 0.02 ? 2 : 1;
      for (let i = 0; i < copies; i++)
        other.inbox.push({ at: now + delay + (random() < 0.1 ? random() * 30 : 0), data: out.slice(0, n) });
    }
    return Math.min(
      me.endpoint.pollTimeout(now),
      me.inbox[0]?.at ?? Infinity,
      me.left.length > 0 ? now + 5 : Infinity,
    );
  };
  while (a.got < bytesEach || b.got < bytesEach) {
    const next = Math.min(step(a, b), step(b, a), ...a.inbox.map((p) => p.at), ...b.inbox.map((p) => p.at));
    now = Math.max(now + 0.5, next);
    if (now > 120_000) throw new Error(`seed ${seed}: stuck at ${a.got} and ${b.got} of ${bytesEach}`);
  }
  return now;
}

test('both directions arrive whole over lossy, reordering, duplicating lines: 600 seeds', () => {
  for (let seed = 1; seed <= 600; seed++) simulate(seed, 20_000 + (seed % 7) * 3_000, (seed % 4) * 0.1);
});

/** Bytes that a sender with always more to send gets across in `forMs` over 20 ms each way. */
function bulk(seed: number, loss: number, forMs: number): number {
  const random = seeded(seed);
  const a = new Kcp({ conv: CONV, nowMs: 0 });
  const b = new Kcp({ conv: CONV, nowMs: 0 });
  const toA: { at: number; data: Uint8Array }[] = [];
  const toB: { at: number; data: Uint8Array }[] = [];
  const out = new Uint8Array(1200);
  const chunk = new Uint8Array(65_536);
  let got = 0;
  const move = (from: Kcp, to: { at: number; data: Uint8Array }[], now: number): void => {
    for (let n = from.pollTransmit(now, out, 0); n > 0; n = from.pollTransmit(now, out, 0))
      if (random() >= loss) to.push({ at: now + 20, data: out.slice(0, n) });
  };
  for (let now = 0; now < forMs; now += 0.25) {
    while (a.backlogBytes < 1_000_000) a.write(chunk);
    move(a, toB, now);
    while (toB[0] && toB[0].at <= now) b.handle(now, (toB.shift() as { data: Uint8Array }).data, 0);
    for (let c = b.read(); c; c = b.read()) got += c.length;
    move(b, toA, now);
    while (toA[0] && toA[0].at <= now) a.handle(now, (toA.shift() as { data: Uint8Array }).data, 0);
  }
  return got;
}

test('one unlucky round at 10 % loss does not leave the window small for good, whatever the seed', () => {
  // The smallest window, 32 segments per round trip of 40 ms, is what a sender that gave up would keep.
  const smallest = (32 * 1176 * 3000) / 40;
  for (let seed = 1; seed <= 16; seed++) expect(bulk(seed, 0.1, 3000)).toBeGreaterThan(2 * smallest);
});
