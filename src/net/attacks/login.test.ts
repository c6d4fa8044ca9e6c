/**
 * Attacks on the login by somebody whose key an evil server vouches for: he ends the controller's link and begins one of his
 * own to the host. docs/threat-model.md names them.
 */
import { afterEach, beforeAll, expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { initCrypto, passwordHash, passwordProof, systemRandom } from '../../core/crypto/index.ts';
import { PasswordLoginHost } from '../../core/native/password-login.ts';
import { ControllerSession, HostAuthenticator, HostSession } from '../../core/session/index.ts';
import { decodeMessage, hbb } from '../../core/wire/index.ts';
import type { SecuredLink } from '../secure.ts';
import { CONTROLLER_ID, endMeetings, HOST_ID, start, testKeys } from './mitm.ts';

beforeAll(() => initCrypto());
afterEach(endMeetings);

const SALT = 'labsalt0123456789abcdefghijkmnpq';
const PASSWORD = 'correct horse';

interface Relayed {
  readonly controller: ControllerSession;
  readonly host: HostSession;
  /** What he read of either end, in clear. */
  readonly fromController: hbb.Message[];
  readonly fromHost: hbb.Message[];
  /** The same, byte for byte. */
  readonly seen: Uint8Array[];
  /** His two links. */
  readonly toController: SecuredLink;
  readonly toHost: SecuredLink;
  /** The controller asks for a password again, or its session ended: with this. */
  readonly done: Promise<string>;
}

/** Two honest sessions with the right password, and he who passes every message on. */
async function relayed(): Promise<Relayed> {
  const { attacker } = testKeys();
  const victim = await start({
    host: { signSecretKey: attacker.secretKey },
    controller: { hostKey: attacker.publicKey },
  });
  const target = await start({ controller: { native: { identity: { id: '555555555', ...attacker } } } });
  await Promise.all([victim.settled(), target.settled()]);
  const links = [victim.controller, victim.host, target.controller, target.host].map(({ link }) => link);
  const [controllerLink, toController, toHost, hostLink] = links as [
    SecuredLink,
    SecuredLink,
    SecuredLink,
    SecuredLink,
  ];
  const [fromController, fromHost]: hbb.Message[][] = [[], []];
  const all: Uint8Array[] = [];
  const pass = (from: SecuredLink, to: SecuredLink, seen: hbb.Message[] | undefined): void =>
    from.setHandlers({
      onFrame: (payload) => {
        all.push(payload);
        seen?.push(decodeMessage(payload));
        to.send(payload);
      },
      onClose: () => to.close(),
    });
  pass(toController, toHost, fromController);
  pass(toHost, toController, fromHost);
  const clock = new VirtualClock();
  const authenticator = new HostAuthenticator({
    clock,
    random: systemRandom,
    salt: SALT,
    permanentPassword: PASSWORD,
    approveMode: 'password',
  });
  const host = new HostSession({
    link: hostLink,
    native: hostLink.native && { ...hostLink.native, peer: null },
    clock,
    random: systemRandom,
    ownId: HOST_ID,
    authenticator,
    permissions: {
      keyboard: true,
      clipboard: true,
      audio: false,
      file: false,
      restart: false,
      recording: false,
      blockInput: false,
      privacyMode: false,
    },
    desktop: null,
    hostInfo: { hostname: 'h', username: 'u', platform: 'Linux' },
  });
  const controller = new ControllerSession({
    link: controllerLink,
    native: controllerLink.native,
    clock,
    random: systemRandom,
    peerId: HOST_ID,
    myId: CONTROLLER_ID,
    myName: 'c',
    platform: 'Linux',
    sessionId: 1n,
    password: PASSWORD,
    decoding: { vp8: true, vp9: true, av1: false, h264: false },
  });
  const done = new Promise<string>((resolve) => {
    controller.on('password-needed', ({ error }) => resolve(error.code));
    controller.on('closed', ({ error }) => resolve(error?.code ?? 'closed'));
    controller.on('opened', () => resolve('opened'));
  });
  controller.start();
  host.start();
  return {
    controller,
    host,
    fromController: fromController ?? [],
    fromHost: fromHost ?? [],
    seen: all,
    toController,
    toHost,
    done,
  };
}

test('PAKE relay: the login of one link is worth nothing on another', async () => {
  const { controller, host, done } = await relayed();
  expect(await done).toBe('LOGIN_WRONG_PASSWORD');
  expect([controller.open, host.open]).toEqual([false, false]);
});

test('the host knows him by his own key: the identity of the controller did not come along', async () => {
  const { attacker } = testKeys();
  const target = await start({ controller: { native: { identity: { id: '555555555', ...attacker } } } });
  await target.settled();
  expect(target.host.link?.native?.peer).toEqual({ id: '555555555', key: attacker.publicKey });
});

test('offline guessing: nothing that he has read tells a right password from a wrong one', async () => {
  const { fromController, fromHost, seen, toController, toHost, done } = await relayed();
  await done;
  const h1 = passwordHash(PASSWORD, SALT);
  const hash = fromHost.find(({ union }) => union === 'hash')?.hash;
  const request = fromController.find(({ union }) => union === 'loginRequest')?.loginRequest;
  const tags = request?.nativeTags ?? [];
  expect([
    request?.password?.length,
    request?.nativeShare?.length,
    hash?.nativeShares?.length,
    tags.length,
  ]).toEqual([0, 32, 3, 3]);
  // Neither what the password is kept as, nor the stock proof for the host's challenge, is in any message.
  for (const secret of [h1, passwordProof(h1, hash?.challenge ?? ''), Buffer.from(PASSWORD)])
    expect(seen.some((payload) => Buffer.from(payload).includes(Buffer.from(secret)))).toBe(false);
  // Trying the right password now, on either of his links, reproduces none of the tags.
  for (const link of [toController, toHost]) {
    if (!link.native) throw new Error('not native');
    const guess = new PasswordLoginHost(link.native, [h1, h1, h1], systemRandom);
    guess.receive(request?.nativeShare ?? new Uint8Array(), tags);
    expect(guess.proved(h1)).toBe(false);
  }
});

test('the same password never looks the same twice', async () => {
  const runs = [await relayed(), await relayed()];
  const parts: string[][] = [];
  for (const { done, fromController, fromHost } of runs) {
    await done;
    const request = fromController.find(({ union }) => union === 'loginRequest')?.loginRequest;
    const hash = fromHost.find(({ union }) => union === 'hash')?.hash;
    const bytes = [
      request?.nativeShare ?? new Uint8Array(),
      ...(request?.nativeTags ?? []),
      ...(hash?.nativeShares ?? []),
    ];
    parts.push(bytes.map((part) => Buffer.from(part).toString('hex')));
  }
  expect(parts.map((list) => new Set(list).size)).toEqual([7, 7]);
  expect(parts[0]?.some((part) => parts[1]?.includes(part))).toBe(false);
});
