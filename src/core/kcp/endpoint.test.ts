import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FrameDecoder } from '../wire/frame.ts';
import { MAX_DATAGRAM } from './constants.ts';
import { KcpEndpoint } from './endpoint.ts';
import { Punch } from './punch.ts';

const CONV = 0x12345678;
const TRIPLE = '785634120000000000000000';
const SYN = '0100';
const SYN_ACK = '0300';
const ACK_DATA = '0a00';
const FIN = '0400';
const RST = '1000';
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

function sent(endpoint: KcpEndpoint, nowMs = 0): string[] {
  const out = new Uint8Array(MAX_DATAGRAM);
  const list: string[] = [];
  for (let n = endpoint.pollTransmit(nowMs, out, 0); n > 0; n = endpoint.pollTransmit(nowMs, out, 0))
    list.push(Buffer.from(out.subarray(0, n)).toString('hex'));
  return list;
}
/** Feeds one control packet and returns the flags of what is answered at once. */
function feed(endpoint: KcpEndpoint, flags: string, nowMs = 0): string[] {
  endpoint.handle(nowMs, bytes(TRIPLE + flags));
  return sent(endpoint, nowMs).map((hex) => {
    expect(hex.slice(0, 24)).toBe(TRIPLE);
    return hex.slice(24);
  });
}
function synSent(): KcpEndpoint {
  const endpoint = new KcpEndpoint({ role: 'connector', nowMs: 0, conv: CONV });
  expect(sent(endpoint)).toEqual([TRIPLE + SYN]);
  return endpoint;
}
const fresh = (): KcpEndpoint => new KcpEndpoint({ role: 'acceptor', nowMs: 0 });
function synReceived(): KcpEndpoint {
  const endpoint = fresh();
  expect(feed(endpoint, SYN)).toEqual([SYN_ACK]);
  return endpoint;
}
function established(): KcpEndpoint {
  const endpoint = synReceived();
  expect(feed(endpoint, ACK_DATA)).toEqual([]);
  expect(endpoint.state).toBe('established');
  return endpoint;
}

describe('the state machine of rendezvous §10.3', () => {
  test('no state', () => {
    expect(feed(fresh(), RST)).toEqual([]);
    for (const other of [SYN_ACK, ACK_DATA, FIN, '0800', '0000']) expect(feed(fresh(), other)).toEqual([RST]);
    expect(feed(fresh(), '2000')).toEqual([RST]);
  });
  test('SynSent', () => {
    const endpoint = synSent();
    expect(feed(endpoint, SYN_ACK)).toEqual([ACK_DATA]);
    expect(endpoint.state).toBe('established');
    expect(endpoint.conv).toBe(CONV);
    // A repeated answer means nothing any more.
    expect(feed(endpoint, SYN_ACK)).toEqual([]);
    expect(feed(synSent(), ACK_DATA)).toEqual([]);
    expect(feed(synSent(), FIN)).toEqual([RST]);
    expect(feed(synSent(), RST)).toEqual([]);
  });
  test('SynReceived', () => {
    expect(feed(synReceived(), SYN_ACK)).toEqual([]);
    expect(feed(synReceived(), FIN)).toEqual([RST]);
    // A repeated SYN says that our answer was lost.
    expect(feed(synReceived(), SYN)).toEqual([SYN_ACK]);
    const gone = synReceived();
    expect(feed(gone, RST)).toEqual([]);
    expect(feed(gone, ACK_DATA)).toEqual([RST]);
  });
  test('Established and PeerClosed', () => {
    const endpoint = established();
    expect(feed(endpoint, ACK_DATA)).toEqual([]);
    expect(feed(endpoint, '2000')).toEqual(['6000']);
    expect(feed(endpoint, '6000')).toEqual([]);
    expect(feed(endpoint, FIN)).toEqual([]);
    expect(endpoint.state).toBe('peer-closed');
    expect(feed(endpoint, FIN)).toEqual([]);
    expect(feed(endpoint, RST)).toEqual([]);
    expect(endpoint.state).toBe('closed');
    const reset = established();
    feed(reset, RST);
    expect([reset.state, reset.closeReason]).toEqual(['closed', 'reset']);
  });
  test('LocalClosed', () => {
    const endpoint = established();
    endpoint.close(0);
    expect(endpoint.state).toBe('local-closed');
    expect(sent(endpoint)).toEqual([TRIPLE + FIN]);
    expect(feed(endpoint, '2000')).toEqual([RST]);
    expect(feed(endpoint, FIN)).toEqual([]);
    expect([endpoint.state, endpoint.closeReason]).toEqual(['closed', 'local']);
  });
  test('FIN waits for the acknowledgement of all data and is repeated a few times', () => {
    const endpoint = established();
    expect(endpoint.write(bytes('aa'))).toBe(1);
    endpoint.close(0);
    expect(sent(endpoint).map((hex) => hex.slice(24, 28))).toEqual([ACK_DATA]);
    endpoint.handle(
      5,
      bytes(`${TRIPLE}${ACK_DATA}78563412520000040000000000000000010000000000 0000`.replace(' ', '')),
    );
    expect(sent(endpoint, 5)).toEqual([TRIPLE + FIN]);
    let fins = 0;
    for (let now = endpoint.pollTimeout(5); now < Infinity; now = endpoint.pollTimeout(now))
      fins += sent(endpoint, now).length;
    expect(fins).toBe(3);
    expect(endpoint.state).toBe('closed');
  });
});

