import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { initCrypto, SealedStream, signIdPk, signKeyPair, boxKeyPair } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import type { LinkClose } from '../core/link.ts';
import { decodeMessage, encodeMessage, FrameDecoder } from '../core/wire/index.ts';
import { type LinkPair, linkCompliance } from './link-compliance.ts';
import type { NetLink } from './net-link.ts';
import {
  plainSecured,
  type SecureControllerOptions,
  type SecuredLink,
  type SecureHostOptions,
  secureAsController,
  secureAsHost,
} from './secure.ts';
import { ScriptLink } from './script-link.ts';
import { tcpPair } from './test-pairs.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const ID = '123456789';
const host: { signSecretKey: Uint8Array; publicKey: Uint8Array } = {
  signSecretKey: new Uint8Array(64),
  publicKey: new Uint8Array(32),
};

beforeAll(async () => {
  await initCrypto();
  const pair = signKeyPair(Uint8Array.from({ length: 32 }, (_, i) => 0x20 + i));
  host.signSecretKey = pair.secretKey;
  host.publicKey = pair.publicKey;
});

function asController(link: NetLink, options: Partial<SecureControllerOptions> = {}) {
  return secureAsController(link, { peerId: ID, hostKey: host.publicKey, allowPlaintext: false, ...options });
}

function asHost(link: NetLink, options: Partial<SecureHostOptions> = {}) {
  return secureAsHost(link, { id: ID, signSecretKey: host.signSecretKey, allowPlaintext: false, ...options });
}

async function securedPair(): Promise<[SecuredLink, SecuredLink, LinkPair[2]]> {
  const [a, b, cleanup] = await tcpPair();
  const [controller, responder] = await Promise.all([asController(a), asHost(b)]);
  return [controller, responder, cleanup];
}

linkCompliance('sealed TcpLink', securedPair);
linkCompliance('unsealed SecuredLink', async () => {
  const [a, b, cleanup] = await tcpPair();
  return [plainSecured(a), plainSecured(b), cleanup];
});

describe('key exchange', () => {
  test('seals the link and tells who is known', async () => {
    const [controller, responder, cleanup] = await securedPair();
    expect([controller.encrypted, controller.peerVerified]).toEqual([true, true]);
    expect([responder.encrypted, responder.peerVerified]).toEqual([true, false]);
    controller.destroy();
    responder.destroy();
    await cleanup();
  });

  test('the host speaks at once', () => {
    const link = new ScriptLink();
    void asHost(link).catch(() => {});
    expect(link.sent.length).toBe(1);
    expect(decodeMessage(link.sent[0] as Uint8Array).union).toBe('signedId');
    link.destroy();
  });

  test('reproduces the published exchange byte for byte', async () => {
    const ramp = (from: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => from + i);
    const hostLink = new ScriptLink();
    const hostSide = asHost(hostLink, { random: () => ramp(0x40) });
    expect(toHex(hostLink.sent[0] as Uint8Array)).toMatch(/^1a6f0a6decb5a2dc58dc46ab/);
    const link = new ScriptLink();
    const randoms = [ramp(0x60), ramp(0x80)];
    const side = asController(link, { random: () => randoms.shift() as Uint8Array });
    link.feed(hostLink.sent[0] as Uint8Array);
    const controller = await side;
    expect(toHex(link.sent[0] as Uint8Array)).toBe(
      '22540a20675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f' +
        '1230b5631759150b02acdc04e29f46e538de722f179507f80af21fa278ec13007074f62feca493fb07561194f7012bbdb84f',
    );
    hostLink.feed(link.sent[0] as Uint8Array);
    const responder = await hostSide;
    controller.send(Buffer.from('hello'));
    expect(toHex(link.sent[1] as Uint8Array)).toBe('bf7863257f3af60529e091b7577f86e862dc7fc85c');
    controller.send(Buffer.from('hello'));
    expect(toHex(link.sent[2] as Uint8Array)).toBe('db53b19220f32cb380c7b494681dff7773859d351c');
    responder.send(new Uint8Array(0));
    expect(toHex(hostLink.sent[1] as Uint8Array)).toBe('db129a695d3cfa6c3fa331b6935aa017');
  });

  test('frames of 0 and 1 byte pass through and are not counted', async () => {
    const [link, key] = [new ScriptLink(), new Uint8Array(32).fill(9)];
    const randoms = [new Uint8Array(32).fill(3), key];
    const side = asController(link, { random: () => randoms.shift() as Uint8Array });
    link.feed(signedId(ID));
    const controller = await side;
    const got: string[] = [];
    controller.setHandlers({ onFrame: (payload) => got.push(toHex(payload)), onClose: () => {} });
    const peer = new SealedStream(key);
    link.feed(peer.seal(hex('aabb')));
    link.feed(new Uint8Array(0));
    link.feed(hex('07'));
    link.feed(peer.seal(hex('ccdd')));
    expect(got).toEqual(['aabb', '', '07', 'ccdd']);
  });

  test('a damaged sealed frame ends the link with a typed error', async () => {
    const link = new ScriptLink();
    const side = asController(link);
    link.feed(signedId(ID));
    const controller = await side;
    const closed = new Promise<LinkClose>((resolve) =>
      controller.setHandlers({ onFrame: () => expect.unreachable(), onClose: resolve }),
    );
    link.feed(new Uint8Array(40));
    expect(await closed).toMatchObject({ by: 'error', error: { code: 'SEAL_BROKEN' } });
  });
});

