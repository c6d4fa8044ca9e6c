/** The quick reader of heartbeats against the general decoder. */
import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { decodeRendezvous, encodeRendezvous, type hbb } from '../core/wire/index.ts';
import { readHeartbeat } from './heartbeat.ts';

function slowly(bytes: Uint8Array): hbb.RendezvousMessage | null {
  try {
    return decodeRendezvous(bytes);
  } catch {
    return null;
  }
}

/** @returns whether the quick reader took it */
function compare(bytes: Uint8Array): boolean {
  const quick = readHeartbeat(bytes);
  if (!quick) return false;
  const message = slowly(bytes);
  expect(message?.union, Buffer.from(bytes).toString('hex')).toBe('registerPeer');
  expect({ id: message?.registerPeer?.id ?? '', serial: message?.registerPeer?.serial ?? 0 }).toEqual(quick);
  return true;
}

it('reads what clients send', () => {
  for (const id of ['1', '123456789', 'a name', 'x'.repeat(100), '\u0000'])
    for (const serial of [0, 1, 3, 127, 128, 16_384, 2 ** 28 - 1])
      expect(readHeartbeat(encodeRendezvous({ registerPeer: { id, serial } }))).toEqual({ id, serial });
  expect(readHeartbeat(Buffer.from('320d0a093132333435363738391003', 'hex'))).toEqual({ id: '123456789', serial: 3 });
});

it('leaves to the general decoder what is longer, older, odd or something else', () => {
  for (const message of [
    { registerPeer: { id: 'ä' } },
    { registerPeer: {} },
    { registerPeer: { id: '123456789', serial: -1 } },
    { registerPeer: { id: '123456789', serial: 2 ** 28 } },
    { registerPeer: { id: 'x'.repeat(126) } },
    { registerPk: { id: '123456789' } },
  ])
    expect(readHeartbeat(encodeRendezvous(message))).toBeNull();
  expect(readHeartbeat(new Uint8Array(0))).toBeNull();
});

it('agrees with the general decoder on whatever it takes', () => {
  let taken = 0;
  for (let round = 0; round < 100_000; round++) {
    const id = Array.from({ length: randomInt(1, 12) }, () => String.fromCharCode(randomInt(round % 4 === 0 ? 0x180 : 0x80))).join('');
    const bytes = encodeRendezvous({ registerPeer: { id, serial: randomInt(2) * randomInt(2 ** 31) } });
    if (compare(bytes)) taken++;
    for (let flips = randomInt(3); flips > 0; flips--) bytes[randomInt(bytes.length)] = randomInt(256);
    compare(randomInt(4) === 0 ? bytes.subarray(0, randomInt(bytes.length + 1)) : bytes);
    compare(Uint8Array.from([...bytes, randomInt(256)]));
  }
  expect(taken).toBeGreaterThan(30_000);
});
