/** Who gets how much from the relay by datagrams, before anything is known of him. */
import { expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { KcpEndpoint } from '../core/kcp/index.ts';
import { forEachSeed } from '../core/testing/seeds.ts';
import { encodeOpening, encodeProof, type hbb, type HostPort, OPENING_BYTES, readRelayDatagram, RELAY_TRIPLE } from '../core/wire/index.ts';
import { Counters } from './counters.ts';
import { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';
import { RelayFlows } from './relay-flows.ts';
import type { KcpEnd } from './relay-kcp-end.ts';

const FROM: HostPort = { host: '198.51.100.1', port: 4000 };
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The relay's half with the network played by the test. A request whose uuid is `ticket` has one that fits. */
function rig(limits: Partial<ServerLimits> = {}) {
  const clock = new VirtualClock();
  const counters = new Counters();
  const sent: { readonly to: HostPort; readonly bytes: Uint8Array }[] = [];
  const arrived: KcpEnd[] = [];
  const flows = new RelayFlows({
    limits: { ...DEFAULT_LIMITS, ...limits },
    clock,
    counters,
    refuses: (host) => host === '198.51.100.66',
    admit: (request: hbb.IRequestRelay) => (request.uuid === 'bad' ? null : { atTicketsAddress: request.uuid === 'ticket' }),
    arrive: (_named, end) => void arrived.push(end),
  });
  const path = { localHost: '', send: (bytes: Uint8Array, to: HostPort) => void sent.push({ bytes: Uint8Array.from(bytes), to }) };
  const from = (bytes: Uint8Array, source = FROM): void => flows.onDatagram(bytes, source, path);
  const bytesTo = (host: string): number => sent.filter(({ to }) => to.host === host).reduce((sum, { bytes }) => sum + bytes.length, 0);
  const token = (): Uint8Array => {
    const read = sent.map(({ bytes }) => readRelayDatagram(bytes)).findLast((datagram) => datagram?.kind === 'prove');
    if (read?.kind !== 'prove') throw new Error('no proof was asked for');
    return read.token;
  };
  return { clock, counters, sent, arrived, flows, from, bytesTo, token };
}

it('whoever has a ticket for its address may be joined at once, others when they have brought back the token', () => {
  const { arrived, from, token } = rig();
  from(encodeOpening(1, { uuid: 'ticket' }));
  expect(arrived).toHaveLength(1);
  const other = { ...FROM, port: 4001 };
  from(encodeOpening(2, { uuid: 'u' }), other);
  from(encodeProof('proof', 2, new Uint8Array(16)), other);
  from(encodeProof('proof', 3, token()), other);
  from(encodeProof('proof', 2, token()));
  expect(arrived).toHaveLength(1);
  from(encodeProof('proof', 2, token()), other);
  expect(arrived).toHaveLength(2);
});

it('an address that proves nothing gets no more bytes than came from it, whatever the other end sends, and is cut', async () => {
  const { clock, arrived, from, bytesTo, flows, counters } = rig();
  from(encodeOpening(1, { uuid: 'ticket' }));
  const [end] = arrived;
  let closed = 0;
  end?.setEvents({ onData: () => {}, onSign: () => {}, onEnd: () => {}, onDrain: () => {}, onClose: () => closed++ });
  for (let i = 0; i < 50; i++) end?.write(new Uint8Array(2_000));
  for (let i = 0; i < 290; i++) {
    clock.advance(10);
    await settled();
  }
  expect(bytesTo(FROM.host)).toBeLessThanOrEqual(OPENING_BYTES);
  clock.advance(200);
  await settled();
  expect([flows.size, closed, counters.snapshot()['relay-unproven'], clock.pending]).toEqual([0, 1, 1, 0]);
  expect(bytesTo(FROM.host)).toBeLessThanOrEqual(OPENING_BYTES);
});

it('the proof is asked for again as long as it may have been lost, and no longer', () => {
  const { clock, sent, from, token, flows, arrived } = rig();
  const asked = (): number => sent.filter(({ bytes }) => readRelayDatagram(bytes)?.kind === 'prove').length;
  from(encodeOpening(1, { uuid: 'u' }));
  clock.advance(1_000);
  expect(asked()).toBe(5);
  from(encodeProof('proof', 1, token()));
  clock.advance(10_000);
  expect([asked(), flows.size, arrived.length]).toEqual([5, 1, 1]);
  arrived[0]?.destroy();
  expect([flows.size, clock.pending]).toEqual([0, 0]);
});

it('a repeated opening is the same stream; another one of the same socket takes its place until it is joined', () => {
  const { arrived, from, flows } = rig();
  for (let i = 0; i < 5; i++) from(encodeOpening(1, { uuid: 'u' }));
  expect([flows.size, arrived.length]).toEqual([1, 0]);
  from(encodeOpening(2, { uuid: 'ticket' }));
  expect([flows.size, arrived.length]).toEqual([1, 1]);
  from(encodeOpening(3, { uuid: 'ticket' }));
  expect([flows.size, arrived.length]).toEqual([1, 1]);
});

it('refuses in silence: the blocked, the unknown, and too short an opening', () => {
  const { from, sent, flows, counters } = rig();
  from(encodeOpening(1, { uuid: 'u' }), { ...FROM, host: '198.51.100.66' });
  from(encodeOpening(1, { uuid: 'bad' }));
  from(encodeOpening(1, { uuid: 'u' }).subarray(0, 1_000));
  expect([sent.length, flows.size, counters.snapshot()['relay-blocked']]).toEqual([0, 0, 1]);
});

it('places of the unproven are few: of one address, and of all, where the oldest goes', () => {
  const { from, flows, counters } = rig({ maxRelayUnproven: 3, maxRelayUnprovenPerAddress: 2 });
  for (let port = 1; port <= 4; port++) from(encodeOpening(port, { uuid: 'u' }), { ...FROM, port });
  expect([flows.size, counters.snapshot()['relay-too-many-openings']]).toEqual([2, 2]);
  for (let i = 1; i <= 5; i++) from(encodeOpening(i, { uuid: 'u' }), { host: `203.0.113.${i}`, port: 1 });
  expect(flows.size).toBe(3);
});

it('openings are looked at only so often in a second', () => {
  const { clock, from, flows } = rig({ maxRelayOpeningsPerSecond: 2 });
  clock.advance(5_000);
  for (let port = 1; port <= 4; port++) from(encodeOpening(port, { uuid: 'u' }), { ...FROM, port });
  expect(flows.size).toBe(2);
  clock.advance(1_000);
  from(encodeOpening(9, { uuid: 'u' }), { ...FROM, port: 9 });
  expect(flows.size).toBe(3);
});

it('a stream that nobody knows is ended by an answer that is not longer; an end is never answered', () => {
  const { from, sent } = rig();
  const endpoint = new KcpEndpoint({ role: 'connector', nowMs: 0, conv: 4, opened: RELAY_TRIPLE });
  endpoint.write(new Uint8Array(10));
  const out = new Uint8Array(2_000);
  const packet = out.slice(0, endpoint.pollTransmit(0, out, 0));
  from(packet);
  const [answer] = sent;
  expect(answer?.bytes.length).toBeLessThanOrEqual(packet.length);
  endpoint.handle(0, answer?.bytes ?? new Uint8Array());
  expect(endpoint.closeReason).toBe('reset');
  from(answer?.bytes ?? new Uint8Array());
  expect(sent).toHaveLength(1);
});

it('before it is joined it may send only a little', async () => {
  const { from, arrived, clock } = rig({ relayEarlyBytes: 5_000 });
  from(encodeOpening(1, { uuid: 'ticket' }));
  const [end] = arrived;
  let got = 0;
  end?.setEvents({ onData: (data) => void (got += data.length), onSign: () => {}, onEnd: () => {}, onDrain: () => {}, onClose: () => {} });
  const endpoint = new KcpEndpoint({ role: 'connector', nowMs: 0, conv: 1, opened: RELAY_TRIPLE });
  endpoint.write(new Uint8Array(20_000));
  const out = new Uint8Array(2_000);
  for (let now = 0; now < 200; now += 10)
    for (let length = endpoint.pollTransmit(now, out, 0); length > 0; length = endpoint.pollTransmit(now, out, 0)) from(out.slice(0, length));
  clock.advance(10);
  await settled();
  expect(got).toBeLessThanOrEqual(5_000);
  expect(got).toBeGreaterThan(0);
});

it('nobody gets more than he sent, for any datagrams in any order', async () => {
  await forEachSeed(300, async (random) => {
    const { from, flows, clock, sent, arrived } = rig({ maxRelayUnproven: 4, maxRelayUnprovenPerAddress: 3 });
    const paid = new Map<string, number>();
    const hosts = ['203.0.113.1', '203.0.113.2', '203.0.113.3'];
    for (let i = 0; i < 40; i++) {
      const conv = random.below(3);
      const bytes = Uint8Array.from(
        random.pick([
          encodeOpening(conv, { uuid: random.pick(['ticket', 'u', 'bad']) }),
          encodeProof(random.pick(['prove', 'proof']), conv, random.bytes(16)),
          packetOf(conv, random.below(1_000)),
        ]),
      );
      if (random.chance(0.3)) bytes[random.below(bytes.length)] = random.below(256);
      const source = { host: random.pick(hosts), port: random.between(1, 4) };
      paid.set(source.host, (paid.get(source.host) ?? 0) + bytes.length);
      from(bytes, source);
      for (const end of arrived) if (random.chance(0.2)) end.write(random.bytes(100));
      if (random.chance(0.2)) clock.advance(random.below(500));
      if (random.chance(0.1)) await settled();
    }
    for (const host of hosts) {
      const got = sent.filter(({ to }) => to.host === host).reduce((sum, { bytes }) => sum + bytes.length, 0);
      expect(got).toBeLessThanOrEqual(paid.get(host) ?? 0);
    }
    flows.close();
    await settled();
    expect([flows.size, clock.pending]).toEqual([0, 0]);
  });
});

function packetOf(conv: number, bytes: number): Uint8Array {
  const endpoint = new KcpEndpoint({ role: 'connector', nowMs: 0, conv, opened: RELAY_TRIPLE });
  endpoint.write(new Uint8Array(bytes + 1));
  const out = new Uint8Array(2_000);
  return out.slice(0, endpoint.pollTransmit(0, out, 0));
}