function signedId(id: string, secretKey = host.signSecretKey): Uint8Array {
  return encodeMessage({ signedId: { id: signIdPk(id, boxKeyPair().publicKey, secretKey) } });
}

async function failure(promise: Promise<unknown>): Promise<LiteDeskError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof LiteDeskError)) throw new Error(`no typed error: ${String(error)}`);
  return error;
}

describe('what is refused', () => {
  const stranger = (): Uint8Array => signKeyPair(new Uint8Array(32).fill(7)).secretKey;
  const controllerCases: [string, () => Uint8Array, string, string][] = [
    ['a signature of another key', () => signedId(ID, stranger()), 'HANDSHAKE_BAD_SIGNATURE', '2200'],
    ['another id', () => signedId('wrong-id-x'), 'HANDSHAKE_WRONG_ID', ''],
    [
      'another message',
      () => encodeMessage({ hash: { salt: 'a', challenge: 'b' } }),
      'HANDSHAKE_PLAINTEXT_REFUSED',
      '',
    ],
    ['an empty frame', () => new Uint8Array(0), 'HANDSHAKE_PLAINTEXT_REFUSED', ''],
    ['garbage', () => hex('ffffffff'), 'HANDSHAKE_MALFORMED', ''],
  ];
  test.each(controllerCases)('controller: %s', async (_name, first, code, fallback) => {
    const refusing = new ScriptLink();
    const side = asController(refusing);
    refusing.feed(first());
    const error = await failure(side);
    expect(error).toMatchObject({ code, stage: 'handshake' });
    expect(error.hint).not.toBe('');
    expect(refusing.sent).toEqual([]);
    expect(refusing.closed).toBe(true);

    const allowing = new ScriptLink();
    const allowed = asController(allowing, { allowPlaintext: true });
    allowing.feed(first());
    const secured = await allowed;
    expect([secured.encrypted, secured.peerVerified]).toEqual([false, false]);
    expect(allowing.sent.map(toHex)).toEqual([fallback]);
  });

  test('controller without a key: refuses without a word, or goes on in clear past the SignedId', async () => {
    const refusing = new ScriptLink();
    expect((await failure(asController(refusing, { hostKey: null }))).code).toBe('HANDSHAKE_NO_KEY');
    expect(refusing.sent).toEqual([]);
    const link = new ScriptLink();
    const secured = await asController(link, { hostKey: null, allowPlaintext: true });
    expect(link.sent.map(toHex)).toEqual(['']);
    const got: string[] = [];
    secured.setHandlers({
      onFrame: (payload) => got.push(decodeMessage(payload).union ?? ''),
      onClose: () => {},
    });
    link.feed(signedId(ID));
    link.feed(encodeMessage({ hash: { salt: 'a', challenge: 'b' } }));
    expect(got).toEqual(['hash']);
  });

  const hostCases: [string, () => Uint8Array, string, boolean, boolean][] = [
    ['an empty frame', () => new Uint8Array(0), 'HANDSHAKE_PLAINTEXT_REFUSED', true, false],
    [
      'an empty public key',
      () => encodeMessage({ publicKey: {} }),
      'HANDSHAKE_PLAINTEXT_REFUSED',
      true,
      true,
    ],
    [
      'another message',
      () => encodeMessage({ loginRequest: {} }),
      'HANDSHAKE_PLAINTEXT_REFUSED',
      true,
      false,
    ],
    [
      'a key of another length',
      () =>
        encodeMessage({
          publicKey: { asymmetricValue: new Uint8Array(31), symmetricValue: new Uint8Array(48) },
        }),
      'HANDSHAKE_INVALID_KEY',
      false,
      false,
    ],
    [
      'a box that does not open',
      () =>
        encodeMessage({
          publicKey: { asymmetricValue: boxKeyPair().publicKey, symmetricValue: new Uint8Array(48) },
        }),
      'HANDSHAKE_INVALID_KEY',
      false,
      false,
    ],
    ['garbage', () => hex('ffffffff'), 'HANDSHAKE_MALFORMED', false, false],
  ];
  test.each(hostCases)('host: %s', async (_name, first, code, mayGoOn, doubts) => {
    const refusing = new ScriptLink();
    const side = asHost(refusing);
    refusing.feed(first());
    expect(await failure(side)).toMatchObject({ code, stage: 'handshake' });
    expect(refusing.closed).toBe(true);

    let doubted = false;
    const allowing = new ScriptLink();
    const allowed = asHost(allowing, { allowPlaintext: true, onKeyDoubted: () => (doubted = true) });
    allowing.feed(first());
    if (mayGoOn) expect((await allowed).encrypted).toBe(false);
    else expect((await failure(allowed)).code).toBe(code);
    expect(doubted).toBe(doubts);
  });

  test('silence, an end and an abort end it, and leave no timer', async () => {
    const clock = new VirtualClock();
    for (const start of [asController, asHost]) {
      const silent = new ScriptLink();
      const waiting = failure(start(silent, { clock }));
      clock.advance(18_000);
      expect((await waiting).code).toBe('HANDSHAKE_TIMEOUT');
      expect(silent.closed).toBe(true);

      const gone = new ScriptLink();
      const ending = failure(start(gone, { clock }));
      gone.end({ by: 'remote' });
      expect((await ending).code).toBe('HANDSHAKE_PEER_CLOSED');

      const controller = new AbortController();
      const link = new ScriptLink();
      const aborting = failure(start(link, { clock, signal: controller.signal }));
      controller.abort();
      expect((await aborting).code).toBe('ABORTED');
      expect(link.closed).toBe(true);
      expect(clock.pending).toBe(0);
    }
  });
});

