import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import type { ControllerSession, ControllerSessionEvents } from '../core/session/index.ts';
import { handshakeErrors } from '../net/handshake-errors.ts';
import { idNotFound, peerSilent } from './errors.ts';
import type { Connected, ConnectOptions } from './peer.ts';
import { RemoteSession, type RemoteSessionOptions } from './remote-session.ts';

class FakeSession extends Emitter<ControllerSessionEvents> {
  readonly h1 = new Uint8Array(32).fill(5);
  readonly permissions = { keyboard: true };
  readonly codes: string[] = [];
  started = false;
  switchDisplay(display: number): void {
    this.codes.push(`display ${display}`);
  }
  sendTwoFactor(code: string): void {
    this.codes.push(code);
  }
  start(): void {
    this.started = true;
  }
  close(): void {
    this.say('closed', { reason: '', retry: false });
  }
  say<K extends keyof ControllerSessionEvents>(name: K, event: ControllerSessionEvents[K]): void {
    this.emit(name, event);
  }
}

const LOGIN_ERROR = { code: 'X', stage: 'login', message: '', hint: '' } as const;
const INFO = {
  username: 'u',
  hostname: 'desk',
  platform: 'Linux',
  version: '1.4.5',
  displays: [],
  currentDisplay: 0,
  sasEnabled: false,
  encoding: [],
};

function setUp() {
  const clock = new VirtualClock();
  const sessions: FakeSession[] = [];
  const answers: (Error | null)[] = [];
  const pinned: string[] = [];
  let search: (searching: boolean) => void = () => {};
  const onSearching = (listener: typeof search): (() => void) => {
    search = listener;
    return () => {};
  };
  let progress: ConnectOptions['onProgress'];
  const remembered: { id: string; passwordHash?: string }[] = [];
  const peer = {
    settings: { recentPeers: [], plaintextPeers: [] },
    server: { host: 'desk.example.org', port: 21_116, key: '' },
    pins: {
      replaceHostKey: (server: string, id: string, key: Uint8Array) =>
        pinned.push(`${server} ${id} ${Buffer.from(key).toString('base64')}`),
      allowOlderLink: (id: string) => pinned.push(`${id} may be older`),
    },
    rememberPeer: (entry: { id: string; passwordHash?: string }) => remembered.push(entry),
    changeSettings: () => Promise.resolve(),
    connect: (_target: string, options: ConnectOptions) => {
      progress = options.onProgress;
      const error = answers.shift() ?? null;
      if (error) return Promise.reject(error);
      const session = new FakeSession();
      sessions.push(session);
      const connected = { session: session as unknown as ControllerSession, peerId: '123456789', path: 'udp', encrypted: true, peerVerified: true, onSearching };
      return Promise.resolve(connected as unknown as Connected);
    },
  } as unknown as RemoteSessionOptions['peer'];
  const remote = new RemoteSession({ peer, target: '123456789', clock });
  const states: string[] = [];
  remote.on('state', (state) => states.push(state.state));
  const settle = async (): Promise<void> => {
    for (let n = 0; n < 5; n++) await Promise.resolve();
  };
  const last = (): FakeSession => {
    const session = sessions.at(-1);
    if (!session) throw new Error('there is no session');
    return session;
  };
  const codes = (): string[] => last().codes;
  return { clock, remote, states, sessions, answers, pinned, codes, remembered, settle, last, progress: () => progress, search: (searching: boolean) => search(searching) };
}

