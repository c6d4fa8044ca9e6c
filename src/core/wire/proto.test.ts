import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../test/vectors/load.ts';
import {
  decodeAs,
  decodeMessage,
  decodeRendezvous,
  encodeAs,
  encodeMessage,
  encodeRendezvous,
  hbb,
  MAX_FIELDS,
  MAX_RENDEZVOUS_FIELDS,
  mangleAddress,
  rewriteRequestRelay,
  splitFields,
} from './index.ts';

const badProtobuf = expect.objectContaining({ name: 'WireError', code: 'BAD_PROTOBUF' });

describe('rendezvous messages', () => {
  it.each<[string, hbb.IRendezvousMessage, string]>([
    ['RegisterPeer', { registerPeer: { id: '123456789', serial: 3 } }, '320d0a093132333435363738391003'],
    ['RegisterPeerResponse', { registerPeerResponse: {} }, '3a00'],
    ['RegisterPeerResponse', { registerPeerResponse: { requestPk: true } }, '3a021001'],
    ['TestNatRequest', { testNatRequest: {} }, 'a20100'],
    ['TestNatResponse', { testNatResponse: { port: 50000 } }, 'aa010408d08603'],
    ['RegisterPkResponse', { registerPkResponse: { result: hbb.RegisterPkResponse.Result.OK } }, '820100'],
    [
      'RegisterPkResponse',
      { registerPkResponse: { result: hbb.RegisterPkResponse.Result.UUID_MISMATCH } },
      '8201020802',
    ],
    [
      'PunchHoleResponse',
      { punchHoleResponse: { failure: hbb.PunchHoleResponse.Failure.ID_NOT_EXIST } },
      '5a00',
    ],
    [
      'PunchHoleResponse',
      { punchHoleResponse: { failure: hbb.PunchHoleResponse.Failure.OFFLINE } },
      '5a021802',
    ],
    [
      'PunchHoleResponse',
      { punchHoleResponse: { failure: hbb.PunchHoleResponse.Failure.LICENSE_MISMATCH } },
      '5a021803',
    ],
    ['PeerDiscovery', { peerDiscovery: { cmd: 'ping' } }, 'b201060a0470696e67'],
    [
      'PunchHole',
      {
        punchHole: {
          socketAddr: mangleAddress({ host: '203.0.113.7', port: 50000 }, 1753412345678901n),
          relayServer: 'relay.example',
          natType: hbb.NatType.ASYMMETRIC,
        },
      },
      '4a1d0a0a850f6b980440009ae64e120d72656c61792e6578616d706c651801',
    ],
    [
      'OnlineRequest',
      { onlineRequest: { id: 'me', peers: ['aaa', 'bbb'] } },
      'ba010e0a026d6512036161611203626262',
    ],
  ])('%s', (_, message, hex) => {
    expect(toHex(encodeRendezvous(message))).toBe(hex);
    expect(decodeRendezvous(fromHex(hex)).union).toBe(Object.keys(message)[0]);
    expect(toHex(encodeRendezvous(decodeRendezvous(fromHex(hex))))).toBe(hex);
  });

  it('write a union member that is set to its default', () => {
    const bytes = encodeRendezvous({ punchHoleResponse: { natType: hbb.NatType.UNKNOWN_NAT } });
    expect(toHex(bytes)).toBe('5a022800');
    expect(decodeRendezvous(bytes).punchHoleResponse?.union).toBe('natType');
    expect(toHex(encodeRendezvous({ relayResponse: { pk: new Uint8Array() } }))).toBe('9a01022a00');
  });

  it('read unset fields as their defaults', () => {
    const { punchHole } = decodeRendezvous(fromHex('4a00'));
    expect(punchHole?.relayServer).toBe('');
    expect(punchHole?.natType).toBe(hbb.NatType.UNKNOWN_NAT);
    expect(punchHole?.udpPort).toBe(0);
    expect(punchHole?.socketAddr).toHaveLength(0);
    expect(punchHole?.controlPermissions ?? null).toBeNull();
    expect(decodeRendezvous(new Uint8Array()).union).toBeUndefined();
  });
});

describe('64-bit fields', () => {
  it.each([0n, 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])('uint64 %i is exact', (id) => {
    const message = decodeMessage(encodeMessage({ cursorData: { id } }));
    expect(message.cursorData?.id).toBe(id);
    expect(decodeMessage(encodeMessage({ cursorId: id })).cursorId).toBe(id);
  });

  it.each([0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)])('int64 %i is exact', (time) => {
    expect(decodeMessage(encodeMessage({ testDelay: { time } })).testDelay?.time).toBe(time);
  });

  it('are absent when zero, and read as zero then', () => {
    expect(toHex(encodeMessage({ testDelay: { time: 0n } }))).toBe('2a00');
    expect(decodeMessage(fromHex('2a00')).testDelay?.time).toBe(0n);
  });
});

