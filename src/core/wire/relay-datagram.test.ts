import { describe, expect, it } from 'vitest';
import { KcpEndpoint } from '../kcp/index.ts';
import { forEachSeed } from '../testing/seeds.ts';
import { encodeRendezvous } from './proto.ts';
import {
  encodeOpening,
  encodeProof,
  isRelayDatagram,
  OPENING_BYTES,
  PROOF_BYTES,
  readRelayDatagram,
  RELAY_TRIPLE,
} from './relay-datagram.ts';

const REQUEST = { uuid: 'u', licenceKey: 'k', relayTicket: new Uint8Array(200), relaySide: 2 };
const token = new Uint8Array(PROOF_BYTES).fill(5);

describe('what is said is read', () => {
  it('an opening, which is as long as what may come back', () => {
    const opening = encodeOpening(7, REQUEST);
    expect(opening.length).toBe(OPENING_BYTES);
    expect(readRelayDatagram(opening)).toMatchObject({ kind: 'open', conv: 7, request: REQUEST });
    expect(readRelayDatagram(opening.subarray(0, OPENING_BYTES - 1))).toBeNull();
    expect(() => encodeOpening(7, { uuid: 'u'.repeat(OPENING_BYTES) })).toThrow(/does not fit/);
  });

  it('the question for a proof, and the proof', () => {
    for (const kind of ['prove', 'proof'] as const)
      expect(readRelayDatagram(encodeProof(kind, 8, token))).toEqual({ kind, conv: 8, token });
  });

  it('a packet of the stream', () => {
    const endpoint = new KcpEndpoint({ role: 'connector', nowMs: 0, conv: 9, opened: RELAY_TRIPLE });
    endpoint.write(token);
    const out = new Uint8Array(2_000);
    const length = endpoint.pollTransmit(0, out, 0);
    expect(readRelayDatagram(out.subarray(0, length))).toEqual({ kind: 'stream', conv: 9 });
  });
});

it('two ends that were opened by another layer talk at once, without a SYN', () => {
  const opened = { nowMs: 0, conv: 3, opened: RELAY_TRIPLE };
  const [a, b] = [new KcpEndpoint({ role: 'connector', ...opened }), new KcpEndpoint({ role: 'acceptor', ...opened })];
  expect([a.state, b.state]).toEqual(['established', 'established']);
  a.write(token);
  const out = new Uint8Array(2_000);
  b.handle(0, out.slice(0, a.pollTransmit(0, out, 0)));
  expect(b.read()).toEqual(token);
});

it('no message of the rendezvous is taken for it, whatever names are in it', () => {
  for (const name of ['LDrelay1', 'x'.repeat(12), '\u{1f600}'.repeat(6)])
    for (const message of [{ registerPeer: { id: name } }, { punchHoleRequest: { id: name } }, { requestRelay: { uuid: name } }])
      expect(isRelayDatagram(encodeRendezvous(message))).toBe(false);
});

it('any bytes are read or refused, and never throw', async () => {
  const kinds = new Set<string>();
  await forEachSeed(
    2_000,
    (random) => {
      const bytes = Uint8Array.from(random.chance(0.5) ? encodeOpening(1, REQUEST) : encodeProof('proof', 1, token));
      for (let i = random.below(6); i > 0; i--) bytes[random.below(random.chance(0.5) ? 20 : bytes.length)] = random.below(256);
      const read = readRelayDatagram(bytes.subarray(0, random.chance(0.8) ? bytes.length : random.below(bytes.length)));
      kinds.add(read?.kind ?? 'none');
    },
    () => expect(kinds.has('open') && kinds.has('none')).toBe(true),
  );
  expect(['none', 'open', 'proof', 'prove', 'stream']).toEqual(expect.arrayContaining([...kinds]));
});
