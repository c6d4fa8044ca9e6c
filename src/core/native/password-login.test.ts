import { expect, test } from 'vitest';
import { systemRandom } from '../crypto/random.ts';
import { forEachSeed } from '../testing/seeds.ts';
import type { NativeSecrets } from './contract.ts';
import { PasswordLoginController, PasswordLoginHost, PreparedLogin } from './password-login.ts';

const session: NativeSecrets = {
  sessionId: new Uint8Array(16).fill(1),
  sessionSecret: new Uint8Array(32).fill(2),
  transcript: new Uint8Array(32).fill(3),
  joined: false,
};
const h1 = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

function run(candidates: number[], password: number, theirs: NativeSecrets = session) {
  const host = new PasswordLoginHost(session, candidates.map(h1), systemRandom);
  const controller = PasswordLoginController.answer(theirs, host.shares, h1(password), systemRandom);
  if (controller) host.receive(controller.share, controller.tags);
  return { host, controller };
}

test('proves each of the passwords to both ends, and no other', () => {
  for (const password of [1, 2, 3]) {
    const { host, controller } = run([1, 2, 3], password);
    expect([1, 2, 3].map((fill) => host.proved(h1(fill)))).toEqual([1, 2, 3].map((fill) => fill === password));
    expect(controller?.verify(host.tag(h1(password)))).toBe(true);
  }
  const { host } = run([1, 2, 3], 4);
  expect([1, 2, 3, 4].some((fill) => host.proved(h1(fill)))).toBe(false);
  expect(() => host.tag(h1(4))).toThrow();
});

test('what was prepared before the password was known proves it, once', () => {
  const host = new PasswordLoginHost(session, [h1(1), h1(2)], systemRandom);
  const prepared = PreparedLogin.of(session, host.shares, systemRandom);
  const controller = prepared?.answer(h1(2));
  if (controller) host.receive(controller.share, controller.tags);
  expect([host.proved(h1(1)), host.proved(h1(2))]).toEqual([false, true]);
  expect(controller?.verify(host.tag(h1(2)))).toBe(true);
  expect(() => prepared?.answer(h1(1))).toThrow();
});

test('the same password twice among those that would do is one', () => {
  const { host, controller } = run([1, 1], 1);
  expect([host.proved(h1(1)), controller?.verify(host.tag(h1(1)))]).toEqual([true, true]);
});

test('holds for its session only, over whichever of its paths', () => {
  const otherPath = { ...session, transcript: new Uint8Array(32).fill(9), joined: true };
  expect(run([1], 1, otherPath).host.proved(h1(1))).toBe(true);
  for (const other of [
    { ...session, sessionId: new Uint8Array(16).fill(9) },
    { ...session, sessionSecret: new Uint8Array(32).fill(9) },
  ])
    expect(run([1], 1, other).host.proved(h1(1))).toBe(false);
});

test('a host takes one answer', () => {
  const host = new PasswordLoginHost(session, [h1(1)], systemRandom);
  const right = PasswordLoginController.answer(session, host.shares, h1(1), systemRandom);
  host.receive(new Uint8Array(32), []);
  host.receive(right?.share ?? new Uint8Array(), right?.tags ?? []);
  expect(host.proved(h1(1))).toBe(false);
});

test('a host knows whether its shares are for the passwords of now', () => {
  const host = new PasswordLoginHost(session, [h1(1), h1(2)], systemRandom);
  const cases: [(number | null)[], boolean][] = [
    [[1, 2], true],
    [[1, null], true],
    [[null, null], true],
    [[2, 1], false],
    [[1, 3], false],
  ];
  for (const [fills, expected] of cases)
    expect(host.isFor(fills.map((fill) => (fill === null ? null : h1(fill))))).toBe(expected);
});

test('a controller answers one to three usable shares, and throws for none', async () => {
  const { shares } = new PasswordLoginHost(session, [h1(1), h1(2), h1(3)], systemRandom);
  for (const [given, answers] of [
    [[], false],
    [shares, true],
    [[...shares, ...shares], false],
    [[...shares.slice(0, 2), new Uint8Array(32)], false],
  ] as const)
    expect(PasswordLoginController.answer(session, given, h1(1), systemRandom) !== null).toBe(answers);
  await forEachSeed(100, (random) => {
    const given = Array.from({ length: random.below(5) }, () => random.bytes(random.pick([0, 31, 32, 32, 33])));
    PasswordLoginController.answer(session, given, h1(1), systemRandom)?.verify(random.bytes(64));
  });
});
