import { describe, expect, it } from 'vitest';
import { encodeFrame, encodeRendezvous, type hbb } from '../../core/wire/index.ts';
import { serviceOfFrames, serviceOfMessage } from './service-of.ts';
import { MAX_SNIFF_BYTES, sniff } from './sniff.ts';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');

describe('the first bytes', () => {
  it.each([
    ['GET / HTTP/1.1\r\n', 'http'],
    ['OPTIONS * HTTP/1.1\r\n', 'http'],
    ['PRI * HTTP/2.0\r\n\r\n', 'http'],
    ['PROXY TCP4 ', 'proxy'],
    ['\r\n\r\n\0\r\nQUIT\n\x21\x11', 'proxy'],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'tls'],
    ['GETTING', 'frames'],
    ['PUNCH', 'frames'],
    ['\r\n', null],
    ['PRO', null],
    ['\x16\x03', null],
    ['\x16\x03\x01\x02\x00\x02', 'frames'],
    ['\0', 'frames'],
  ])('%j are %s', (bytes, speech) => {
    expect(sniff(text(bytes))).toBe(speech);
  });

  it('need no more than a few', () => {
    for (let first = 0; first < 256; first++)
      for (const rest of [0, 0x03, 0x0a, 0x45, 0x50, 0xff]) {
        const bytes = Buffer.alloc(MAX_SNIFF_BYTES, rest);
        bytes[0] = first;
        expect(sniff(bytes), bytes.toString('hex')).not.toBeNull();
      }
  });

  it('take no message of the protocol, of whatever length, for anything else', () => {
    const messages = (fill: string): hbb.IRendezvousMessage[] => [
      { registerPk: { id: fill, uuid: new Uint8Array(2), pk: new Uint8Array(32) } },
      { punchHoleRequest: { id: fill } },
      { punchHoleSent: { id: fill, socketAddr: new Uint8Array(1) } },
      { localAddr: { id: fill } },
      { requestRelay: { uuid: 'u', id: fill } },
      { relayResponse: { uuid: fill } },
      { testNatRequest: { serial: fill.length } },
      { onlineRequest: { id: fill } },
      { keyExchange: { keys: [Buffer.from(fill)] } },
      { serverKeyRequest: { serverKeyId: Buffer.from(fill) } },
      { relayIntroduction: { signed: [Buffer.from(fill)] } },
    ];
    for (const length of [...Array.from({ length: 300 }, (_, i) => i), 16_570, 16_571, 16_572, 16_573, 16_574, 16_575, 32_957, 49_341, 65_725])
      for (const message of messages('x'.repeat(length))) {
        const frame = encodeFrame(encodeRendezvous(message));
        expect(sniff(frame), Buffer.from(frame.subarray(0, 8)).toString('hex')).toBe('frames');
      }
  });
});

describe('the first message', () => {
  const service = (message: hbb.IRendezvousMessage): string => serviceOfMessage(encodeRendezvous(message), ({ licenceKey }) => licenceKey === 'k');

  it.each<[string, hbb.IRequestRelay]>([
    ['relay', { licenceKey: 'k', id: '123456789', uuid: 'u', connType: 1 }],
    ['relay', { licenceKey: 'k', uuid: 'u' }],
    ['relay', { uuid: 'u' }],
    ['relay', { id: '123456789', uuid: 'u', atRelay: true }],
    ['rendezvous', { id: '123456789', uuid: 'u', relayServer: 'r:443', secure: true }],
    ['rendezvous', { id: '123456789', uuid: 'u', relayServer: 'r:443' }],
    ['rendezvous', { id: '123456789', uuid: 'u', secure: true }],
    ['rendezvous', { licenceKey: 'k' }],
    ['rendezvous', { id: '123456789', uuid: 'u', wantTicket: true }],
    // The relay would refuse it.
    ['rendezvous', { id: '123456789', uuid: 'u' }],
  ])('goes to the %s: %j', (expected, requestRelay) => {
    expect(service({ requestRelay })).toBe(expected);
  });

  it('without a key may still be for the relay of a server that wants none', () => {
    const message = encodeRendezvous({ requestRelay: { id: '123456789', uuid: 'u' } });
    expect(serviceOfMessage(message, () => true)).toBe('relay');
  });

  it('is waited for only where it matters', () => {
    const join = encodeFrame(encodeRendezvous({ requestRelay: { licenceKey: 'k', uuid: 'u' } }));
    for (let length = 0; length < join.length; length++) expect(serviceOfFrames(join.subarray(0, length), () => false)).toBeNull();
    expect(serviceOfFrames(Buffer.concat([join, Buffer.from('more')]), () => false)).toBe('relay');
    const parked = encodeFrame(encodeRendezvous({ relayPark: {} }));
    expect([1, 2, 3].map((length) => serviceOfFrames(parked.subarray(0, length), () => false))).toEqual([null, null, 'relay']);
    const told = encodeFrame(encodeRendezvous({ relayIntroduction: {} }));
    expect([1, 2, 3].map((length) => serviceOfFrames(told.subarray(0, length), () => false))).toEqual([null, null, 'relay']);
    expect(sniff(told)).toBe('frames');
    const punch = encodeFrame(encodeRendezvous({ punchHoleRequest: { id: '123456789' } }));
    expect(serviceOfFrames(punch.subarray(0, 2), () => false)).toBe('rendezvous');
    expect(serviceOfFrames(Buffer.from('00', 'hex'), () => false)).toBe('rendezvous');
    expect(serviceOfFrames(Buffer.from('ffffffff92', 'hex'), () => false)).toBe('rendezvous');
    expect(service({ testNatRequest: {} })).toBe('rendezvous');
  });
});
