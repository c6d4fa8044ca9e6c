import { beforeAll, describe, expect, test } from 'vitest';
import { initCrypto, signIdPk, signKeyPair } from '../crypto/index.ts';
import { WireError } from '../errors.ts';
import { forEachSeed } from '../testing/seeds.ts';
import { decodeMessage, encodeMessage, hbb } from '../wire/proto.ts';
import {
  acceptAnswer,
  answerOffer,
  controllerConfirm,
  hostConfirm,
  makeOffer,
  readControllerConfirm,
} from './handshake.ts';
import type { PathKeys, SessionTicket } from './key-schedule.ts';
import { RecordStream } from './record.ts';

beforeAll(() => initCrypto());

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** Ever the same bytes: from `from` upwards for the first call, from 0x20 more for the second, and so on. */
function ramps(from: number): (count: number) => Uint8Array {
  let next = from;
  return (count) => {
    const start = next;
    next += 0x20;
    return Uint8Array.from({ length: count }, (_, i) => (start + i) & 0xff);
  };
}
const seedPair = (from: number) => signKeyPair(ramps(from)(32));

/** The exchange of docs/protocol.md. */
function exchange(ticket: SessionTicket | null = null) {
  const host = seedPair(0x00);
  const pending = makeOffer(ramps(0x40));
  const signed = signIdPk('123456789', ramps(0x20)(32), host.secretKey, pending.offer);
  const offer = encodeMessage({ signedId: { id: signed } });
  const { frame: answer, keys: controller } = answerOffer(pending.offer, offer, ramps(0x80), ticket);
  const native = decodeMessage(answer).publicKey?.native as hbb.INativeAnswer;
  const find = (id: Uint8Array): Uint8Array | null =>
    ticket && Buffer.from(ticket.sessionId).equals(id) ? ticket.sessionSecret : null;
  const accepted = acceptAnswer(pending, { offer, answer }, native, find);
  return { host, pending, offer, answer, native, controller, accepted };
}

