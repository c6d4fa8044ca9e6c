import { beforeAll, describe, expect, it } from 'vitest';
import {
  annotatedBytes,
  compose,
  describe as describeMessage,
  inNumberOrder,
  plainForm,
} from '../../../test/vectors/describe.ts';
import {
  fromHex,
  loadAddresses,
  loadKeys,
  loadRendezvous,
  type RendezvousStep,
  rendezvousNames,
  toHex,
} from '../../../test/vectors/load.ts';
import { initCrypto, openIdPk, signIdPk, signKeyPair } from '../crypto/index.ts';
import {
  decodeRendezvous,
  encodeFrame,
  encodeRendezvous,
  FrameDecoder,
  type hbb,
  mangleAddress,
  rewriteRequestRelay,
  unmangleAddress,
} from './index.ts';

beforeAll(() => initCrypto());

/** The messages inside the bytes of a step: TCP frames (a segment may hold several), else the bytes themselves. */
function payloads(step: RendezvousStep): Uint8Array[] {
  const bytes = fromHex(step.hex ?? '');
  if (step.transport !== 'tcp') return [bytes];
  const decoder = new FrameDecoder();
  const frames = decoder.push(bytes);
  expect(toHex(decoder.takeRest())).toBe('');
  return frames;
}

function parseAddr(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
}

describe.each(rendezvousNames())('recorded exchange %s', (name) => {
  const vector = loadRendezvous(name);
  const steps = vector.steps.flatMap((step, index) =>
    step.hex !== undefined && step.decoded && !('error' in step.decoded)
      ? [{ step, index, decoded: step.decoded }]
      : [],
  );

  it('decodes to what the recording says', () => {
    for (const { step, index, decoded } of steps) {
      const found = payloads(step).map((bytes) =>
        describeMessage('RendezvousMessage', decodeRendezvous(bytes)),
      );
      expect(found, `step ${index}`).toEqual([plainForm(decoded)]);
    }
  });

  it('encodes to the recorded bytes', () => {
    for (const { step, index, decoded } of steps) {
      const message = compose('RendezvousMessage', decoded) as hbb.IRendezvousMessage;
      const bytes = encodeRendezvous(message);
      // Field 100 is outside the schema on purpose.
      if (name === 'relay-request' && 'request_relay' in decoded) continue;
      const [recorded = new Uint8Array()] = payloads(step);
      // hbbs writes union members last.
      const expected = step.canonical === false ? inNumberOrder('RendezvousMessage', recorded) : recorded;
      expect(toHex(bytes), `step ${index}`).toBe(toHex(expected));
      if (step.transport === 'tcp') expect(toHex(encodeFrame(recorded)), `step ${index}`).toBe(step.hex);
    }
  });

  it('agrees on annotated addresses and signed keys', () => {
    for (const { decoded } of steps)
      for (const note of annotatedBytes(decoded)) {
        const bytes = fromHex(note.hex ?? '');
        if (note.addr !== undefined) expect(unmangleAddress(bytes)).toEqual(parseAddr(note.addr));
        if (note.verify_key !== undefined) {
          const key = Uint8Array.from(Buffer.from(note.verify_key, 'base64'));
          expect(openIdPk(bytes, key)).toEqual({ id: note.id, pk: fromHex(note.device_pk ?? '') });
        }
      }
  });
});

describe('malformed recordings', () => {
  it('are refused by the decoder', () => {
    let seen = 0;
    for (const name of rendezvousNames())
      for (const step of loadRendezvous(name).steps)
        if (step.hex !== undefined && step.decoded && 'error' in step.decoded) {
          seen++;
          expect(() => payloads(step).map(decodeRendezvous)).toThrow(
            expect.objectContaining({ name: 'WireError' }),
          );
        }
    expect(seen).toBeGreaterThan(0);
  });
});

describe('addresses.json', () => {
  it.each(loadAddresses().addresses)('$addr', ({ hex, addr, unix_us_low32 }) => {
    expect(unmangleAddress(fromHex(hex))).toEqual(parseAddr(addr));
    expect(toHex(mangleAddress(parseAddr(addr), unix_us_low32 ?? 0))).toBe(hex);
  });
});

describe('keys.json', () => {
  const keys = loadKeys();

  it('derives the key pairs from the seeds', () => {
    const server = signKeyPair(fromHex(keys.server.seed));
    expect(Buffer.from(server.publicKey).toString('base64')).toBe(keys.server.public_key);
    expect(Buffer.from(server.secretKey).toString('base64')).toBe(keys.server.id_ed25519);
    for (const device of Object.values(keys.devices))
      expect(toHex(signKeyPair(fromHex(device.seed)).publicKey)).toBe(device.pk);
  });

  it.each(keys.signed)(
    'verifies $id of $seen_in, and signs it again',
    ({ pk_field, verify_key, id, device_pk }) => {
      const publicKey = Uint8Array.from(Buffer.from(verify_key, 'base64'));
      expect(openIdPk(fromHex(pk_field), publicKey)).toEqual({ id, pk: fromHex(device_pk) });
      const server = signKeyPair(fromHex(keys.server.seed));
      if (verify_key === keys.server.public_key)
        expect(toHex(signIdPk(id, fromHex(device_pk), server.secretKey))).toBe(pk_field);
    },
  );
});

describe('relay-request.json', () => {
  it('is forwarded with its unknown field and the address that was put in', () => {
    const { steps } = loadRendezvous('relay-request');
    const asked = steps.find(
      (step) => step.from === 'client' && step.decoded && 'request_relay' in step.decoded,
    );
    const forwarded = steps.find(
      (step) => step.from === 'server' && step.decoded && 'request_relay' in step.decoded,
    );
    if (!asked || !forwarded) throw new Error('the recording lost its RequestRelay');
    const [request] = payloads(asked);
    if (!request) throw new Error('no frame');
    const socketAddr = decodeRendezvous(fromHex(forwarded.hex ?? '')).requestRelay?.socketAddr;
    if (!socketAddr) throw new Error('no address');
    expect(toHex(rewriteRequestRelay(request, { socketAddr }))).toBe(forwarded.hex);
  });
});
