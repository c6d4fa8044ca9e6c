/** The login over native links: what stock links do with a password proof, done with CPace. */
import { expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import { passwordHash, passwordProof } from '../crypto/password.ts';
import { systemRandom } from '../crypto/random.ts';
import { memoryLinkPair } from '../memory-link.ts';
import { MAX_LOGIN_SHARES, PasswordLoginController, PasswordLoginHost } from '../native/password-login.ts';
import { forEachSeed } from '../testing/seeds.ts';
import type { hbb } from '../wire/proto.ts';
import { ControllerSession } from './controller-session.ts';
import { SHARES_PER_MINUTE, SHARES_PER_MINUTE_OF_ALL } from './limits.ts';
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

/** What the right password is kept as. */
const SALT_H1 = passwordHash('secret', SALT);

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

/** The newest shares of the host. */
function sharesOf(setup: HostSetup): Uint8Array[] {
  const { hash, loginResponse } =
    setup.talker.received.findLast(
      (message) => (message.hash ?? message.loginResponse)?.nativeShares?.length,
    ) ?? {};
  return (hash ?? loginResponse)?.nativeShares ?? [];
}

/** A login request that proves this password for these shares, as the controller of that session would make it. */
function proving(password: string, shares: Uint8Array[], session = 1): hbb.ILoginRequest {
  const h1 = passwordHash(password, SALT);
  const attempt = PasswordLoginController.answer(nativeEnds(session).controller, shares, h1, systemRandom);
  if (!attempt) throw new Error('no usable shares');
  return { ...REQUEST, nativeShare: attempt.share, nativeTags: [...attempt.tags] };
}

function login(setup: HostSetup, password: string, session = 1): void {
  setup.talker.send({ loginRequest: proving(password, sharesOf(setup), session) });
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
    login(setup, 'nonsense');
    return answer(setup)?.error;
  });
  expect(results).toEqual([...Array<string>(7).fill('Wrong Password'), 'Please try 1 minute later']);
  const blocked = nativeHost({ clock, authenticator });
  login(blocked, 'secret');
  expect([answer(blocked)?.error, blocked.host.open]).toEqual(['Please try 1 minute later', false]);
  for (let i = 0; i < 3; i++) {
    const setup = nativeHost({ clock, authenticator, remoteAddress: `203.0.113.${i + 20}:1` });
    login(setup, 'nonsense');
  }
  expect(authenticator.oneTimePassword).not.toBe(first);
});

test('asking for shares again and again: each address has its minute, and all together have one', () => {
  const clock = new VirtualClock();
  const authenticator = makeAuthenticator(clock);
  const ask = (address: string): { shares: number; error: string | undefined } => {
    const setup = nativeHost({ clock, authenticator, remoteAddress: address });
    const shares = (setup.talker.last('hash') as hbb.Hash).nativeShares?.length ?? 0;
    if (shares > 0) login(setup, 'secret');
    else setup.talker.send({ loginRequest: REQUEST });
    return { shares, error: answer(setup)?.error || undefined };
  };
  for (let i = 0; i < SHARES_PER_MINUTE; i++) expect(authenticator.admitShares('203.0.113.5')).toBe(true);
  expect(ask('203.0.113.5:9')).toEqual({ shares: 0, error: 'Please try 1 minute later' });
  expect(ask('203.0.113.6:9').shares).toBe(MAX_LOGIN_SHARES);
  clock.advance(60_000);
  expect(ask('203.0.113.5:9')).toEqual({ shares: MAX_LOGIN_SHARES, error: undefined });
  // One customer has a whole /64.
  for (let i = 0; i < SHARES_PER_MINUTE; i++) authenticator.admitShares(`2001:db8::${i.toString(16)}`);
  expect(authenticator.admitShares('2001:db8::ffff')).toBe(false);
  expect(authenticator.admitShares('2001:db8:0:1::1')).toBe(true);
  let all = 0;
  for (let i = 0; i < 2 * SHARES_PER_MINUTE_OF_ALL; i++) if (authenticator.admitShares(`198.51.${i >> 8}.${i & 255}`)) all += 1;
  expect(all).toBeLessThanOrEqual(SHARES_PER_MINUTE_OF_ALL);
});

