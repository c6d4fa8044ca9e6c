/** Attacks that want less than a native link; docs/threat-model.md names them. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { boxKeyPair, initCrypto, sealSessionKey } from '../../core/crypto/index.ts';

import { decodeMessage, encodeMessage } from '../../core/wire/index.ts';
import { answering, offering, offerSignedBy, readOffer } from './forgery.ts';
import { endMeetings, HOST_ID, linked, outcome, start, testKeys } from './mitm.ts';

beforeAll(() => initCrypto());
afterEach(endMeetings);

const pinned = (native: boolean): { pinned: { key: Uint8Array; native: boolean } } => ({
  pinned: { key: testKeys().host.publicKey, native },
});

describe('downgrade', () => {
  test('to plain text, by every first frame that would lead there, also where plain text was allowed', async () => {
    const { attacker } = testKeys();
    const leads = [
      encodeMessage({ hash: { salt: 'a', challenge: 'b' } }),
      new Uint8Array(0),
      Uint8Array.of(0xff, 0xff),
      offerSignedBy(attacker.secretKey, HOST_ID),
      offerSignedBy(testKeys().host.secretKey, '111111111'),
    ];
    for (const lead of leads)
      for (const controller of [{}, { allowPlaintext: true, ...pinned(true) }]) {
        const { meeting, ends } = await outcome({ between: offering(() => lead), controller });
        expect(ends[0]).toMatch(/^HANDSHAKE_/);
        expect(meeting.mitm.fromController).toEqual([]);
      }
  });

  test('to plain text at the host: an empty answer, an empty key, a login in clear', async () => {
    const leads = [
      new Uint8Array(0),
      encodeMessage({ publicKey: {} }),
      encodeMessage({ loginRequest: { username: HOST_ID } }),
    ];
    for (const lead of leads) {
      const { ends } = await outcome({ between: answering(() => lead) });
      expect(ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_PLAINTEXT_REFUSED']);
    }
  });

  test('to the stock link: an offer of the host from before it knew the native one', async () => {
    const between = offering(() => offerSignedBy(testKeys().host.secretKey, HOST_ID));
    const { meeting, ends } = await outcome({ between, controller: pinned(true) });
    expect(ends[0]).toBe('HANDSHAKE_DOWNGRADE_REFUSED');
    expect(meeting.mitm.fromController).toEqual([]);
  });

  test('to the stock link, for a host that is met for the first time, where only the native one is wanted', async () => {
    const leads = [
      offerSignedBy(testKeys().host.secretKey, HOST_ID),
      new Uint8Array(0),
      encodeMessage({ hash: {} }),
    ];
    for (const [number, lead] of leads.entries()) {
      const controller = { nativeOnly: true, allowPlaintext: true };
      const { meeting, ends } = await outcome({ between: offering(() => lead), controller });
      expect(ends[0]).toBe(number === 0 ? 'HANDSHAKE_NATIVE_MISSING' : 'HANDSHAKE_PLAINTEXT_REFUSED');
      expect(meeting.mitm.fromController).toEqual([]);
    }
  });

  test("to the stock link at the host: the attacker answers himself, and has only a stranger's link", async () => {
    const { mitm, controller, host } = await start({
      between: (mitm) => {
        mitm.onController = (_, index) => {
          if (index > 0) return;
          const { pk } = readOffer(mitm.fromHost[0] as Uint8Array);
          const box = boxKeyPair();
          const symmetricValue = sealSessionKey(new Uint8Array(32).fill(7), pk, box.secretKey);
          mitm.toHost(encodeMessage({ publicKey: { asymmetricValue: box.publicKey, symmetricValue } }));
        };
      },
    });
    await host.settled();
    mitm.cut();
    await controller.settled();
    expect(controller.code).toBe('HANDSHAKE_PEER_CLOSED');
    expect(host.link).toMatchObject({ native: null, peerVerified: false, encrypted: true });
  });

  test('both answers at once are none', async () => {
    const between = answering((frame) => {
      const { publicKey } = decodeMessage(frame);
      return encodeMessage({ publicKey: { ...publicKey, asymmetricValue: new Uint8Array(32).fill(9) } });
    });
    expect((await outcome({ between })).ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_MALFORMED']);
  });

  test('a native link never becomes a raw one', async () => {
    const { controller, host } = await linked();
    for (const end of [controller, host])
      expect(() => end.link?.takeRaw()).toThrow(
        expect.objectContaining({ code: 'NATIVE_LINK_STAYS_SEALED' }),
      );
  });
});