describe('RemoteSession', () => {
  it('connects, logs in and remembers the peer', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    expect(t.last().started).toBe(true);
    t.last().say('opened', INFO);
    expect(t.remote.state).toMatchObject({ state: 'open', info: { hostname: 'desk', path: 'udp', encrypted: true } });
    t.clock.advance(1_000);
    expect(t.remembered).toEqual([{ id: '123456789', name: 'desk', platform: 'Linux' }]);
    t.remote.close();
    expect(t.remembered).toHaveLength(1);
  });

  it('remembers the peer of a session that ended at once', async () => {
    for (const end of ['window', 'peer']) {
      const t = setUp();
      t.remote.start();
      await t.settle();
      t.last().say('opened', INFO);
      if (end === 'window') t.remote.close();
      else t.last().say('closed', { reason: 'Closed manually by the peer', retry: false });
      expect(t.remembered).toHaveLength(1);
      expect(t.clock.pending).toBe(0);
    }
  });

  it('comes back by itself after the link broke, with doubling pauses', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    t.last().say('opened', INFO);
    t.answers.push(peerSilent('123456789', 9_000), null);
    t.last().say('closed', { reason: 'reset', retry: true });
    expect(t.remote.state).toMatchObject({ state: 'reconnecting', retryInMs: 1_000 });
    t.clock.advance(1_000);
    await t.settle();
    expect(t.remote.state).toMatchObject({ state: 'reconnecting', retryInMs: 2_000 });
    t.clock.advance(2_000);
    await t.settle();
    t.last().say('opened', INFO);
    expect(t.remote.state.state).toBe('open');
    expect(t.sessions).toHaveLength(2);
  });

  it('does not come back when the other side closed it by hand', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    t.last().say('opened', INFO);
    t.last().say('closed', { reason: 'Closed manually by the peer', retry: false });
    expect(t.remote.state).toMatchObject({ state: 'closed', reason: 'Closed manually by the peer' });
    expect(t.clock.pending).toBe(0);
  });

  it('shows why a first connection failed and does not repeat it', async () => {
    const t = setUp();
    t.answers.push(idNotFound('123456789'));
    t.remote.start();
    await t.settle();
    expect(t.remote.state).toMatchObject({ state: 'closed', error: { code: 'ID_NOT_FOUND' } });
    expect(t.clock.pending).toBe(0);
  });

  it('does not let the search for further paths cover what the host asks for', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    t.last().say('password-needed', { reason: 'required', message: '', error: LOGIN_ERROR });
    t.progress()?.({ step: 'handshake', detail: '203.0.113.7:1' });
    expect(t.remote.state).toMatchObject({ state: 'password', reason: 'required' });
  });

  it('asks for the code of a second factor and sends it', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    t.last().say('password-needed', { reason: '2fa', message: '', error: LOGIN_ERROR });
    expect(t.remote.state).toMatchObject({ state: 'password', reason: 'two-factor' });
    t.remote.giveCode('123456');
    expect(t.codes()).toEqual(['123456']);
  });

  it('shows both keys of a computer that has another one, and trusts exactly the one that was shown', async () => {
    const t = setUp();
    const offered = new Uint8Array(32).fill(2);
    t.answers.push(handshakeErrors.keyChanged('123456789', new Uint8Array(32).fill(1), offered));
    t.remote.start();
    await t.settle();
    const print = expect.stringMatching(/^([0-9A-F]{4}-){3}[0-9A-F]{4}$/);
    expect(t.remote.state).toMatchObject({ state: 'key-question', known: print, offered: print, error: { code: 'HANDSHAKE_KEY_CHANGED' } });
    t.remote.trustKey();
    t.remote.trustKey();
    await t.settle();
    expect(t.pinned).toEqual([`desk.example.org 123456789 ${Buffer.from(offered).toString('base64')}`]);
    expect(t.last().started).toBe(true);
  });

  it('asks before it takes less protection than before', async () => {
    const t = setUp();
    t.answers.push(handshakeErrors.nativeWithheld('123456789'));
    t.remote.start();
    await t.settle();
    expect(t.remote.state).toMatchObject({ state: 'key-question', offered: '' });
    t.remote.trustKey();
    expect(t.pinned).toEqual(['123456789 may be older']);
  });

  it('says that nothing comes through, and goes on when something does', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    t.last().say('opened', INFO);
    t.search(true);
    t.search(false);
    t.clock.advance(5_000);
    expect(t.remote.state.state).toBe('open');
    t.search(true);
    t.clock.advance(1_000);
    expect(t.remote.state).toMatchObject({ state: 'reconnecting', error: { code: 'SESSION_SILENT' } });
    t.search(false);
    expect(t.remote.state).toMatchObject({ state: 'open', info: { hostname: 'desk' } });
    expect(t.clock.pending).toBe(0);
    t.search(true);
    t.last().say('closed', { reason: 'Closed manually by the peer', retry: false });
    expect(t.remote.state.state).toBe('closed');
    expect(t.clock.pending).toBe(0);
  });

  it('tells which monitor is shown, and how they change', async () => {
    const t = setUp();
    const monitor = (x: number) => ({ x, y: 0, width: 100, height: 80, name: '', scale: 1, cursorEmbedded: false });
    t.remote.start();
    await t.settle();
    t.last().say('opened', { ...INFO, displays: [monitor(0), monitor(100)] });
    t.remote.switchDisplay(1);
    t.remote.switchDisplay(2);
    expect(t.codes()).toEqual(['display 1']);
    expect(t.remote.state).toMatchObject({ info: { currentDisplay: 1 } });
    t.last().say('geometry', { display: 1, geometry: { ...monitor(100), width: 50 } });
    expect(t.remote.state).toMatchObject({ info: { currentDisplay: 1, displays: [{ width: 100 }, { width: 50 }] } });
    t.last().say('displays', [monitor(0)]);
    expect(t.remote.state).toMatchObject({ info: { displays: [{ x: 0 }] } });
  });

  it('gives up after a time', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    t.last().say('opened', INFO);
    for (let n = 0; n < 60; n++) t.answers.push(peerSilent('123456789', 9_000));
    t.last().say('closed', { reason: '', retry: true });
    for (let n = 0; n < 60 && t.remote.state.state === 'reconnecting'; n++) {
      t.clock.advance(20_000);
      await t.settle();
    }
    expect(t.remote.state).toMatchObject({ state: 'closed', error: { code: 'PEER_NO_ANSWER' } });
  });

  it('leaves no timer behind when it is closed', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    t.last().say('opened', INFO);
    t.last().say('closed', { reason: '', retry: true });
    t.remote.close();
    expect(t.clock.pending).toBe(0);
    expect(t.remote.state.state).toBe('closed');
  });
});
