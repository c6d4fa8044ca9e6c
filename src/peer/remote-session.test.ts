import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import type { ControllerSession, ControllerSessionEvents } from '../core/session/index.ts';
import { idNotFound, peerSilent } from './errors.ts';
import type { Connected, Peer } from './peer.ts';
import { RemoteSession } from './remote-session.ts';

class FakeSession extends Emitter<ControllerSessionEvents> {
  readonly h1 = new Uint8Array(32).fill(5);
  readonly permissions = { keyboard: true };
  started = false;
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
  const remembered: { id: string; passwordHash?: string }[] = [];
  const peer = {
    settings: { recentPeers: [], plaintextPeers: [] },
    rememberPeer: (entry: { id: string; passwordHash?: string }) => remembered.push(entry),
    changeSettings: () => Promise.resolve(),
    connect: () => {
      const error = answers.shift() ?? null;
      if (error) return Promise.reject(error);
      const session = new FakeSession();
      sessions.push(session);
      const connected = { session: session as unknown as ControllerSession, peerId: '123456789', path: 'udp', encrypted: true, peerVerified: true };
      return Promise.resolve(connected as unknown as Connected);
    },
  } as unknown as Pick<Peer, 'connect' | 'settings' | 'rememberPeer' | 'changeSettings'>;
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
  return { clock, remote, states, sessions, answers, remembered, settle, last };
}

describe('RemoteSession', () => {
  it('connects, logs in and remembers the peer', async () => {
    const t = setUp();
    t.remote.start();
    await t.settle();
    expect(t.last().started).toBe(true);
    t.last().say('opened', INFO);
    expect(t.remote.state).toMatchObject({ state: 'open', info: { hostname: 'desk', path: 'udp', encrypted: true } });
    expect(t.remembered).toEqual([{ id: '123456789', name: 'desk', platform: 'Linux' }]);
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
