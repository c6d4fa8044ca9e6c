import { expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import { passwordHash, passwordProof } from '../crypto/password.ts';
import type { hbb } from '../wire/proto.ts';
import { proofCheck } from './authenticator.ts';
import { type HostSetup, makeAuthenticator, SALT, setUpHost, setUpPair } from './fixtures.ts';

const wrong = new Uint8Array(32).fill(9);

function proof(setup: HostSetup, password: string): Uint8Array {
  const hash = setup.talker.last('hash') as hbb.Hash;
  return passwordProof(passwordHash(password, hash.salt), hash.challenge);
}

function login(setup: HostSetup, password: Uint8Array, more: hbb.ILoginRequest = {}): void {
  setup.talker.send({
    loginRequest: {
      username: '123456789',
      password,
      myId: '987654321',
      myName: 'x',
      sessionId: 5n,
      version: '1.4.6',
      myPlatform: 'Linux',
      ...more,
    },
  });
}

const errorOf = (setup: HostSetup): string | null | undefined =>
  (setup.talker.last('loginResponse') as hbb.LoginResponse | undefined)?.error;

test('the host opens with hash, then the permissions that are off, then the heartbeat', () => {
  const setup = setUpHost();
  expect(setup.talker.names[0]).toBe('hash');
  expect(setup.talker.names.slice(1)).toEqual(Array(5).fill('misc.permissionInfo'));
  setup.clock.advance(25);
  expect(setup.talker.names.at(-1)).toBe('testDelay');
  // Unanswered: no further ones.
  setup.clock.advance(5000);
  expect(setup.talker.names.filter((name) => name === 'testDelay')).toHaveLength(1);
});

test('both kinds of password open the session, a wrong one keeps the connection', () => {
  const setup = setUpHost();
  login(setup, wrong);
  expect(errorOf(setup)).toBe('Wrong Password');
  expect(setup.talker.closed).toBe(false);
  login(setup, proof(setup, 'secret'));
  expect(setup.host.open).toBe(true);

  const other = setUpHost();
  login(other, proof(other, other.authenticator.oneTimePassword));
  expect(other.host.open).toBe(true);
});

test('a session that opens describes this computer', () => {
  const setup = setUpHost();
  login(setup, proof(setup, 'secret'));
  const info = (setup.talker.last('loginResponse') as hbb.LoginResponse).peerInfo;
  expect(info).toMatchObject({ hostname: 'lab-b', platform: 'Linux', version: '1.4.5', currentDisplay: 0 });
  expect(info?.displays?.[0]).toMatchObject({
    width: 320,
    height: 240,
    online: true,
    cursorEmbedded: false,
    scale: 1,
  });
});

test('an empty password is answered with silence and a question; Accept opens, Dismiss closes', () => {
  const setup = setUpHost();
  login(setup, new Uint8Array());
  login(setup, new Uint8Array());
  expect(errorOf(setup)).toBeUndefined();
  expect(setup.events.of('ask')).toHaveLength(1);
  setup.host.accept();
  expect(setup.host.open).toBe(true);

  const other = setUpHost();
  login(other, new Uint8Array());
  other.host.dismiss();
  expect((other.talker.last('misc') as hbb.Misc).closeReason).toBe('Closed manually by the peer');
  expect(other.talker.closed).toBe(true);
});

test('in click mode even a right password only asks', () => {
  const setup = setUpHost({}, { approveMode: 'click' });
  login(setup, proof(setup, 'secret'));
  expect(errorOf(setup)).toBe('No Password Access');
  expect(setup.events.of('ask')).toHaveLength(1);
  expect(setup.host.open).toBe(false);
});

test('in password mode nobody is asked', () => {
  const setup = setUpHost({}, { approveMode: 'password' });
  login(setup, new Uint8Array());
  login(setup, wrong);
  expect(setup.events.of('ask')).toHaveLength(0);
});

test.each([
  ['10.2.0.2', true],
  ['10.2.0.2:21118', true],
  ['[fe80::1]:21118', true],
  ['fe80::1', true],
  ['host.example:21118', true],
  ['host.example', false],
  ['222000111', false],
  ['', false],
])('a login dialled as %s is meant for this host: %s', (username, good) => {
  const setup = setUpHost();
  login(setup, proof(setup, 'secret'), { username });
  expect(setup.host.open).toBe(good);
  if (!good) expect(errorOf(setup)).toBe('Offline');
  expect(setup.talker.closed).toBe(!good);
});

test.each<[hbb.ILoginRequest, string]>([
  [{ fileTransfer: {} }, 'No permission of file transfer'],
  [{ viewCamera: {} }, 'No permission of viewing camera'],
  [{ terminal: {} }, 'No permission of terminal'],
  [{ portForward: { host: '127.0.0.1', port: 80 } }, 'No permission of IP tunneling'],
])('a kind of session that is not offered is refused: %j', (more, text) => {
  const setup = setUpHost();
  login(setup, proof(setup, 'secret'), more);
  expect(errorOf(setup)).toBe(text);
  expect(setup.talker.closed).toBe(true);
});

test('a retry may not change who asks or what for', () => {
  const setup = setUpHost();
  login(setup, wrong);
  login(setup, proof(setup, 'secret'), { myId: '111111111' });
  expect(errorOf(setup)).toBe('Connection not allowed');
  expect(setup.talker.closed).toBe(true);
});

test('the eighth wrong password in a minute must wait; more than thirty are too many', () => {
  const clock = new VirtualClock();
  clock.advance(60_000);
  const authenticator = makeAuthenticator(clock);
  const texts: string[] = [];
  for (let attempt = 1; attempt <= 8; attempt++) {
    const result = authenticator.verify(proofCheck(wrong, 'abcdef'), '203.0.113.5');
    texts.push(result.ok ? 'ok' : result.error);
  }
  expect(texts).toEqual([...Array(7).fill('Wrong Password'), 'Please try 1 minute later']);
  // Even the right one has to wait, and another address does not.
  const right = passwordProof(passwordHash('secret', SALT), 'abcdef');
  expect(authenticator.verify(proofCheck(right, 'abcdef'), '203.0.113.5').ok).toBe(false);
  expect(authenticator.verify(proofCheck(right, 'abcdef'), '203.0.113.6').ok).toBe(true);
  clock.advance(60_000);
  expect(authenticator.verify(proofCheck(wrong, 'abcdef'), '203.0.113.5')).toEqual({
    ok: false,
    error: 'Wrong Password',
  });
  for (let round = 0; round < 10; round++) {
    clock.advance(60_000);
    for (let attempt = 0; attempt < 7; attempt++)
      authenticator.verify(proofCheck(wrong, 'abcdef'), '203.0.113.5');
  }
  clock.advance(60_000);
  expect(authenticator.verify(proofCheck(right, 'abcdef'), '203.0.113.5')).toEqual({
    ok: false,
    error: 'Too many wrong attempts',
  });
});

test('a /64 cannot try more than one address can', () => {
  const clock = new VirtualClock();
  const authenticator = makeAuthenticator(clock);
  let last = '';
  for (let attempt = 0; attempt < 62; attempt++) {
    const result = authenticator.verify(
      proofCheck(wrong, 'abcdef'),
      `2001:db8::${(attempt + 1).toString(16)}`,
    );
    last = result.ok ? '' : result.error;
  }
  expect(last).toBe('Too many wrong attempts for IPv6 prefix /64');
});

test('the one-time password changes after ten wrong proofs and when a session ends', () => {
  const setup = setUpHost();
  const first = setup.authenticator.oneTimePassword;
  expect(first).toMatch(/^[2-9a-km-np-z]{6}$/);
  const seen: string[] = [];
  setup.authenticator.on('change', (password) => seen.push(password));
  for (let attempt = 0; attempt < 10; attempt++)
    setup.authenticator.verify(proofCheck(wrong, 'abcdef'), `203.0.113.${attempt}`);
  expect(seen).toHaveLength(1);
  login(setup, proof(setup, setup.authenticator.oneTimePassword));
  setup.host.disconnect();
  expect(seen).toHaveLength(2);
  expect(seen[1]).toBe(setup.authenticator.oneTimePassword);
  expect(seen[1]).not.toBe(first);
});

test('after a break the old one-time password still opens for thirty seconds, after a close it does not', () => {
  const clock = new VirtualClock();
  const authenticator = makeAuthenticator(clock);
  const password = authenticator.oneTimePassword;
  const connect = (): HostSetup => setUpHost({ clock, authenticator });
  const first = connect();
  login(first, proof(first, password));
  expect(first.host.open).toBe(true);
  first.link.destroy(new Error('cable'));
  expect(authenticator.oneTimePassword).not.toBe(password);

  clock.advance(20_000);
  const second = connect();
  login(second, proof(second, password));
  expect(second.host.open).toBe(true);
  // Another window with the same password is not it.
  const stranger = connect();
  login(stranger, proof(stranger, password), { sessionId: 6n });
  expect(stranger.host.open).toBe(false);

  second.talker.send({ misc: { closeReason: '' } });
  const third = connect();
  login(third, proof(third, password));
  expect(third.host.open).toBe(false);

  const fourth = connect();
  const now = authenticator.oneTimePassword;
  login(fourth, proof(fourth, now));
  fourth.link.destroy();
  clock.advance(30_001);
  const fifth = connect();
  login(fifth, proof(fifth, now));
  expect(fifth.host.open).toBe(false);
});

test('silence ends a session after 30 s, and nobody stays ten minutes without login', () => {
  const quiet = setUpHost();
  quiet.clock.advance(31_000);
  expect(quiet.events.of('closed')[0]).toMatchObject({ by: 'timeout', error: { code: 'SESSION_TIMEOUT' } });
  expect(quiet.clock.pending).toBe(0);

  const pair = setUpPair();
  pair.clock.advance(601_000);
  expect(pair.events.of('closed')[0]).toMatchObject({ by: 'timeout', error: { code: 'LOGIN_IDLE' } });
  expect(pair.controllerEvents.of('closed')[0]).toMatchObject({ retry: true, reason: 'Reset by the peer' });
  expect(pair.clock.pending).toBe(0);
});

test('our two ends: prompt, wrong, right, and what is kept of the password', () => {
  const pair = setUpPair();
  expect(pair.controllerEvents.of('password-needed').map((event) => event.reason)).toEqual(['required']);
  pair.controller.login('nonsense');
  expect(pair.controllerEvents.of('password-needed').at(-1)?.reason).toBe('wrong');
  pair.controller.login('secret');
  expect(pair.controllerEvents.of('opened')[0]).toMatchObject({
    hostname: 'lab-b',
    displays: [{ width: 320 }],
  });
  const { h1, salt } = pair.controller;
  expect(salt).toBe(SALT);
  expect(h1).toEqual(passwordHash('secret', SALT));

  const again = setUpPair({ password: { h1: h1 ?? new Uint8Array() } });
  expect(again.controller.open).toBe(true);
  expect(again.controllerEvents.of('password-needed')).toHaveLength(0);
});

test('refusals reach the controller as data with a stable code', () => {
  const cases: [Parameters<typeof setUpPair>[0], string][] = [
    [{ peerId: '222000111' }, 'LOGIN_OFFLINE'],
    [{ kind: 'file-transfer' }, 'LOGIN_KIND_REFUSED'],
    [{ kind: 'port-forward', portForward: { host: 'x', port: 1 } }, 'LOGIN_KIND_REFUSED'],
  ];
  for (const [options, code] of cases) {
    const pair = setUpPair({ password: 'secret', ...options });
    expect(pair.controllerEvents.of('closed')[0]).toMatchObject({
      retry: false,
      error: { code, stage: 'login' },
    });
    expect(pair.clock.pending).toBe(0);
  }
});

test('close in order from both sides, and the retry rule', () => {
  const one = setUpPair({ password: 'secret' });
  one.controller.close();
  expect(one.events.of('closed')).toEqual([{ reason: '', by: 'peer' }]);
  expect(one.controllerEvents.of('closed')).toEqual([{ reason: '', retry: false }]);

  const two = setUpPair({ password: 'secret' });
  two.host.disconnect();
  expect(two.controllerEvents.of('closed')[0]).toMatchObject({
    retry: false,
    error: { code: 'SESSION_CLOSED_BY_PEER' },
  });

  const three = setUpPair({ password: 'secret' });
  three.host.disconnect('Restarting');
  expect(three.controllerEvents.of('closed')[0]).toMatchObject({ retry: true });
  for (const pair of [one, two, three]) expect(pair.clock.pending).toBe(0);
});

test('ping measures through the session, is cancelled, and fails when the session ends', async () => {
  const pair = setUpPair({ password: 'secret' });
  expect(await pair.controller.ping()).toBe(0);
  pair.controllerLink.auto = false;
  const slow = pair.controller.ping();
  pair.clock.advance(40);
  pair.controllerLink.flush();
  expect(await slow).toBe(40);
  const abort = new AbortController();
  const cancelled = pair.controller.ping(abort.signal);
  abort.abort(new Error('enough'));
  await expect(cancelled).rejects.toThrow('enough');
  const open = pair.controller.ping();
  pair.controller.close();
  await expect(open).rejects.toMatchObject({ code: 'SESSION_CLOSED' });
});

test('a session without display opens without picture and still answers', async () => {
  const pair = setUpPair({ password: 'secret' }, { desktop: null });
  expect(pair.controllerEvents.of('opened')[0]?.displays).toEqual([]);
  expect(await pair.controller.ping()).toBe(0);
  pair.clock.advance(120_000);
  expect(pair.controller.open).toBe(true);
});
