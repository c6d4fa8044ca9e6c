/** Attacks on a session's further paths and on a controller's identity; docs/threat-model.md names them. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { boxKeyPair, initCrypto, systemRandom } from '../../core/crypto/index.ts';

import { answerOffer, controllerConfirm, makeOffer } from '../../core/native/handshake.ts';
import type { SessionTicket } from '../../core/native/key-schedule.ts';
import { RecordStream } from '../../core/native/record.ts';
import { forEachSeed } from '../../core/testing/seeds.ts';
import { encodeAs, hbb } from '../../core/wire/index.ts';
import { answering, forgeAnswer, offering, offerSignedBy, readOffer } from './forgery.ts';
import {
  CONTROLLER_ID,
  endMeetings,
  HOST_ID,
  linked,
  type Meeting,
  type MeetingOptions,
  type Mitm,
  outcome,
  start,
  testKeys,
} from './mitm.ts';

beforeAll(() => initCrypto());
afterEach(endMeetings);

describe('further paths of a session', () => {
  const session = (): SessionTicket => ({
    sessionId: new Uint8Array(16).fill(5),
    sessionSecret: new Uint8Array(32).fill(6),
  });
  const join = (ticket: SessionTicket): Partial<MeetingOptions> => ({
    controller: { native: { identity: null, join: ticket } },
  });
  const hosting = (ticket: SessionTicket): Partial<MeetingOptions> => ({
    host: {
      native: {
        findSession: (id) => (Buffer.from(id).equals(ticket.sessionId) ? ticket.sessionSecret : null),
      },
    },
  });

  test("path hijack: the session's id is seen on the wire, its secret is not, and the id alone opens nothing", async () => {
    const ticket = session();
    const { meeting } = await outcome({ ...join(ticket), ...hosting(ticket) });
    expect(meeting.host.link?.native?.joined).toBe(true);
    expect(meeting.mitm.saw(ticket.sessionId)).toBe(true);
    expect(meeting.mitm.saw(ticket.sessionSecret)).toBe(false);
    const thief = { ...ticket, sessionSecret: new Uint8Array(32) };
    const { ends } = await outcome({ ...join(thief), ...hosting(ticket) });
    expect(ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_JOIN_REFUSED']);
  });

  test('a path to a session that is over', async () => {
    expect((await outcome(join(session()))).ends).toEqual([
      'HANDSHAKE_PEER_CLOSED',
      'HANDSHAKE_JOIN_REFUSED',
    ]);
  });

  test('a join that was seen before, played to the host again', async () => {
    const ticket = session();
    const { meeting } = await outcome({ ...join(ticket), ...hosting(ticket) });
    const old = [...meeting.mitm.fromController];
    const between = (mitm: Mitm): void => {
      mitm.onController = (_, index) => mitm.toHost(old[index] as Uint8Array);
    };
    const { ends } = await outcome({ ...join(ticket), ...hosting(ticket), between });
    expect(ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_JOIN_REFUSED']);
  });

  test('a join whose proof is put under other keys', async () => {
    const ticket = session();
    const between = answering((frame) => forgeAnswer(frame, (it) => (it.key = boxKeyPair().publicKey)));
    const { ends } = await outcome({ ...join(ticket), ...hosting(ticket), between });
    expect(ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_JOIN_REFUSED']);
  });

  test('a join taken off, so that the host would begin another session', async () => {
    const ticket = session();
    const between = answering((frame) => forgeAnswer(frame, (it) => (it.join = null)));
    const { ends } = await outcome({ ...join(ticket), ...hosting(ticket), between });
    expect(ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_NOT_CONFIRMED']);
  });

  test('a join is not answered by a host that only has the older link, nor by an impostor of the host', async () => {
    const ticket = session();
    const { host, attacker } = testKeys();
    const stock = await outcome({
      ...join(ticket),
      between: offering(() => offerSignedBy(host.secretKey, HOST_ID)),
    });
    expect(stock.ends[0]).toBe('HANDSHAKE_JOIN_REFUSED');
    const native = makeOffer(systemRandom).offer;
    const impostor = offering(() => offerSignedBy(attacker.secretKey, HOST_ID, native));
    expect((await outcome({ ...join(ticket), between: impostor })).ends[0]).toBe('HANDSHAKE_BAD_SIGNATURE');
  });

  test('session fixation: nobody chooses the id or the secret of a new session', async () => {
    const zeros = (count: number): Uint8Array => new Uint8Array(count).fill(8);
    const sessions = [];
    for (let i = 0; i < 2; i++) sessions.push(await linked({ controller: { random: zeros } }));
    const [one, two] = sessions.map(({ host }) => host.link?.native);
    expect(one?.sessionId).not.toEqual(two?.sessionId);
    expect(one?.sessionSecret).not.toEqual(two?.sessionSecret);
  });
});

describe("the controller's identity", () => {
  /** The attacker as a controller: answers the host's offer himself, and says in his proof what `confirm` makes of it. */
  const asController =
    (confirm: (keys: Parameters<typeof controllerConfirm>[0]) => Uint8Array) =>
    (mitm: Mitm): void => {
      mitm.onHost = (payload, index) => {
        if (index > 0) return;
        const { native } = readOffer(payload);
        const { frame, keys } = answerOffer(native as hbb.INativeOffer, payload, systemRandom, null);
        const stream = new RecordStream({ sendKey: keys.controllerKey, receiveKey: keys.hostKey });
        mitm.toHost(frame);
        mitm.toHost(stream.seal(confirm(keys)));
      };
      mitm.onController = () => {};
    };
  /** What the host makes of it. */
  const toHost = async (confirm: Parameters<typeof asController>[0]): Promise<Meeting['host']> => {
    const { host } = await start({ between: asController(confirm) });
    await host.settled();
    return host;
  };

  test('forged: the id and key of somebody else, with any signature that the attacker can make', async () => {
    const { controller, attacker } = testKeys();
    const forgeries = [
      (keys: Parameters<typeof controllerConfirm>[0]) =>
        controllerConfirm(keys, {
          id: CONTROLLER_ID,
          publicKey: controller.publicKey,
          secretKey: attacker.secretKey,
        }),
      () => encodeAs(hbb.NativeConfirm, { id: CONTROLLER_ID, key: controller.publicKey }),
      () => encodeAs(hbb.NativeConfirm, { id: CONTROLLER_ID }),
    ];
    for (const forge of forgeries) {
      expect((await toHost(forge)).code).toBe('HANDSHAKE_BAD_IDENTITY');
    }
  });

  test('relayed: a proof that the controller gave to another host', async () => {
    const { controller } = testKeys();
    const identity = { id: CONTROLLER_ID, ...controller };
    let given: Uint8Array = new Uint8Array();
    // The evil host first: it gets an honest proof for the link to itself.
    await toHost((keys) => (given = controllerConfirm(keys, identity)));
    expect((await toHost(() => given)).code).toBe('HANDSHAKE_BAD_IDENTITY');
  });

  test('an id too long to be shown, and bytes that are no proof', async () => {
    const { attacker } = testKeys();
    const long = { id: 'x'.repeat(129), ...attacker };
    expect((await toHost((keys) => controllerConfirm(keys, long))).code).toBe('HANDSHAKE_MALFORMED');
    await forEachSeed(30, async (random) => {
      const bytes = random.bytes(random.between(1, 200));
      const host = await toHost(() => bytes);
      expect(host.code ?? 'linked').toMatch(/^(HANDSHAKE_[A-Z_]+|linked)$/);
      expect(host.link?.native?.peer ?? null).toBeNull();
    });
  });
});
