/** The login over native links: what stock links do with a password proof, done with CPace. */
import { expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import { passwordHash, passwordProof } from '../crypto/password.ts';
import { systemRandom } from '../crypto/random.ts';
import { memoryLinkPair } from '../memory-link.ts';
import { PasswordLoginController, PasswordLoginHost } from '../native/password-login.ts';
import { forEachSeed } from '../testing/seeds.ts';
import type { hbb } from '../wire/proto.ts';
import { ControllerSession } from './controller-session.ts';
import {
  type HostSetup,
  makeAuthenticator,
  nativeEnds,
  recordController,
  SALT,
  setUpHost,
  setUpPair,
  Talker,
} from './fixtures.ts';

type PairOptions = Parameters<typeof setUpPair>;

function nativePair(
  controller: PairOptions[0] = {},
  host: PairOptions[1] = {},
  auth: PairOptions[2] = {},
): ReturnType<typeof setUpPair> {
  const ends = nativeEnds();
  return setUpPair({ native: ends.controller, ...controller }, { native: ends.host, ...host }, auth);
}

const REQUEST: hbb.ILoginRequest = {
  username: '123456789',
  myId: '987654321',
  myName: 'x',
  sessionId: 5n,
  version: '1.4.6',
  myPlatform: 'Linux',
};

/** A host whose controller is played by the test. */
function nativeHost(...[options, auth]: Parameters<typeof setUpHost>): HostSetup {
  return setUpHost({ native: nativeEnds().host, ...options }, auth);
}

function begin(setup: HostSetup, password: string, session = 1): PasswordLoginController {
  const h1 = passwordHash(password, SALT);
  const attempt = new PasswordLoginController(nativeEnds(session).controller, h1, systemRandom);
  setup.talker.send({ loginRequest: { ...REQUEST, nativeShare: attempt.share } });
  return attempt;
}

function finish(setup: HostSetup, attempt: PasswordLoginController): void {
  const { shares } = setup.talker.last('nativeLoginShares') as hbb.NativeLoginShares;
  setup.talker.send({ nativeLoginTags: { tags: attempt.prove(shares) ?? [] } });
}

const answer = (setup: HostSetup): hbb.LoginResponse | undefined =>
  setup.talker.last('loginResponse') as hbb.LoginResponse | undefined;

test('both kinds of password open the session, and each end knows that the other knows it', () => {
  const clock = new VirtualClock();
  const authenticator = makeAuthenticator(clock);
  for (const password of ['secret', authenticator.oneTimePassword]) {
    const pair = nativePair({ password }, { clock, authenticator });
    expect([pair.controller.open, pair.host.open, pair.controller.hostProven]).toEqual([true, true, true]);
    expect(pair.controller.h1).toEqual(passwordHash(password, SALT));
    expect(pair.host.peer).toMatchObject({ peerId: '987654321', verified: true });
  }
});

test('prompt, wrong, right; what is kept of the password opens the next session', () => {
  const pair = nativePair();
  expect(pair.controllerEvents.of('password-needed').map(({ reason }) => reason)).toEqual(['required']);
  expect(pair.events.of('ask')).toHaveLength(1);
  pair.controller.login('nonsense');
  expect(pair.controllerEvents.of('password-needed').at(-1)?.reason).toBe('wrong');
  expect([pair.controller.h1, pair.controller.open]).toEqual([null, false]);
  pair.controller.login('secret');
  expect(pair.controller.open).toBe(true);
  const again = nativePair({ password: { h1: pair.controller.h1 ?? new Uint8Array() } });
  expect(again.controller.open).toBe(true);
});

test('a password typed while another is still being proven is tried next', () => {
  const pair = nativePair({ password: 'nonsense' });
  pair.controllerLink.auto = false;
  pair.controller.login('old nonsense');
  pair.controller.login('secret');
  while (pair.controllerLink.flush() > 0);
  expect(pair.controller.open).toBe(true);
});

test('a click opens it without a password, and then the host has proven none', () => {
  const pair = nativePair();
  pair.host.accept();
  expect([pair.controller.open, pair.controller.hostProven]).toEqual([true, false]);
});

test('in click mode no password is looked at', () => {
  const pair = nativePair({ password: 'secret' }, {}, { approveMode: 'click' });
  expect(pair.controllerEvents.of('password-needed').map(({ reason }) => reason)).toEqual(['wait-accept']);
  expect(pair.events.of('ask')).toHaveLength(1);
  expect(pair.host.open).toBe(false);
});

test('wrong passwords count as on stock links: seven in a minute, ten before the one-time password changes', () => {
  const clock = new VirtualClock();
  clock.advance(60_000);
  const authenticator = makeAuthenticator(clock);
  const first = authenticator.oneTimePassword;
  const results = Array.from({ length: 8 }, () => {
    const setup = nativeHost({ clock, authenticator });
    const attempt = begin(setup, 'nonsense');
    if (setup.talker.last('nativeLoginShares')) finish(setup, attempt);
    return answer(setup)?.error;
  });
  expect(results).toEqual([...Array<string>(7).fill('Wrong Password'), 'Please try 1 minute later']);
  const blocked = nativeHost({ clock, authenticator });
  begin(blocked, 'secret');
  expect([answer(blocked)?.error, blocked.host.open]).toEqual(['Please try 1 minute later', false]);
  for (let i = 0; i < 3; i++) {
    const setup = nativeHost({ clock, authenticator, remoteAddress: `203.0.113.${i + 20}:1` });
    finish(setup, begin(setup, 'nonsense'));
  }
  expect(authenticator.oneTimePassword).not.toBe(first);
});

test('a one-time password that changed during the attempt is not taken any more', () => {
  const setup = nativeHost();
  const attempt = begin(setup, setup.authenticator.oneTimePassword);
  setup.authenticator.renew();
  finish(setup, attempt);
  expect(answer(setup)?.error).toBe('Wrong Password');
});

test('after a break the old one-time password still opens for thirty seconds', () => {
  const clock = new VirtualClock();
  const authenticator = makeAuthenticator(clock);
  const password = authenticator.oneTimePassword;
  const first = nativePair({ password }, { clock, authenticator });
  first.link.destroy(new Error('cable'));
  expect(authenticator.oneTimePassword).not.toBe(password);
  clock.advance(20_000);
  const second = nativePair({ password }, { clock, authenticator });
  expect(second.controller.open).toBe(true);
  second.controller.close();
  expect(nativePair({ password }, { clock, authenticator }).controller.open).toBe(false);
});

test('every login looks the same, whichever passwords there are', () => {
  for (const auth of [{}, { permanentPassword: null }]) {
    const setup = nativeHost({}, auth);
    begin(setup, 'nonsense');
    const { shares } = setup.talker.last('nativeLoginShares') as hbb.NativeLoginShares;
    expect(shares.map((share) => share.length)).toEqual([32, 32, 32]);
  }
});

test('a tunnel of the stock kind, which leaves the encryption behind, is refused', () => {
  const onPortForward = (): Promise<never> => Promise.reject(new Error('must not be asked'));
  const options = { kind: 'port-forward', password: 'secret', portForward: { host: 'x', port: 1 } } as const;
  const pair = nativePair(options, { onPortForward });
  expect(pair.controllerEvents.of('closed')[0]).toMatchObject({ error: { code: 'LOGIN_KIND_REFUSED' } });
});

test('the stock proof of the right password is refused and ends the session', () => {
  const setup = nativeHost();
  const { salt, challenge } = setup.talker.last('hash') as hbb.Hash;
  expect(challenge).toBe('');
  const password = passwordProof(passwordHash('secret', salt), challenge);
  setup.talker.send({ loginRequest: { ...REQUEST, password } });
  expect([answer(setup)?.error, setup.host.open, setup.talker.closed]).toEqual([
    'Connection not allowed',
    false,
    true,
  ]);
});

test('CPace on a stock link is no login', () => {
  const setup = setUpHost();
  begin(setup, 'secret');
  expect([setup.talker.last('nativeLoginShares'), setup.host.open]).toEqual([undefined, false]);
  setup.talker.send({ nativeLoginTags: { tags: [new Uint8Array(64)] } });
  expect(setup.host.open).toBe(false);
});

test('whoever proved one identity does not log in as another', () => {
  const setup = nativeHost();
  setup.talker.send({ loginRequest: { ...REQUEST, myId: '111111111' } });
  expect([answer(setup)?.error, setup.talker.closed]).toEqual(['Connection not allowed', true]);
});

test('a proof made for another session opens nothing', () => {
  const setup = nativeHost();
  finish(setup, begin(setup, 'secret', 9));
  expect([answer(setup)?.error, setup.host.open]).toEqual(['Wrong Password', false]);
});

test('one set of tags for each attempt, none without one, and a second attempt ends the first', () => {
  const setup = nativeHost();
  setup.talker.send({ nativeLoginTags: { tags: [new Uint8Array(64)] } });
  expect(answer(setup)).toBeUndefined();
  const attempt = begin(setup, 'secret');
  setup.talker.send({ nativeLoginTags: { tags: [new Uint8Array(64)] } });
  expect(answer(setup)?.error).toBe('Wrong Password');
  finish(setup, attempt);
  expect(setup.host.open).toBe(false);

  const hasty = nativeHost();
  const first = begin(hasty, 'secret');
  begin(hasty, 'secret');
  expect(answer(hasty)?.error).toBe('Wrong Password');
  finish(hasty, first);
  expect(hasty.host.open).toBe(false);
});

test('tags in the wrong order or for other shares prove nothing', () => {
  const setup = nativeHost();
  const attempt = begin(setup, 'secret');
  const { shares } = setup.talker.last('nativeLoginShares') as hbb.NativeLoginShares;
  const tags = attempt.prove([...shares.slice(1), ...shares.slice(0, 1)]) ?? [];
  setup.talker.send({ nativeLoginTags: { tags } });
  expect(answer(setup)?.error).toBe('Wrong Password');
});

test.each([
  ['of another length', new Uint8Array(31).fill(1)],
  ['that is the neutral point', new Uint8Array(32)],
  ['that is no point', new Uint8Array(32).fill(0xff)],
])('a share %s is refused', (_, nativeShare) => {
  const setup = nativeHost();
  setup.talker.send({ loginRequest: { ...REQUEST, nativeShare } });
  expect([answer(setup)?.error, setup.talker.closed]).toEqual(['Connection not allowed', true]);
});

/** A controller with the right password whose host is played by the test. */
function victim(): { talker: Talker; controller: ControllerSession; closed: () => unknown } {
  const [link, other] = memoryLinkPair();
  const talker = new Talker(other);
  const controller = new ControllerSession({
    link,
    clock: new VirtualClock(),
    random: systemRandom,
    peerId: '123456789',
    myId: '987654321',
    myName: 'tester',
    platform: 'Linux',
    sessionId: 5n,
    decoding: { vp8: true, vp9: true, av1: false, h264: false },
    native: nativeEnds().controller,
    password: 'secret',
  });
  const events = recordController(controller);
  controller.start();
  talker.send({ hash: { salt: SALT, challenge: 'abcdef' } });
  return { talker, controller, closed: () => events.of('closed')[0] };
}

function sharesFor(guesses: string[], talker: Talker): PasswordLoginHost {
  const { nativeShare } = talker.last('loginRequest') as hbb.LoginRequest;
  const candidates = guesses.map((guess) => passwordHash(guess, SALT));
  const attempt = PasswordLoginHost.answer(nativeEnds().host, nativeShare, candidates, systemRandom);
  if (!attempt) throw new Error('no answer');
  talker.send({ nativeLoginShares: { shares: [...attempt.shares] } });
  return attempt;
}

test('an impostor host gets no stock proof, whatever it says', () => {
  const { talker } = victim();
  const request = talker.last('loginRequest') as hbb.LoginRequest;
  expect([request.password.length, request.nativeShare.length]).toEqual([0, 32]);
});

test.each<[string, hbb.ILoginResponse]>([
  ['without a word', {}],
  ['with a tag of its own', { nativeTag: new Uint8Array(64).fill(3) }],
])('a host that accepts a password that it does not know, %s, is no host', (_, response) => {
  for (const early of [true, false]) {
    const { talker, controller, closed } = victim();
    if (!early) sharesFor(['123456', 'password', 'letmein'], talker);
    talker.send({ loginResponse: { ...response, peerInfo: { hostname: 'trust me' } } });
    expect(controller.open).toBe(false);
    expect(closed()).toMatchObject({ retry: false, error: { code: 'LOGIN_HOST_UNPROVEN' } });
  }
});

test("the controller's own tags, sent back, are no proof of the host", () => {
  const { talker, controller } = victim();
  sharesFor(['123456'], talker);
  const { tags } = talker.last('nativeLoginTags') as hbb.NativeLoginTags;
  talker.send({ loginResponse: { peerInfo: {}, nativeTag: tags[0] ?? new Uint8Array() } });
  expect(controller.open).toBe(false);
});

test('an impostor host has three guesses in a login and no more', () => {
  const many = victim();
  sharesFor(['1', '2', '3', 'secret'], many.talker);
  expect(many.talker.last('nativeLoginTags')).toBeUndefined();
  expect(many.closed()).toMatchObject({ error: { code: 'SESSION_PROTOCOL' } });

  const twice = victim();
  sharesFor(['1'], twice.talker);
  const guessed = sharesFor(['secret'], twice.talker);
  expect(twice.talker.received.filter(({ union }) => union === 'nativeLoginTags')).toHaveLength(1);
  guessed.receive((twice.talker.last('nativeLoginTags') as hbb.NativeLoginTags).tags);
  expect(guessed.proved(passwordHash('secret', SALT))).toBe(false);
});

test('any bytes in place of the login messages end in order at both ends', async () => {
  await forEachSeed(150, (random) => {
    const host = nativeHost();
    begin(host, 'secret');
    const lists = (): Uint8Array[] =>
      Array.from({ length: random.below(6) }, () => random.bytes(random.pick([0, 31, 32, 33, 64, 200])));
    host.talker.send({ nativeLoginTags: { tags: lists() } });
    host.talker.send({ loginRequest: { ...REQUEST, nativeShare: random.bytes(random.below(70)) } });
    expect(host.host.open).toBe(false);
    const { talker, controller } = victim();
    talker.send({ nativeLoginShares: { shares: lists() } });
    talker.send({ loginResponse: { peerInfo: {}, nativeTag: random.bytes(random.below(70)) } });
    expect(controller.open).toBe(false);
  });
});
