import { beforeAll, describe, expect, it } from 'vitest';
import {
  fromHex,
  loadKeys,
  loadRendezvous,
  loadSession,
  rendezvousNames,
  sessionNames,
} from '../../../test/vectors/load.ts';
import { WireError } from '../errors.ts';
import {
  decodeMessage,
  decodeRendezvous,
  encodeMessage,
  encodeRendezvous,
  FrameDecoder,
  normalizeHost,
  rewriteRequestRelay,
  splitFields,
  unmangleAddress,
} from '../wire/index.ts';
import {
  clientKeyExchange,
  initCrypto,
  openIdPk,
  openSessionKey,
  SealedStream,
  serverKeyExchange,
  signKeyPair,
} from './index.ts';

beforeAll(() => initCrypto());

/** Mulberry32: the same numbers in every run, so that a failure comes back. */
function generator(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

/** Real recorded bytes, changed in a few places, cut, or grown; now and then plain noise. */
function mutations(
  corpus: readonly Uint8Array[],
  count: number,
  seed: number,
  visit: (bytes: Uint8Array) => void,
): void {
  const next = generator(seed);
  for (let i = 0; i < count; i++) {
    let bytes = Uint8Array.from(corpus[next(corpus.length)] ?? []);
    if (next(20) === 0) bytes = Uint8Array.from({ length: next(200) }, () => next(256));
    for (let n = next(6); n > 0 && bytes.length > 0; n--) {
      const at = next(bytes.length);
      const kind = next(5);
      if (kind === 0) bytes[at] = next(256);
      else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
      else if (kind === 2) bytes = bytes.slice(0, at);
      else if (kind === 3)
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(next(bytes.length))]);
      else bytes[at] = [0x00, 0x7f, 0x80, 0xff][next(4)] ?? 0;
    }
    visit(bytes);
  }
}

/** Runs one door on one input: it may answer anything, but throw nothing except WireError. */
function safely(run: () => unknown, bytes: Uint8Array): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof WireError))
      throw new Error(`not a WireError for ${Buffer.from(bytes).toString('hex')}`, { cause: error });
  }
}

/** Large video frames only slow this down: what they hold is one opaque field. */
const CORPUS_ITEM_LIMIT = 600;

function small(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length <= CORPUS_ITEM_LIMIT;
}

const rendezvousFrames = rendezvousNames()
  .flatMap((name) => loadRendezvous(name).steps)
  .flatMap((step) =>
    step.hex === undefined ? [] : [{ framed: step.transport === 'tcp', bytes: fromHex(step.hex) }],
  )
  .filter(({ bytes }) => small(bytes));
const rendezvousPayloads = rendezvousFrames.flatMap(({ framed, bytes }) =>
  framed ? new FrameDecoder().push(bytes) : [bytes],
);
const sessionPayloads = sessionNames()
  .flatMap((name) => loadSession(name).steps)
  .flatMap((step) => (step.plain === undefined ? [] : [fromHex(step.plain)]))
  .filter(small);

