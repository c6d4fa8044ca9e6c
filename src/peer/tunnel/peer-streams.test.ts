import { beforeAll, expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { initCrypto } from '../../core/crypto/index.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { type MemoryLink, memoryLinkPair } from '../../core/memory-link.ts';
import { Mux, type MuxStream } from '../../core/mux/index.ts';
import { ControllerSession, HostAuthenticator, HostSession } from '../../core/session/index.ts';
import type { SecuredLink } from '../../net/index.ts';
import type { Connected, ConnectOptions } from '../peer.ts';
import { LINK_WAIT_MS, LOGIN_TIMEOUT_MS, RETRY_FIRST_MS, STOCK_RELAY_MS } from './limits.ts';
import { PeerStreams, type PeerStreamsOptions } from './peer-streams.ts';

const WEB = { kind: 'tcp', host: 'web', port: 80 } as const;
const never = new AbortController().signal;

beforeAll(() => initCrypto());

/** A peer that is there or not, with real sessions over links in memory. */
function world(options: Partial<PeerStreamsOptions> = {}, streams = true) {
  const clock = new VirtualClock();
  const random = (count: number): Uint8Array => new Uint8Array(count).fill(7);
  const authenticator = new HostAuthenticator({ clock, random, salt: 'salty1' });
  const offered: MuxStream[] = [];
  const links: MemoryLink[] = [];
  const state = { reachable: true, connects: 0, states: [] as string[] };
  const connect = async (target: string, { kind, password, signal, onRawMode }: ConnectOptions): Promise<Connected> => {
    state.connects++;
    signal.throwIfAborted();
    if (!state.reachable) throw new LiteDeskError({ code: 'PEER_OFFLINE', stage: 'lookup', message: 'away', hint: '' });
    const [near, far] = memoryLinkPair();
    near.auto = false;
    far.auto = false;
    links.push(near, far);
    const common = { clock, random };
    const host: HostSession = new HostSession({
      ...common,
      link: far,
      ownId: target,
      authenticator,
      permissions: PERMISSIONS,
      desktop: null,
      hostInfo: { hostname: 'h', username: 'u', platform: 'Linux' },
      streams,
    });
    host.on('opened', () => new Mux({ link: far, clock, role: 'accepting', onStream: (stream) => offered.push(stream) }));
    const session = new ControllerSession({
      ...common,
      link: near,
      peerId: target,
      myId: '1',
      myName: 'n',
      platform: 'Linux',
      sessionId: 1n,
      decoding: { vp8: true, vp9: true, av1: true, h264: true },
      ...(kind ? { kind } : {}),
      ...(password === undefined ? {} : { password }),
      ...(onRawMode ? { onRawMode } : {}),
    });
    host.start();
    return {
      session,
      link: near,
      // Only tunnels of stock peers ask for it.
      firstLink: near as unknown as SecuredLink,
      paths: [],
      onPathChange: () => () => {},
    onSearching: () => () => {},
      peerId: target,
      path: 'lan',
      localAddress: '',
      remoteAddress: '',
      encrypted: true,
      peerVerified: true,
      elapsedMs: 0,
      attempts: [],
    };
  };
  const made = new PeerStreams({ peer: { connect }, target: '123', password: authenticator.oneTimePassword, clock, ...options });
  made.on('state', ({ state: name }) => state.states.push(name));
  return { clock, made, state, offered, links };
}

const PERMISSIONS = {
  keyboard: false,
  clipboard: false,
  audio: false,
  file: false,
  restart: false,
  recording: true,
  blockInput: false,
  privacyMode: false,
};

/** Lets promises settle and what was sent arrive: a mux sends at the end of a turn. */
async function settle(links: readonly MemoryLink[] = []): Promise<void> {
  for (let turn = 0; turn < 40; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    for (const link of links) link.flush();
  }
}

test('streams that are asked for while it connects are opened when it has', async () => {
  const { made, offered, links } = world();
  made.start();
  const opening = made.open(WEB, never);
  await settle(links);
  (await opening)?.write(new Uint8Array([1]));
  await settle(links);
  expect(offered).toHaveLength(1);
  expect(made.state.state).toBe('open');
  made.close();
});

test('a link that breaks is restored with growing pauses; old streams are reset, new ones wait', async () => {
  const { made, clock, links, state } = world();
  made.start();
  const opening = made.open(WEB, never);
  await settle(links);
  const old = await opening;
  state.reachable = false;
  links[0]?.destroy(new Error('cable'));
  await settle();
  expect(old?.closed?.error).toMatchObject({ code: 'link-lost' });
  expect(made.state).toMatchObject({ state: 'waiting', retryInMs: RETRY_FIRST_MS });
  const waits = made.open(WEB, never);
  clock.advance(RETRY_FIRST_MS);
  await settle();
  expect(made.state).toMatchObject({ state: 'waiting', retryInMs: 2 * RETRY_FIRST_MS, error: { code: 'PEER_OFFLINE' } });
  state.reachable = true;
  clock.advance(2 * RETRY_FIRST_MS);
  await settle(links);
  expect((await waits)?.closed).toBeNull();
  expect(made.state.state).toBe('open');
  made.close();
  expect(clock.pending).toBe(0);
});

test('who waits too long for a link is told why there is none', async () => {
  const { made, clock, state } = world({ persistent: true });
  state.reachable = false;
  made.start();
  const failed = made.open(WEB, never).catch((error: unknown) => error);
  for (let passed = 0; passed <= LINK_WAIT_MS; passed += 500) {
    clock.advance(500);
    await settle();
  }
  expect(await failed).toMatchObject({ code: 'TUNNEL_LINK_DOWN', message: expect.stringContaining('away') });
  made.close();
});

test('a first attempt that fails is final for a command, not for a service', async () => {
  const once = world();
  once.state.reachable = false;
  once.made.start();
  await expect(once.made.open(WEB, never)).rejects.toMatchObject({ code: 'PEER_OFFLINE' });
  expect(once.made.state).toMatchObject({ state: 'closed', error: { code: 'PEER_OFFLINE' } });
  await expect(once.made.open(WEB, never)).rejects.toMatchObject({ code: 'PEER_OFFLINE' });
});

test('a wrong password is final for everybody', async () => {
  const { made, clock, links } = world({ password: 'wrong', persistent: true });
  made.start();
  const opening = expect(made.open(WEB, never)).rejects.toMatchObject({ code: 'LOGIN_WRONG_PASSWORD' });
  await settle(links);
  await opening;
  expect(clock.pending).toBe(0);
});

test('where nobody answers without a password, nobody is asked again', async () => {
  const { made, clock, links, state } = world({ password: '', persistent: true });
  made.start();
  for (let passed = 0; passed <= LOGIN_TIMEOUT_MS; passed += 500) {
    await settle(links);
    clock.advance(500);
  }
  await settle(links);
  expect(made.state).toMatchObject({ state: 'closed', error: { hint: expect.stringContaining('password') } });
  expect([state.connects, clock.pending]).toEqual([1, 0]);
});

test('a login that a stock peer refuses is not tried for the next connection; a place that it cannot reach is', async () => {
  const { made, links } = world({ persistent: true }, false);
  made.start();
  await settle(links);
  made.stockFailed({ code: 'LOGIN_REFUSED', stage: 'login', message: 'Failed to access', hint: '' });
  expect(made.state.state).toBe('stock');
  made.stockFailed({ code: 'LOGIN_WRONG_PASSWORD', stage: 'login', message: 'wrong', hint: '' });
  expect(made.state).toMatchObject({ state: 'closed', error: { code: 'LOGIN_WRONG_PASSWORD' } });
});

test('where a stock peer is reached by the relay only, its next connections do not look for another way, for a while', () => {
  const { made, clock } = world();
  made.stockConnected({ path: 'udp' });
  expect(made.stockPath).toBe('auto');
  made.stockConnected({ path: 'relay' });
  clock.advance(STOCK_RELAY_MS - 1);
  made.stockConnected({ path: 'relay' });
  expect(made.stockPath).toBe('relay');
  clock.advance(1);
  expect(made.stockPath).toBe('auto');
});

test('a stock peer has no streams, and is not asked for them again', async () => {
  const { made, state, links } = world({}, false);
  made.start();
  const opening = made.open(WEB, never);
  await settle(links);
  expect(await opening).toBeNull();
  expect(await made.open(WEB, never)).toBeNull();
  expect([made.state.state, state.connects]).toEqual(['stock', 1]);
  made.close();
});

test('who stops waiting, and who closes meanwhile, leaves nothing behind', async () => {
  const { made, state, clock } = world({ persistent: true });
  state.reachable = false;
  made.start();
  const abort = new AbortController();
  const waits = made.open(WEB, abort.signal);
  abort.abort(new Error('enough'));
  await expect(waits).rejects.toThrow('enough');
  const closed = made.open(WEB, never);
  made.close();
  await expect(closed).rejects.toMatchObject({ code: 'TUNNEL_LINK_LOST' });
  await settle();
  expect(clock.pending).toBe(0);
});