test('a one-time password that changed while somebody typed: the old one is wrong, the new one right at once', () => {
  const clock = new VirtualClock();
  for (const old of [true, false]) {
    const authenticator = makeAuthenticator(clock);
    const pair = nativePair({}, { clock, authenticator });
    const before = authenticator.oneTimePassword;
    authenticator.renew();
    pair.controller.login(old ? before : authenticator.oneTimePassword);
    expect(pair.controller.open).toBe(!old);
    expect(pair.events.of('login-attempt').filter(({ result }) => result === 'refused')).toHaveLength(
      old ? 1 : 0,
    );
  }
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
    expect(sharesOf(setup).map((share) => share.length)).toEqual([32, 32, 32]);
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
  expect(sharesOf(setup)).toEqual([]);
  setup.talker.send({ loginRequest: proving('secret', sharesOf(nativeHost())) });
  expect(setup.host.open).toBe(false);
});

test('whoever proved one identity does not log in as another', () => {
  const setup = nativeHost();
  setup.talker.send({ loginRequest: { ...REQUEST, myId: '111111111' } });
  expect([answer(setup)?.error, setup.talker.closed]).toEqual(['Connection not allowed', true]);
});

test('a proof made for another session opens nothing', () => {
  const setup = nativeHost();
  login(setup, 'secret', 9);
  expect([answer(setup)?.error, setup.host.open]).toEqual(['Wrong Password', false]);
});

test('one proof for each set of shares', () => {
  const setup = nativeHost();
  const shares = sharesOf(setup);
  const right = proving('secret', shares);
  login(setup, 'nonsense');
  expect(answer(setup)?.error).toBe('Wrong Password');
  setup.talker.send({ loginRequest: right });
  expect([answer(setup)?.error, setup.host.open]).toEqual(['Wrong Password', false]);
  expect(sharesOf(setup)).not.toEqual(shares);
  login(setup, 'secret');
  expect(setup.host.open).toBe(true);
});

test('tags in the wrong order, too few, or for other shares prove nothing', () => {
  const setup = nativeHost();
  const { nativeTags, ...request } = proving('secret', sharesOf(setup));
  const tags = nativeTags ?? [];
  setup.talker.send({ loginRequest: { ...request, nativeTags: [...tags.slice(1), ...tags.slice(0, 1)] } });
  expect(answer(setup)?.error).toBe('Wrong Password');
  setup.talker.send({ loginRequest: { ...proving('secret', sharesOf(setup)), nativeTags: [] } });
  expect(setup.host.open).toBe(false);
  setup.talker.send({ loginRequest: proving('secret', sharesOf(nativeHost())) });
  expect(setup.host.open).toBe(false);
});

test.each([
  ['of another length', new Uint8Array(31).fill(1)],
  ['that is the neutral point', new Uint8Array(32)],
  ['that is no point', new Uint8Array(32).fill(0xff)],
])('a share %s proves nothing, and ends the attempt of a controller', (_, bad) => {
  const setup = nativeHost();
  setup.talker.send({ loginRequest: { ...proving('secret', sharesOf(setup)), nativeShare: bad } });
  expect([answer(setup)?.error, setup.host.open]).toEqual(['Wrong Password', false]);
  const { talker, closed } = victim([bad]);
  expect(talker.last('loginRequest')).toBeUndefined();
  expect(closed()).toMatchObject({ error: { code: 'SESSION_PROTOCOL' } });
});

interface Victim {
  talker: Talker;
  controller: ControllerSession;
  closed: () => unknown;
  /** The host's end of the attempt, with the guesses that it made. */
  impostor: PasswordLoginHost;
}

