/** Attacks on the two messages of a native handshake, by somebody on the wire; docs/threat-model.md names them. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  boxKeyPair,
  initCrypto,
  keyFingerprint,
  signCombined,
  systemRandom,
} from '../../core/crypto/index.ts';

import { makeOffer } from '../../core/native/handshake.ts';

import { encodeMessage, hbb } from '../../core/wire/index.ts';
import { answering, forgeAnswer, forgeOffer, offering, offerSignedBy } from './forgery.ts';
import { endMeetings, linked, HOST_ID, outcome, testKeys } from './mitm.ts';

beforeAll(() => initCrypto());
afterEach(endMeetings);

const pinned = (native: boolean): { pinned: { key: Uint8Array; native: boolean } } => ({
  pinned: { key: testKeys().host.publicKey, native },
});

describe('the offer', () => {
  test("swapped keys: a key of the attacker in the host's offer", async () => {
    for (const change of [
      (idPk: hbb.IdPk) => (idPk.native = makeOffer(systemRandom).offer as hbb.NativeOffer),
      (idPk: hbb.IdPk) => (idPk.pk = boxKeyPair().publicKey),
    ]) {
      const { meeting, ends } = await outcome({ between: offering((frame) => forgeOffer(frame, change)) });
      expect(ends).toEqual(['HANDSHAKE_BAD_SIGNATURE', 'HANDSHAKE_PEER_CLOSED']);
      expect(meeting.mitm.fromController).toEqual([]);
    }
  });

  test('stripped capability: the native offer is cut out of what the host signed', async () => {
    const strip = offering((frame) => forgeOffer(frame, (idPk) => (idPk.native = null)));
    const { meeting, ends } = await outcome({ between: strip });
    expect(ends).toEqual(['HANDSHAKE_BAD_SIGNATURE', 'HANDSHAKE_PEER_CLOSED']);
    expect(meeting.mitm.fromController).toEqual([]);
  });

  test('altered version or suite in the offer', async () => {
    for (const name of ['versions', 'suites'] as const) {
      const between = offering((frame) => forgeOffer(frame, ({ native }) => native && (native[name] = [0])));
      expect((await outcome({ between })).ends[0]).toBe('HANDSHAKE_BAD_SIGNATURE');
    }
  });

  test('an offer of versions or suites that we do not have is no reason for the older link', async () => {
    for (const lack of [{ versions: [77] }, { suites: [77] }, { versions: [] }]) {
      const offer = { ...makeOffer(systemRandom).offer, ...lack };
      const between = offering(() => offerSignedBy(testKeys().host.secretKey, HOST_ID, offer));
      const { meeting, ends } = await outcome({ between });
      expect(ends[0]).toBe('HANDSHAKE_NATIVE_UNSUPPORTED');
      expect(meeting.mitm.fromController).toEqual([]);
    }
  });

  test("an evil server vouches for the attacker's key: a pinned host is not mistaken", async () => {
    const { attacker } = testKeys();
    const between = offering(() => offerSignedBy(attacker.secretKey, HOST_ID, makeOffer(systemRandom).offer));
    const { meeting, ends } = await outcome({
      between,
      controller: { hostKey: attacker.publicKey, ...pinned(false), allowPlaintext: true },
    });
    expect(ends[0]).toBe('HANDSHAKE_KEY_CHANGED');
    expect(meeting.mitm.fromController).toEqual([]);
  });

  test('the server gives no key: a pinned host is still checked, an unknown one refused', async () => {
    const { attacker } = testKeys();
    const between = offering(() => offerSignedBy(attacker.secretKey, HOST_ID));
    const known = await outcome({ between, controller: { hostKey: null, ...pinned(false) } });
    expect(known.ends[0]).toBe('HANDSHAKE_BAD_SIGNATURE');
    expect((await outcome({ between, controller: { hostKey: null } })).ends[0]).toBe('HANDSHAKE_NO_KEY');
  });

  test('an evil server vouches for another key than the fingerprint that somebody was told', async () => {
    const { attacker, host } = testKeys();
    const native = makeOffer(systemRandom).offer;
    const fingerprint = keyFingerprint(host.publicKey);
    for (const hostKey of [attacker.publicKey, null]) {
      const between = offering(() => offerSignedBy(attacker.secretKey, HOST_ID, native));
      const { meeting, ends } = await outcome({
        between,
        controller: { hostKey, fingerprint, allowPlaintext: true },
      });
      expect(ends[0]).toBe(hostKey ? 'HANDSHAKE_FINGERPRINT_DIFFERS' : 'HANDSHAKE_NO_KEY');
      expect(meeting.mitm.fromController).toEqual([]);
    }
    await linked({ controller: { fingerprint } });
  });

  test('wrong id: the right key, but another computer of the same owner', async () => {
    const between = offering(() => offerSignedBy(testKeys().host.secretKey, '111111111'));
    const { meeting, ends } = await outcome({ between });
    expect(ends[0]).toBe('HANDSHAKE_WRONG_ID');
    expect(meeting.mitm.fromController).toEqual([]);
  });

  test('a signature of the host over something else is no offer', async () => {
    const id = signCombined(Buffer.from('litedesk native v1 controller'), testKeys().host.secretKey);
    const between = offering(() => encodeMessage({ signedId: { id } }));
    expect((await outcome({ between })).ends[0]).toMatch(/^HANDSHAKE_(MALFORMED|WRONG_ID)$/);
  });
});

describe('the answer', () => {
  test('altered version, suite, key or nonce', async () => {
    const changes: [(answer: hbb.INativeAnswer) => void, string][] = [
      [(answer) => (answer.version = 2), 'HANDSHAKE_NATIVE_UNSUPPORTED'],
      [(answer) => (answer.suite = 2), 'HANDSHAKE_NATIVE_UNSUPPORTED'],
      [(answer) => (answer.key = boxKeyPair().publicKey), 'HANDSHAKE_NOT_CONFIRMED'],
      [(answer) => (answer.nonce = new Uint8Array(32)), 'HANDSHAKE_NOT_CONFIRMED'],
      [(answer) => (answer.nonce = new Uint8Array(31)), 'HANDSHAKE_MALFORMED'],
    ];
    for (const [change, code] of changes) {
      const { ends } = await outcome({ between: answering((frame) => forgeAnswer(frame, change)) });
      expect(ends).toEqual(['HANDSHAKE_PEER_CLOSED', code]);
    }
  });

  test('a field that nobody reads, added to either message', async () => {
    const extra = Uint8Array.of(0xfa, 0x3f, 1, 0);
    const add = (frame: Uint8Array): Uint8Array => Buffer.concat([frame, extra]);
    for (const between of [offering(add), answering(add)])
      expect((await outcome({ between })).ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_NOT_CONFIRMED']);
  });

  const lowOrder = [
    new Uint8Array(32),
    Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)),
    Uint8Array.from(Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex')),
    Uint8Array.from(Buffer.from('5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157', 'hex')),
    Uint8Array.from(Buffer.from(`ec${'ff'.repeat(30)}7f`, 'hex')),
    Uint8Array.from(Buffer.from(`ed${'ff'.repeat(30)}7f`, 'hex')),
    Uint8Array.from(Buffer.from(`ee${'ff'.repeat(30)}7f`, 'hex')),
  ];
  test('low-order X25519 points, whose secret everybody knows, from either end', async () => {
    for (const key of lowOrder) {
      const answer = await outcome({
        between: answering((frame) => forgeAnswer(frame, (it) => (it.key = key))),
      });
      expect(answer.ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_INVALID_KEY']);
      const offer = { ...makeOffer(systemRandom).offer, key };
      const between = offering(() => offerSignedBy(testKeys().host.secretKey, HOST_ID, offer));
      const offered = await outcome({ between });
      expect(offered.ends[0]).toBe('HANDSHAKE_INVALID_KEY');
      expect(offered.meeting.mitm.fromController).toEqual([]);
    }
  });
});