describe('mutated input', () => {
  it('never breaks the frame decoder', () => {
    const next = generator(1);
    const framed = rendezvousFrames.filter((frame) => frame.framed).map((frame) => frame.bytes);
    let decoder = new FrameDecoder({ maxPayload: 4096 });
    mutations(framed, 20_000, 2, (bytes) => {
      if (decoder.buffered > 4096 || next(10) === 0) decoder = new FrameDecoder({ maxPayload: 4096 });
      safely(() => {
        const cut = next(bytes.length + 1);
        for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)])
          for (const payload of decoder.push(part)) expect(payload.length).toBeLessThanOrEqual(4096);
      }, bytes);
      expect(decoder.buffered).toBeLessThan(8192);
    });
  });

  it('never breaks the rendezvous decoder, and what it accepts can be encoded', () => {
    let accepted = 0;
    mutations(rendezvousPayloads, 30_000, 3, (bytes) =>
      safely(() => {
        encodeRendezvous(decodeRendezvous(bytes));
        accepted++;
      }, bytes),
    );
    expect(accepted).toBeGreaterThan(1000);
  });

  it('never breaks the message decoder, and what it accepts can be encoded', () => {
    let accepted = 0;
    mutations(sessionPayloads, 30_000, 4, (bytes) =>
      safely(() => {
        encodeMessage(decodeMessage(bytes));
        accepted++;
      }, bytes),
    );
    expect(accepted).toBeGreaterThan(1000);
  });

  it('never breaks forwarding of a RequestRelay', () => {
    const relays = rendezvousPayloads.filter((bytes) => bytes[0] === 0x92);
    expect(relays.length).toBeGreaterThan(0);
    mutations(relays, 10_000, 5, (bytes) => {
      safely(() => splitFields(bytes), bytes);
      safely(() => rewriteRequestRelay(bytes, { socketAddr: Uint8Array.of(1, 2, 3) }), bytes);
    });
  });

  it('always unmangles to an address', () => {
    mutations(
      [new Uint8Array(11).fill(7), new Uint8Array(18).fill(1), new Uint8Array(16)],
      20_000,
      6,
      (bytes) => {
        const { host, port } = unmangleAddress(bytes);
        expect(host).toMatch(/^[0-9a-f.:]+$/);
        expect(port).toBeGreaterThanOrEqual(0);
        expect(port).toBeLessThanOrEqual(0xffff);
        normalizeHost(Buffer.from(bytes).toString('latin1'));
      },
    );
  });

  it('never opens a changed signature', () => {
    const keys = loadKeys();
    const publicKey = Uint8Array.from(Buffer.from(keys.server.public_key, 'base64'));
    const signed = keys.signed
      .filter((item) => item.verify_key === keys.server.public_key)
      .map((item) => fromHex(item.pk_field));
    const known = new Set(signed.map((bytes) => Buffer.from(bytes).toString('hex')));
    mutations(signed, 2_000, 7, (bytes) => {
      const genuine = known.has(Buffer.from(bytes).toString('hex'));
      expect(openIdPk(bytes, publicKey) !== null).toBe(genuine);
    });
  });

  it.each([{ native: false }, { native: true }])(
    'never opens a changed sealed frame (%j)',
    async (options) => {
      await initCrypto(options);
      const key = new Uint8Array(32).fill(9);
      const genuine = new SealedStream(key).seal(Uint8Array.from({ length: 60 }, (_, i) => i));
      const hex = Buffer.from(genuine).toString('hex');
      let opened = 0;
      mutations([genuine], 10_000, 8, (bytes) =>
        safely(() => {
          const plain = new SealedStream(key).open(bytes);
          if (bytes.length > 1) expect(Buffer.from(bytes).toString('hex')).toBe(hex);
          else expect(plain).toEqual(bytes);
          opened++;
        }, bytes),
      );
      expect(opened).toBeGreaterThan(0);
    },
  );

  it('never breaks a key exchange', () => {
    const sign = signKeyPair(new Uint8Array(32).fill(3));
    const server = serverKeyExchange(sign.secretKey);
    const greeting = decodeRendezvous(server.greeting).keyExchange;
    const client = clientKeyExchange(greeting ?? {}, sign.publicKey);
    if (!client) throw new Error('the greeting was refused');
    const answers = [server.greeting, client.answer];
    mutations(answers, 4_000, 9, (bytes) =>
      safely(() => {
        const exchange = decodeRendezvous(bytes).keyExchange ?? {};
        const key = server.accept(exchange);
        expect(key === null || Buffer.compare(key, client.sessionKey) === 0).toBe(true);
        clientKeyExchange(exchange, sign.publicKey);
      }, bytes),
    );
    mutations([client.answer.subarray(-48)], 2_000, 10, (bytes) => {
      expect(openSessionKey(bytes, sign.publicKey, new Uint8Array(32).fill(1))).toBeNull();
    });
  });
});