describe('native handshake', () => {
  test('the published exchange, byte for byte', () => {
    const { offer, answer, controller, accepted } = exchange();
    expect(accepted).toEqual(controller);
    const identity = { id: '987654321', ...seedPair(0xc0) };
    const content = controllerConfirm(controller, identity);
    const stream = new RecordStream({ sendKey: controller.controllerKey, receiveKey: controller.hostKey });
    const hostStream = new RecordStream({ sendKey: accepted.hostKey, receiveKey: accepted.controllerKey });
    const values = {
      offer: toHex(offer),
      answer: toHex(answer),
      transcript: toHex(controller.transcript),
      controllerKey: toHex(controller.controllerKey),
      hostKey: toHex(controller.hostKey),
      exporter: toHex(controller.exporter),
      sessionId: toHex(controller.sessionId),
      sessionSecret: toHex(controller.sessionSecret),
      controllerConfirm: toHex(stream.seal(content)),
      hostConfirm: toHex(hostStream.seal(hostConfirm())),
      hello: toHex(stream.seal(Buffer.from('hello'))),
    };
    expect(values).toMatchInlineSnapshot(`
      {
        "answer": "224bca3e48080110011a20493e82fc74464a59268817623d2053c5eb8e2cc4a988b4fee179ec6b010d531d2220a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
        "controllerConfirm": "95f3ce02e359b1ee2363747fe59ca771ce4044934842b1e75b16f8c3b3fedabaa02a42b934bec86d8a4697858c45189f3626bf36d916d88ecea867706c46b11283c3cdabca2c78bc5b68349e9e6d8a3a37b542dbb14e505fdb2f6bff748623c80f39d0a2f0eb7cb7b1d3e0da2a60bcc7692b535a2bc8d4648814db32747b7e",
        "controllerKey": "61d4c8819e5536aa3e372039ce9d124b3128169a6a337afa3c89b8e8bf9df54d",
        "exporter": "71b21bbd215a025097ccaae887f49f11cd01837bef033c89e2a411281a1dcb18",
        "hello": "5b31936cca07acc4ec3a39dedadc3f3bd6b05c09d9",
        "hostConfirm": "fb472f14f9817f6abc0c07c7a09f130a",
        "hostKey": "c9ce634f79a4e4ca19db01db5bb0dbe5c60b20ecbda9174bab4130d31743a777",
        "offer": "1abd010aba01aca1260a5699edaed3d6e0bfca428a9066c447ff27518c039d0b07d538b889856d972d38947e4cfa0b116126068382e6305ec7f822193012145a549f65b49e0e0a093132333435363738391220202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fca3e4a0a01011201011a2079a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51a2220606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f",
        "sessionId": "2bd899bb64c6c3b67dbd9ecd15547b73",
        "sessionSecret": "9fccf1c4281165613a21200e47b742ab2a07e5b9f064a385d01d934c5eec14b1",
        "transcript": "920c9fc22e7d617a72b3450f7a7ec77d7bdf7301732e4ab07dc5e02fb3b4c82a",
      }
    `);
    expect(readControllerConfirm(accepted, content)).toEqual({ id: '987654321', key: identity.publicKey });
  });

  test('a path that joins has keys of its own and the session of the ticket', () => {
    const ticket = { sessionId: ramps(0)(16), sessionSecret: ramps(0)(32) };
    const [alone, joined] = [exchange(), exchange(ticket)];
    expect(joined.accepted).toEqual(joined.controller);
    expect(joined.controller).toMatchObject({ ...ticket, joined: true });
    for (const name of ['controllerKey', 'hostKey', 'exporter'] as const)
      expect(joined.controller[name]).not.toEqual(alone.controller[name]);
    expect(toHex(joined.native.join?.proof ?? new Uint8Array())).toMatchInlineSnapshot(
      `"e421140507be57b11aa5b7391b883812f159c72c21d8379d04ab9bd157decd98"`,
    );
  });

  test('every change of the answer is an error of a known kind, or leaves the ends with different keys', async () => {
    const { pending, offer, answer, controller } = exchange();
    const codes = new Set<string>();
    await forEachSeed(400, (random) => {
      const bytes = [...answer];
      const at = random.below(bytes.length);
      if (random.chance(0.7)) bytes[at] = (bytes[at] ?? 0) ^ random.between(1, 255);
      else bytes.splice(at, random.below(3), ...random.bytes(random.between(1, 6)));
      const changed = Uint8Array.from(bytes);
      let keys: PathKeys | null = null;
      try {
        const native = decodeMessage(changed).publicKey?.native;
        if (native) keys = acceptAnswer(pending, { offer, answer: changed }, native, () => null);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        codes.add(error.code);
      }
      if (keys) expect(keys.controllerKey).not.toEqual(controller.controllerKey);
    }, () => expect(codes.size).toBeGreaterThan(1));
    for (const code of codes)
      expect(code).toMatch(/^(NATIVE_MALFORMED|NATIVE_UNSUPPORTED|BAD_PROTOBUF|BAD_KEY)$/);
  });

  test('every offer that can be decoded is answered or refused with an error of a known kind', async () => {
    const { offer } = exchange();
    await forEachSeed(300, (random) => {
      const numbers = (): number[] => Array.from({ length: random.below(40) }, () => random.below(4));
      const native: hbb.INativeOffer = {
        versions: numbers(),
        suites: numbers(),
        key: random.bytes(random.pick([0, 31, 32, 32, 32, 33])),
        nonce: random.bytes(random.pick([0, 32, 32, 32, 64])),
      };
      try {
        const { keys } = answerOffer(native, offer, (count) => random.bytes(count), null);
        expect(keys.sessionId).toHaveLength(16);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        expect(error.code).toMatch(/^(NATIVE_MALFORMED|NATIVE_UNSUPPORTED|BAD_KEY)$/);
      }
    });
  });

  test('every confirmation names whoever signed it for this link, or nobody', async () => {
    const { controller, accepted } = exchange();
    const content = controllerConfirm(controller, { id: '987654321', ...seedPair(0xc0) });
    await forEachSeed(400, (random) => {
      const bytes = Uint8Array.from(content);
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ random.between(1, 255);
      try {
        expect(readControllerConfirm(accepted, random.chance(0.8) ? bytes : random.bytes(80))).toBeNull();
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        expect(error.code).toMatch(/^(NATIVE_MALFORMED|NATIVE_IDENTITY|BAD_PROTOBUF|TOO_MANY_FIELDS)$/);
      }
    });
  });
});