interface Step {
  from: 'controller' | 'controlled' | 'server';
  peer?: string;
  transport: string;
  hex: string;
  plain?: string;
}
interface Recording {
  keys: Record<string, string>;
  host_id: string;
  steps: Step[];
}

function recording(name: string): Recording {
  const url = new URL(`../../test/vectors/session/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as Recording;
}

/** The payloads between the two peers, with who sent them. */
function peerFrames(file: Recording): { from: string; payload: Uint8Array; plain?: string | undefined }[] {
  return file.steps
    .filter((step) => !step.peer && step.from !== 'server')
    .flatMap((step) =>
      new FrameDecoder()
        .push(hex(step.hex))
        .map((payload) => ({ from: step.from, payload, plain: step.plain })),
    );
}

describe('recorded exchanges', () => {
  test.each(['stock-controller-bad-signature', 'stock-controller-wrong-id'])('%s', async (name) => {
    // As controller we do what the stock one did, and refuse where nobody allowed it.
    const file = recording(name);
    const frames = peerFrames(file);
    const fromHost = frames.filter((frame) => frame.from === 'controlled');
    const answer = frames.find((frame) => frame.from === 'controller');
    const link = new ScriptLink();
    const side = asController(link, { peerId: file.host_id, allowPlaintext: true });
    for (const frame of fromHost) link.feed(frame.payload);
    const secured = await side;
    expect(link.sent.map(toHex)).toEqual([toHex(answer?.payload as Uint8Array)]);
    const got: string[] = [];
    secured.setHandlers({ onFrame: (payload) => got.push(toHex(payload)), onClose: () => {} });
    expect(got).toEqual(fromHost.slice(1).map((frame) => toHex(frame.payload)));

    const strict = new ScriptLink();
    const refused = asController(strict, { peerId: file.host_id });
    strict.feed(fromHost[0]?.payload as Uint8Array);
    const code = name.endsWith('id') ? 'HANDSHAKE_WRONG_ID' : 'HANDSHAKE_BAD_SIGNATURE';
    expect((await failure(refused)).code).toBe(code);
  });

  test.each(['handshake-empty-frame', 'handshake-empty-public-key'])('%s', async (name) => {
    // The recorded controller against our host.
    const file = recording(name);
    const fromController = peerFrames(file).filter((frame) => frame.from === 'controller');
    let doubted = false;
    const link = new ScriptLink();
    const side = asHost(link, {
      id: file.host_id,
      allowPlaintext: true,
      onKeyDoubted: () => (doubted = true),
    });
    for (const frame of fromController) link.feed(frame.payload);
    const secured = await side;
    expect(secured.encrypted).toBe(false);
    expect(doubted).toBe(name === 'handshake-empty-public-key');
    const got: string[] = [];
    secured.setHandlers({ onFrame: (payload) => got.push(toHex(payload)), onClose: () => {} });
    expect(got).toEqual(fromController.slice(1).map((frame) => toHex(frame.payload)));
    expect(got.length).toBeGreaterThan(0);

    const strict = new ScriptLink();
    const refused = asHost(strict, { id: file.host_id });
    strict.feed(fromController[0]?.payload as Uint8Array);
    expect((await failure(refused)).code).toBe('HANDSHAKE_PLAINTEXT_REFUSED');
  });

  test.each(['tcp-login-video-input', 'relay-login'])('%s: same keys, same bytes', async (name) => {
    const file = recording(name);
    const frames = peerFrames(file).filter((frame, i) => i === 0 || frame.payload.length > 0);
    const fromHost = frames.filter((frame) => frame.from === 'controlled');
    const fromController = frames.filter((frame) => frame.from === 'controller');
    const randoms = [hex(file.keys.controller_eph_sk ?? ''), hex(file.keys.sym_key ?? '')];
    const link = new ScriptLink();
    const side = asController(link, { peerId: file.host_id, random: () => randoms.shift() as Uint8Array });
    const first = fromHost.findIndex((frame) => frame.plain === undefined && frame.payload.length > 100);
    for (const frame of fromHost.slice(first)) link.feed(frame.payload);
    const secured = await side;
    const got: string[] = [];
    secured.setHandlers({ onFrame: (payload) => got.push(toHex(payload)), onClose: () => {} });
    expect(got).toEqual(fromHost.slice(first + 1).map((frame) => frame.plain));
    const sealed = fromController.filter((frame) => frame.plain !== undefined);
    expect(sealed.length).toBeGreaterThan(3);
    for (const frame of sealed) secured.send(hex(frame.plain ?? ''));
    const publicKey = fromController[fromController.indexOf(sealed[0] as (typeof sealed)[0]) - 1];
    expect(link.sent.map(toHex)).toEqual(
      [publicKey, ...sealed].map((frame) => toHex(frame?.payload as Uint8Array)),
    );
  });
});
