/** Attacks with what was seen on the wire, and with what breaks; docs/threat-model.md names them. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { initCrypto, systemRandom } from '../../core/crypto/index.ts';
import { PAYLOAD_LIMITS } from '../../core/link.ts';
import { makeOffer } from '../../core/native/handshake.ts';

import { forEachSeed } from '../../core/testing/seeds.ts';

import { answering, offering, offerSignedBy } from './forgery.ts';
import { CONTROLLER_ID, endMeetings, HOST_ID, linked, type Mitm, outcome, start, testKeys } from './mitm.ts';

beforeAll(() => initCrypto());
afterEach(endMeetings);

describe('replay, reflection and splicing', () => {
  test('the whole of an old handshake, played to the controller', async () => {
    const { mitm } = await linked();
    const old = [...mitm.fromHost];
    const { ends } = await outcome({
      between: (attacker) => {
        attacker.onHost = (_, index) => index === 0 && attacker.toController(old[0] as Uint8Array);
        attacker.onController = (_, index) => index === 1 && attacker.toController(old[1] as Uint8Array);
      },
    });
    expect(ends[0]).toBe('HANDSHAKE_NOT_CONFIRMED');
  });

  test('an old answer, played to the host', async () => {
    const { mitm } = await linked();
    const old = [...mitm.fromController];
    const { ends } = await outcome({
      between: (attacker) => {
        attacker.onController = (_, index) => attacker.toHost(old[index] as Uint8Array);
      },
    });
    expect(ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_NOT_CONFIRMED']);
  });

  test('two handshakes at once, their answers crossed', async () => {
    const meetings = [await start(), await start()];
    const legs = meetings.map(({ mitm }) => mitm);
    const said: Uint8Array[][] = [[], []];
    for (const [leg, mitm] of legs.entries())
      mitm.onController = (payload) => {
        said[leg]?.push(payload);
        if (said.flat().length < 4) return;
        // Each host gets the answer meant for the other, and the proof of its own controller.
        for (const [at, other] of [1, 0].entries()) {
          legs[at]?.toHost(said[other]?.[0] as Uint8Array);
          legs[at]?.toHost(said[at]?.[1] as Uint8Array);
        }
      };
    for (const meeting of meetings) await meeting.settled();
    for (const { controller, host } of meetings)
      expect([controller.code, host.code]).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_NOT_CONFIRMED']);
  });

  test("the controller's own proof, sent back to it as the host's", async () => {
    const { ends } = await outcome({
      between: (mitm) => {
        mitm.onController = (payload, index) =>
          index === 0 ? mitm.toHost(payload) : mitm.toController(payload);
      },
    });
    expect(ends[0]).toBe('HANDSHAKE_NOT_CONFIRMED');
  });

  test('a record twice, left out, swapped with the next, or of the other direction', async () => {
    const tricks: ((mitm: Mitm, records: Uint8Array[], backwards: Uint8Array) => Uint8Array[])[] = [
      (_, [a]) => [a as Uint8Array, a as Uint8Array],
      (_, [, b]) => [b as Uint8Array],
      (_, [a, b]) => [b as Uint8Array, a as Uint8Array],
      (_, __, backwards) => [backwards],
    ];
    for (const [number, trick] of tricks.entries()) {
      const { mitm, controller, host } = await linked();
      const records: Uint8Array[] = [];
      mitm.onHost = () => {};
      host.link?.send(Buffer.from('from the host'));
      mitm.onController = (payload) => {
        records.push(payload);
        if (records.length === 2)
          for (const frame of trick(mitm, records, mitm.fromController[1] as Uint8Array)) mitm.toHost(frame);
      };
      controller.link?.send(Buffer.from('one'));
      controller.link?.send(Buffer.from('two'));
      await host.until(() => host.code !== null);
      expect(host.code).toBe('SEAL_BROKEN');
      expect(host.got).toEqual(number === 0 ? ['one'] : []);
    }
  });

  test('frames of 0 and 1 byte, which stock links let through, and garbage of any size', async () => {
    await forEachSeed(30, async (random) => {
      const { mitm, host } = await linked();
      mitm.toHost(random.bytes(random.pick([0, 1, 2, 15, 16, 17, 1000])));
      await host.until(() => host.code !== null);
      expect([host.code, host.got]).toEqual(['SEAL_BROKEN', []]);
    });
  });

  test('a bit changed anywhere in a record', async () => {
    await forEachSeed(20, async (random) => {
      const { mitm, controller, host } = await linked();
      mitm.onController = (payload) => {
        const changed = Uint8Array.from(payload);
        const at = random.below(changed.length);
        changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
        mitm.toHost(changed);
      };
      controller.link?.send(Buffer.from('pay 1 to you'));
      await host.until(() => host.code !== null);
      expect([host.code, host.got]).toEqual(['SEAL_BROKEN', []]);
    });
  });
});

describe('broken handshakes', () => {
  test('truncated: cut off before each frame', async () => {
    for (let keep = 0; keep < 2; keep++) {
      const { ends } = await outcome({
        between: (mitm) => {
          mitm.onController = (payload, index) => (index < keep ? mitm.toHost(payload) : mitm.cut());
        },
      });
      expect(ends).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_PEER_CLOSED']);
    }
    const { ends } = await outcome({
      between: (mitm) =>
        (mitm.onHost = (payload, index) => (index === 0 ? mitm.toController(payload) : mitm.cut())),
    });
    expect(ends[0]).toBe('HANDSHAKE_PEER_CLOSED');
  });

  test('every frame of it shortened, lengthened or changed, by seeds', async () => {
    const codes = new Set<string>();
    await forEachSeed(120, async (random, seed) => {
      const mutate = (frame: Uint8Array): Uint8Array => {
        const bytes = [...frame];
        const at = random.below(bytes.length);
        if (random.chance(0.3)) bytes.length = at;
        else if (random.chance(0.5)) bytes.splice(at, 0, ...random.bytes(random.between(1, 9)));
        else bytes[at] = (bytes[at] ?? 0) ^ random.between(1, 255);
        return Uint8Array.from(bytes);
      };
      const target = seed % 4;
      const between = (mitm: Mitm): void => {
        mitm.onHost = (payload, index) => mitm.toController(target === index ? mutate(payload) : payload);
        mitm.onController = (payload, index) => mitm.toHost(target === index + 2 ? mutate(payload) : payload);
      };
      const { ends } = await outcome({ between });
      // The last frame changed leaves the host with a link to nobody.
      expect(ends[0]).toMatch(/^HANDSHAKE_[A-Z_]+$/);
      expect(ends[1]).toMatch(
        target === 1 ? /^(linked|HANDSHAKE_[A-Z_]+|remote|error)$/ : /^HANDSHAKE_[A-Z_]+$/,
      );
      for (const code of ends) codes.add(code);
    }, () => expect(codes.size).toBeGreaterThan(4));
  });

  test("oversize: a stranger's frame of more than the handshake needs", async () => {
    const { ends } = await outcome({
      between: answering(() => new Uint8Array(PAYLOAD_LIMITS.handshake + 1)),
    });
    expect(ends[1]).toBe('HANDSHAKE_PEER_CLOSED');
    const long = { ...makeOffer(systemRandom).offer, versions: Array.from({ length: 5000 }, () => 1) };
    const between = offering(() => offerSignedBy(testKeys().host.secretKey, HOST_ID, long));
    expect((await outcome({ between })).ends[0]).toBe('HANDSHAKE_NATIVE_UNSUPPORTED');
  });
});

test('whoever only listens sees no content and nothing that repeats', async () => {
  const runs = [];
  for (let i = 0; i < 2; i++) {
    const { mitm, controller, host } = await linked();
    controller.link?.send(Buffer.from('the same secret in each run'));
    await host.until(() => host.got.length > 0);
    expect(mitm.saw(Buffer.from('the same secret'))).toBe(false);
    expect(mitm.saw(Buffer.from(CONTROLLER_ID))).toBe(false);
    runs.push(mitm.fromController.map((frame) => Buffer.from(frame).toString('hex')));
  }
  const [one, two] = runs;
  expect(one?.some((frame) => two?.includes(frame))).toBe(false);
});