/** A controller with the right password at a host that is played by the test, with shares for guesses or any others. */
function victim(guesses: (string | Uint8Array)[]): Victim {
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
  const candidates = guesses.map((guess) =>
    typeof guess === 'string' ? passwordHash(guess, SALT) : SALT_H1,
  );
  const impostor = new PasswordLoginHost(nativeEnds().host, candidates, systemRandom);
  const shares = guesses.map((guess, i) =>
    typeof guess === 'string' ? (impostor.shares[i] as Uint8Array) : guess,
  );
  talker.send({ hash: { salt: SALT, challenge: 'abcdef', nativeShares: shares } });
  return { talker, controller, impostor, closed: () => events.of('closed')[0] };
}

const loginOf = (talker: Talker): hbb.LoginRequest => talker.last('loginRequest') as hbb.LoginRequest;

test('an impostor host gets no stock proof, whatever it says', () => {
  for (const guesses of [[], ['123456']]) {
    const { talker } = victim(guesses);
    expect([loginOf(talker).password.length, loginOf(talker).nativeTags.length]).toEqual([0, guesses.length]);
  }
});

test.each<[string, hbb.ILoginResponse, string[]]>([
  ['without a word', {}, ['123456', 'password', 'letmein']],
  ['with a tag of its own', { nativeTag: new Uint8Array(64).fill(3) }, ['123456']],
  ['without having asked for any', {}, []],
])('a host that accepts a password that it does not know, %s, is no host', (_, response, guesses) => {
  const { talker, controller, closed } = victim(guesses);
  talker.send({ loginResponse: { ...response, peerInfo: { hostname: 'trust me' } } });
  expect(controller.open).toBe(false);
  expect(closed()).toMatchObject({ retry: false, error: { code: 'LOGIN_HOST_UNPROVEN' } });
});

test("the controller's own tags, sent back, are no proof of the host", () => {
  const { talker, controller } = victim(['123456']);
  const [nativeTag = new Uint8Array()] = loginOf(talker).nativeTags;
  talker.send({ loginResponse: { peerInfo: {}, nativeTag } });
  expect(controller.open).toBe(false);
});

test('an impostor host has three guesses in an attempt, one more attempt in a login, and no more', () => {
  const many = victim(['1', '2', '3', 'secret']);
  expect(many.talker.last('loginRequest')).toBeUndefined();
  expect(many.closed()).toMatchObject({ error: { code: 'SESSION_PROTOCOL' } });

  const again = victim(['1']);
  for (let i = 0; i < 2; i++)
    again.talker.send({ loginResponse: { nativeShares: victim(['2']).impostor.shares } });
  expect(again.talker.received.filter(({ union }) => union === 'loginRequest')).toHaveLength(2);
  expect(again.closed()).toMatchObject({ error: { code: 'SESSION_PROTOCOL' } });
});

test('a wrong guess leaves nothing to try the right password with', () => {
  const { talker, impostor } = victim(['1']);
  const { nativeShare, nativeTags } = loginOf(talker);
  impostor.receive(nativeShare, nativeTags);
  const later = new PasswordLoginHost(nativeEnds().host, [SALT_H1], systemRandom);
  later.receive(nativeShare, nativeTags);
  expect([impostor.proved(SALT_H1), later.proved(SALT_H1)]).toEqual([false, false]);
});

test('any bytes in place of the login messages end in order at both ends', async () => {
  await forEachSeed(150, (random) => {
    const lists = (): Uint8Array[] =>
      Array.from({ length: random.below(6) }, () => random.bytes(random.pick([0, 31, 32, 33, 64, 200])));
    const host = nativeHost();
    const nativeShare = random.bytes(random.pick([1, 31, 32, 33, 64]));
    for (let i = 0; i < 2; i++)
      host.talker.send({ loginRequest: { ...REQUEST, nativeShare, nativeTags: lists() } });
    expect(host.host.open).toBe(false);
    const { talker, controller } = victim(lists());
    talker.send({ loginResponse: { nativeShares: lists() } });
    talker.send({ loginResponse: { peerInfo: {}, nativeTag: random.bytes(random.below(70)) } });
    expect(controller.open).toBe(false);
  });
});