describe('signed 32-bit fields', () => {
  it('are zig-zag where the schema says so and plain elsewhere', () => {
    expect(toHex(encodeMessage({ cursorPosition: { x: -1, y: 1 } }))).toBe('6a0408011002');
    const plain = encodeMessage({ fileAction: { cancel: { id: -1 } } });
    expect(decodeMessage(plain).fileAction?.cancel?.id).toBe(-1);
    expect(toHex(plain)).toContain('ffffffffffffffffff01');
  });
});

describe('hostile bytes', () => {
  it('are refused with a WireError', () => {
    for (const hex of ['ff', '3205', '0a', '32', '00', '320d0aff', '3203080102', 'ffffffffffffffffffff01'])
      expect(() => decodeRendezvous(fromHex(hex)), hex).toThrow(
        expect.objectContaining({ name: 'WireError' }),
      );
    expect(() => decodeMessage(fromHex('70ffffffffffffffffffff01'))).toThrow(badProtobuf);
  });

  it('cannot make us build more than MAX_FIELDS objects', () => {
    const tooMany = expect.objectContaining({ code: 'TOO_MANY_FIELDS' });
    // MultiClipboards with empty entries: two bytes each.
    const entries = Buffer.alloc((MAX_FIELDS + 1) * 2);
    for (let i = 0; i < entries.length; i += 2) entries[i] = 0x0a;
    expect(() => decodeAs(hbb.MultiClipboards, entries)).toThrow(tooMany);
    const packed = encodeAs(hbb.CaptureDisplays, { add: Array<number>(MAX_FIELDS + 1).fill(0) });
    expect(() => decodeAs(hbb.CaptureDisplays, packed)).toThrow(tooMany);
    expect(() => decodeAs(hbb.MultiClipboards, entries.subarray(0, 20_000), 9_999)).toThrow(tooMany);
    const asked = encodeRendezvous({
      onlineRequest: { peers: Array<string>(MAX_RENDEZVOUS_FIELDS).fill('') },
    });
    expect(() => decodeRendezvous(asked)).toThrow(tooMany);
    expect(decodeAs(hbb.MultiClipboards, entries.subarray(0, 20_000)).clipboards).toHaveLength(10_000);
  });

  it('cannot nest without end', () => {
    const groups = Buffer.alloc(100_000, 0x0b);
    expect(() => decodeMessage(groups)).toThrow(badProtobuf);
    expect(() => splitFields(groups)).toThrow(badProtobuf);
  });

  it('give byte fields that are plain views of the input', () => {
    const bytes = Buffer.from(encodeMessage({ signedId: { id: Uint8Array.of(1, 2, 3) } }));
    const { signedId } = decodeMessage(bytes);
    expect(signedId?.id.constructor).toBe(Uint8Array);
    expect(signedId?.id.buffer).toBe(bytes.buffer);
  });

  it('keep unknown enum values and drop unknown fields', () => {
    expect(decodeRendezvous(fromHex('5a021863')).punchHoleResponse?.failure).toBe(99);
    expect(toHex(encodeRendezvous(decodeRendezvous(fromHex('3a05100188060a'))))).toBe('3a021001');
  });
});

describe('rewriteRequestRelay', () => {
  const socketAddr = Uint8Array.of(9, 9);
  const rewritten = (hex: string, address = socketAddr): string =>
    toHex(rewriteRequestRelay(fromHex(hex), { socketAddr: address }));

  it('puts the address in number order and replaces one that was there', () => {
    expect(rewritten('920100')).toBe('9201041a020909');
    expect(rewritten('92010b1a01010a01612201622801')).toBe('92010c0a01611a0209092201622801');
  });

  it('removes the address when the new one is empty', () => {
    expect(rewritten('9201051a01012801', new Uint8Array())).toBe('9201022801');
  });

  it('keeps unknown fields inside and outside', () => {
    // Inside: field 100 "hi"; outside: field 200 varint 5.
    expect(rewritten('920105a206026869c00c05')).toBe('9201091a020909a206026869c00c05');
  });

  it('merges a message that was sent in parts', () => {
    expect(rewritten('9201030a01619201022801')).toBe('9201090a01611a0209092801');
  });

  it('refuses anything else', () => {
    for (const hex of ['', '3a00', '9201003a00', '900105'])
      expect(() => rewritten(hex), hex).toThrow(
        expect.objectContaining({ name: 'WireError', code: 'NOT_REQUEST_RELAY' }),
      );
    expect(() => rewritten('920105')).toThrow(badProtobuf);
    expect(() => rewritten('92010107')).toThrow(badProtobuf);
    expect(() => rewritten('a00600'.repeat(1001))).toThrow(
      expect.objectContaining({ code: 'TOO_MANY_FIELDS' }),
    );
  });
});
