import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { WireError } from '../../core/errors.ts';
import { forEachSeed, type SeededRandom } from '../../core/testing/seeds.ts';
import { EpochWatch, natPmpEpochIsReset, pcpEpochIsReset } from './epoch.ts';
import { decodeNatPmp, encodeNatPmpAddress, encodeNatPmpMap } from './nat-pmp.ts';
import { decodePcp, encodePcpAnnounce, encodePcpMap } from './pcp.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

// Requests and answers as a real gateway (miniupnpd 2.3.1) took and gave them.
const NONCE = bytes('6e6e6e6e6e6e6e6e6e6e6e6e');
const PCP_GRANT = bytes(
  '02810000 00000258 00000001 000000000000000000000000 6e6e6e6e6e6e6e6e6e6e6e6e 11000000 0fa0 0fa1 00000000000000000000ffffc000010b',
);
const PCP_ANNOUNCE = bytes('02800000 00000000 00000001 000000000000000000000000');
const PMP_ADDRESS = bytes('00800000 00000001 c000010b');
const PMP_GRANT = bytes('00810000 00000007 0fa0 0fa1 00000e10');

describe('PCP', () => {
  test('requests have the layout of the RFC', () => {
    expect(hex(encodePcpAnnounce('192.168.1.10'))).toBe(`0200000000000000${'00'.repeat(10)}ffffc0a8010a`);
    const map = { clientAddress: '192.168.1.10', nonce: NONCE, protocol: 'udp', internalPort: 4000, externalPort: 4001, lifetimeS: 600 } as const;
    expect(hex(encodePcpMap(map))).toBe(
      `0201000000000258${'00'.repeat(10)}ffffc0a8010a${hex(NONCE)}110000000fa00fa1${'00'.repeat(10)}ffff00000000`,
    );
    expect(hex(encodePcpAnnounce('2001:db8::5')).slice(16)).toBe('20010db8000000000000000000000005');
  });

  test('answers are read, with what they are about', () => {
    expect(decodePcp(PCP_ANNOUNCE)).toEqual({ opcode: 'announce', result: 'SUCCESS', lifetimeS: 0, epochS: 1, map: null });
    expect(decodePcp(PCP_GRANT)).toEqual({
      opcode: 'map',
      result: 'SUCCESS',
      lifetimeS: 600,
      epochS: 1,
      map: { nonce: NONCE, protocol: 'udp', internalPort: 4000, externalPort: 4001, externalAddress: '192.0.1.11' },
    });
    const error = Uint8Array.from(PCP_GRANT);
    error[3] = 2;
    expect(decodePcp(error).result).toBe('NOT_AUTHORIZED');
    error[3] = 200;
    expect(decodePcp(error).result).toBe('UNKNOWN');
  });

  test.each([
    ['cut off', PCP_GRANT.subarray(0, 56)],
    ['no multiple of four', PCP_GRANT.subarray(0, 59)],
    ['too long', new Uint8Array(1104).fill(2)],
    ['a request', encodePcpAnnounce('10.0.0.1')],
    ['NAT-PMP', PMP_ADDRESS],
    ['empty', new Uint8Array()],
  ])('%s is refused', (_, input) => expect(() => decodePcp(input)).toThrow(WireError));
});

describe('NAT-PMP', () => {
  test('requests and answers', () => {
    expect(hex(encodeNatPmpAddress())).toBe('0000');
    expect(hex(encodeNatPmpMap({ protocol: 'tcp', internalPort: 4000, externalPort: 4001, lifetimeS: 3600 }))).toBe('000200000fa00fa100000e10');
    expect(decodeNatPmp(PMP_ADDRESS)).toEqual({ kind: 'address', result: 'SUCCESS', epochS: 1, externalAddress: '192.0.1.11' });
    expect(decodeNatPmp(PMP_GRANT)).toEqual({
      kind: 'map',
      result: 'SUCCESS',
      epochS: 7,
      protocol: 'udp',
      internalPort: 4000,
      externalPort: 4001,
      lifetimeS: 3600,
    });
  });

  test('an error may come without the rest, a success may not', () => {
    expect(decodeNatPmp(bytes('0081000200000007')).result).toBe('NOT_AUTHORIZED');
    expect(() => decodeNatPmp(PMP_GRANT.subarray(0, 12))).toThrow(WireError);
    expect(() => decodeNatPmp(PMP_ADDRESS.subarray(0, 8))).toThrow(WireError);
  });
});

test('hostile bytes are an error or an answer within the limits of its fields, nothing else', async () => {
  const mutate = (random: SeededRandom, from: Uint8Array): Uint8Array => {
    const out = Uint8Array.from(from);
    for (let i = random.between(1, 4); i > 0; i--) out[random.below(out.length)] = random.below(256);
    return random.chance(0.3) ? out.subarray(0, random.below(out.length + 1)) : out;
  };
  await forEachSeed(5_000, (random) => {
    const input = random.chance(0.2) ? random.bytes(random.below(80)) : mutate(random, random.pick([PCP_GRANT, PCP_ANNOUNCE, PMP_ADDRESS, PMP_GRANT]));
    for (const decode of [decodePcp, decodeNatPmp]) {
      try {
        const answer = decode(input);
        expect(answer.epochS).toBeGreaterThanOrEqual(0);
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }
  });
});

describe('epochs', () => {
  const run = (rule: typeof pcpEpochIsReset, ...steps: [atS: number, epochS: number][]): boolean[] => {
    const clock = new VirtualClock();
    const watch = new EpochWatch(clock, rule);
    return steps.map(([atS, epochS]) => {
      clock.advance(atS * 1000 - clock.now());
      return watch.saw(epochS);
    });
  };

  test('a clock that keeps up is no reset, one that fell back is, once', () => {
    expect(run(pcpEpochIsReset, [0, 1000], [100, 1100], [200, 3], [300, 103])).toEqual([false, false, true, false]);
    expect(run(natPmpEpochIsReset, [0, 1000], [100, 1100], [200, 3], [300, 103])).toEqual([false, false, true, false]);
  });

  test('slow and fast clocks within the tolerance of the RFCs', () => {
    expect(run(pcpEpochIsReset, [0, 0], [1000, 945])).toEqual([false, false]);
    expect(run(pcpEpochIsReset, [0, 0], [1000, 900])).toEqual([false, true]);
    expect(run(pcpEpochIsReset, [0, 0], [1000, 1200])).toEqual([false, true]);
    expect(run(natPmpEpochIsReset, [0, 0], [1000, 880])).toEqual([false, false]);
    expect(run(natPmpEpochIsReset, [0, 0], [1000, 870])).toEqual([false, true]);
    expect(run(natPmpEpochIsReset, [0, 0], [1000, 5000])).toEqual([false, false]);
  });

  test('a gateway that restarted just before is noticed although it counts up again', () => {
    expect(run(pcpEpochIsReset, [0, 5], [60, 6])).toEqual([false, true]);
    expect(run(natPmpEpochIsReset, [0, 5], [60, 6])).toEqual([false, true]);
  });
});