describe('what is repeated against loss', () => {
  test('SYN with the same conv, then with a new one', () => {
    const endpoint = synSent();
    const convs: number[] = [];
    for (let i = 0; i < 5; i++)
      for (const hex of sent(endpoint, endpoint.pollTimeout(0))) convs.push(bytes(hex)[0] as number);
    expect(convs.slice(0, 3)).toEqual([0x78, 0x79, 0x79]);
  });
  test('the handshake ACK until the acceptor is heard', () => {
    const endpoint = synSent();
    feed(endpoint, SYN_ACK);
    const at = endpoint.pollTimeout(0);
    expect(sent(endpoint, at)).toEqual([TRIPLE + ACK_DATA]);
    feed(endpoint, ACK_DATA, at);
    expect(endpoint.pollTimeout(at)).toBe(10_000);
  });
});

test('PING every 10 s; a silent peer is dropped after 60 s', () => {
  const endpoint = established();
  const pings: number[] = [];
  for (let now = endpoint.pollTimeout(0); now < Infinity; now = endpoint.pollTimeout(now))
    for (const hex of sent(endpoint, now)) {
      expect(hex).toBe(`${TRIPLE}2000`);
      pings.push(now);
    }
  expect(pings).toEqual([10_000, 20_000, 30_000, 40_000, 50_000]);
  expect([endpoint.state, endpoint.closeReason]).toEqual(['closed', 'idle']);
});

interface Vector {
  steps: { from: string; transport: string; ms: number; hex: string; peer?: string }[];
  frames: { from: string; hex: string }[];
}

for (const name of ['kcp-session-2s', 'kcp-stock-controller'])
  for (const from of ['controller', 'controlled'])
    test(`${name}: the datagrams of the ${from} give its frames`, () => {
      const vector = JSON.parse(readFileSync(`test/vectors/session/${name}.json`, 'utf8')) as Vector;
      const steps = vector.steps.filter((s) => s.transport === 'kcp');
      const conv = bytes((steps[0] as { hex: string }).hex.slice(0, 8));
      const endpoint = new KcpEndpoint({
        role: from === 'controller' ? 'acceptor' : 'connector',
        nowMs: 0,
        conv: new DataView(conv.buffer).getUint32(0, true),
      });
      const decoder = new FrameDecoder();
      const frames: string[] = [];
      for (const step of steps.filter((s) => s.from === from)) {
        // Acks of segments that our side did not send are no part of this replay.
        endpoint.handle(step.ms, dropForeignAcks(bytes(step.hex)));
        for (let c = endpoint.read(); c; c = endpoint.read())
          for (const payload of decoder.push(c)) frames.push(Buffer.from(payload).toString('hex'));
        for (const hex of sent(endpoint, step.ms))
          expect(hex.slice(0, 8)).toBe(Buffer.from(conv).toString('hex'));
      }
      const wanted = vector.frames.filter((f) => f.from === from);
      const decoded = wanted.flatMap((f) =>
        new FrameDecoder().push(bytes(f.hex)).map((p) => Buffer.from(p).toString('hex')),
      );
      expect(frames).toEqual(decoded);
      expect(frames.length).toBeGreaterThan(3);
    });

/** Sets una to 0 and leaves out ACK segments: the replay acknowledges what the recorded peer had sent, not we. */
function dropForeignAcks(datagram: Uint8Array): Uint8Array {
  if (datagram.length < 38) return datagram;
  const parts: Uint8Array[] = [datagram.subarray(0, 14)];
  const view = new DataView(datagram.buffer);
  for (let at = 14; at < datagram.length; ) {
    const length = view.getUint32(at + 20, true);
    view.setUint32(at + 16, 0, true);
    if (datagram[at + 4] === 81) parts.push(datagram.subarray(at, at + 24 + length));
    at += 24 + length;
  }
  return Uint8Array.from(Buffer.concat(parts));
}

test('any bytes leave the endpoint standing, and answers bounded', () => {
  let seed = 7;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  for (const make of [fresh, synSent, synReceived, established])
    for (let round = 0; round < 40; round++) {
      const endpoint = make();
      for (let i = 0; i < 200; i++) {
        const datagram = Uint8Array.from({ length: random(120) }, () => random(256));
        if (random(4) > 0) datagram.set(bytes(TRIPLE).subarray(0, datagram.length));
        if (random(2) && datagram.length > 20) {
          datagram[12] = 0x0a;
          datagram.set(bytes('78563412').subarray(0, 4), 14);
          datagram[18] = 81 + random(4);
          datagram.set(
            [random(3), 0, 0, 0].slice(0, Math.max(0, datagram.length - 34)),
            Math.min(34, datagram.length),
          );
        }
        endpoint.handle(i, datagram);
        if (random(3) === 0) endpoint.read();
        expect(sent(endpoint, i).length).toBeLessThan(100);
        endpoint.pollTimeout(i);
      }
    }
});

describe('the punch phase of rendezvous §10.1', () => {
  test('intervals and the end', () => {
    const punch = new Punch({ role: 'connector', nowMs: 0, timeoutMs: 1000 });
    const at: number[] = [];
    for (let now = 0; now < Infinity; now = punch.pollTimeout()) if (punch.pollTransmit(now)) at.push(now);
    expect(at).toEqual([0, 20, 50, 95, 162, 262, 412, 612, 812]);
    expect(punch.state).toBe('timed-out');
  });
  test('what ends it', () => {
    const a = new Punch({ role: 'connector', nowMs: 0 });
    expect(a.handle(new Uint8Array(0))).toBe(false);
    expect(a.state).toBe('through');
    const b = new Punch({ role: 'acceptor', nowMs: 0 });
    expect(b.handle(new Uint8Array(0))).toBe(false);
    expect(b.state).toBe('punching');
    expect(b.handle(bytes(TRIPLE + SYN))).toBe(true);
    expect(b.state).toBe('through');
  });
});
