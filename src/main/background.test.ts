import { describe, expect, test } from 'vitest';
import { Emitter } from '../core/emitter.ts';
import { Background, type BackgroundOptions } from './background.ts';
import type { TrayAction, TrayState } from './tray-menu.ts';

class FakePeer extends Emitter<{ changed: void }> {
  id = '123456789';
  server: object | null = { host: 'desk.example.org' };
  settings = { language: 'en', directAccess: false, shareEnabled: true };
  registration = { state: 'ready' };
  incoming = [{ sessionId: 's1', state: 'open', peerName: 'Anna', peerId: '7', remoteAddress: '' }];
  get sharing(): boolean {
    return this.settings.shareEnabled;
  }
  async changeSettings(change: object): Promise<void> {
    Object.assign(this.settings, change);
  }
  closeIncoming(sessionId: string): void {
    this.incoming = this.incoming.filter((entry) => entry.sessionId !== sessionId);
  }
}

function setUp(change: { sharing?: boolean; server?: null; tunnels?: number; hosting?: boolean } = {}) {
  const peer = new FakePeer();
  peer.settings.shareEnabled = change.sharing ?? true;
  if (change.server === null) peer.server = null;
  const tunnels = Object.assign(new Emitter<{ changed: void }>(), { running: change.tunnels ?? 0 });
  const log: string[] = [];
  const states: TrayState[] = [];
  let act: (action: TrayAction) => void = () => {};
  const background = new Background({
    peer,
    tunnels,
    hostedServer: { state: change.hosting ? {} : null, onChange: () => () => {} },
    showHome: () => log.push('home'),
    quit: () => log.push('quit'),
    makeTray: (onAction: (action: TrayAction) => void) => {
      act = onAction;
      return { update: (state: TrayState) => states.push(state), sayItStays: () => log.push('stays'), close: () => log.push('closed') };
    },
  } as unknown as BackgroundOptions);
  return { background, peer, log, states, act: (action: TrayAction) => act(action) };
}

describe('when the last window closes', () => {
  test.each([
    ['is shared', {}, 'stays'],
    ['is not shared', { sharing: false }, 'quit'],
    ['is shared and has no server', { server: null }, 'quit'],
    ['has tunnels', { sharing: false, tunnels: 1 }, 'stays'],
    ['hosts a server', { sharing: false, hosting: true }, 'stays'],
  ] as const)('a computer that %s: %j → %s', (_what, change, said) => {
    const { background, log } = setUp(change);
    background.lastWindowClosed();
    expect(log).toEqual([said]);
    background.close();
  });
});

test('the menu does what it says', () => {
  const { background, peer, log, states, act } = setUp();
  expect(states).toMatchObject([{ id: '123456789', sharing: true, controlledBy: ['Anna'] }]);
  act('open');
  act('unshare');
  expect(peer.sharing).toBe(false);
  act('share');
  expect(peer.sharing).toBe(true);
  act('disconnect');
  expect(peer.incoming).toEqual([]);
  act('quit');
  background.close();
  expect(log).toEqual(['home', 'quit', 'closed']);
});
