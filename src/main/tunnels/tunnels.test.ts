import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import type { AccessRule, ForwardTunnel } from '../../shared/tunnels.ts';
import type { RunningStatus, RunningTunnel, TunnelEngine } from './engine.ts';
import { STOPPED } from './engine.ts';
import type { StoredTunnel, TunnelStore } from './tunnels.ts';
import { Tunnels } from './tunnels.ts';

const WEB: ForwardTunnel = {
  id: 'web',
  name: 'Web',
  run: true,
  kind: 'tcp',
  peer: '123456789',
  listenOn: 'this-computer',
  listenPort: 8080,
  host: 'localhost',
  port: 80,
};
const RULE: AccessRule = { id: 'r1', peer: '', kind: 'tcp', host: 'nas', firstPort: 22, lastPort: 22 };

class FakeStore implements TunnelStore {
  tunnels: readonly StoredTunnel[] = [];
  rules: readonly AccessRule[] = [];
  change(change: { tunnels?: StoredTunnel[]; rules?: AccessRule[] }): void {
    Object.assign(this, change);
  }
}

function setUp(...stored: StoredTunnel[]) {
  const clock = new VirtualClock();
  const store = new FakeStore();
  store.tunnels = stored;
  const log: string[] = [];
  const status: RunningStatus & { bytesIn: number } = { ...STOPPED, phase: 'ready', address: '127.0.0.1:8080', bytesIn: 0 };
  const engine: TunnelEngine = {
    start: (tunnel, secrets): RunningTunnel => {
      log.push(`start ${tunnel.id} ${JSON.stringify(secrets)}`);
      return {
        status,
        stop: async () => {
          await Promise.resolve();
          log.push(`stop ${tunnel.id}`);
        },
      };
    },
    setRules: (rules) => log.push(`rules ${rules.map(({ id }) => id).join()}`),
  };
  const tunnels = new Tunnels({ store, engine, clock, viewers: { rdp: false, vnc: false } });
  return { clock, store, log, status, tunnels };
}

describe('the tunnels of a computer', () => {
  it('come up with the app where they are to run', async () => {
    const { tunnels, log, clock } = setUp({ ...WEB, secrets: {} }, { ...WEB, id: 'off', run: false, secrets: {} });
    tunnels.start();
    expect(log).toEqual(['rules ', 'start web {}']);
    expect(tunnels.state.tunnels.map(({ status }) => status.phase)).toEqual(['ready', 'stopped']);
    await tunnels.stop();
    expect(log.at(-1)).toBe('stop web');
    expect(clock.pending).toBe(0);
  });

  it('are stopped before they start with another definition', async () => {
    const { tunnels, log } = setUp({ ...WEB, secrets: { peerPassword: 'old' } });
    tunnels.start();
    await Promise.all([tunnels.save({ ...WEB, listenPort: 8081 }, {}), tunnels.run('web', false), tunnels.run('web', true)]);
    expect(log.slice(1)).toEqual(['start web {"peerPassword":"old"}', ...Array(2).fill(['stop web', 'start web {"peerPassword":"old"}']).flat()]);
    await tunnels.stop();
  });

  it('forget the password of a computer that they do not lead to any more', async () => {
    const { tunnels, store } = setUp({ ...WEB, run: false, secrets: { peerPassword: 'old' } });
    await tunnels.save({ ...WEB, run: false, peer: '987654321' }, {});
    expect(store.tunnels[0]?.secrets).toEqual({});
  });

  it('keep no password that let us in, only its hash', async () => {
    const { tunnels, store } = setUp({ ...WEB, secrets: { peerPassword: 'hush' } }, { ...WEB, id: 'other', peer: '7', secrets: {} });
    tunnels.signedIn(WEB.peer, 'abcd');
    expect(store.tunnels.map(({ secrets }) => secrets)).toEqual([{ peerPasswordHash: 'abcd' }, {}]);
  });

  it('never show a secret', async () => {
    const { tunnels } = setUp({ ...WEB, secrets: { peerPassword: 'hush' } });
    expect(JSON.stringify(tunnels.state)).not.toContain('hush');
  });

  it('can be brought back to their place after they were removed', async () => {
    const { tunnels, store, log } = setUp({ ...WEB, id: 'a', secrets: {} }, { ...WEB, id: 'b', secrets: {} });
    tunnels.start();
    await tunnels.remove('a');
    expect(store.tunnels.map(({ id }) => id)).toEqual(['b']);
    expect(log.at(-1)).toBe('stop a');
    await tunnels.restore('a');
    expect(store.tunnels.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(log.at(-1)).toBe('start a {}');
    await expect(tunnels.restore('a')).rejects.toMatchObject({ code: 'TUNNEL_UNKNOWN' });
    await tunnels.stop();
  });

  it('have rates once a second', async () => {
    const { tunnels, clock, status } = setUp({ ...WEB, secrets: {} });
    tunnels.start();
    for (const bytesIn of [0, 1_000, 4_000]) {
      status.bytesIn = bytesIn;
      clock.advance(1_000);
    }
    expect(tunnels.state.tunnels[0]?.status.rates.inBps).toEqual([1_000, 3_000]);
    await tunnels.stop();
  });

  it('brings rules into force as they change', () => {
    const { tunnels, log } = setUp();
    tunnels.saveRule(RULE);
    tunnels.saveRule({ ...RULE, id: 'r2' });
    tunnels.saveRule({ ...RULE, lastPort: 23 });
    tunnels.removeRule('r2');
    expect(log).toEqual(['rules r1', 'rules r1,r2', 'rules r1,r2', 'rules r1']);
    expect(tunnels.state.rules).toEqual([{ ...RULE, lastPort: 23 }]);
  });

  it('has an address for a viewer while it is up', async () => {
    const { tunnels } = setUp({ ...WEB, kind: 'vnc', run: false, secrets: {} });
    expect(() => tunnels.viewerOf('web')).toThrow(expect.objectContaining({ code: 'TUNNEL_NOT_READY' }));
    await tunnels.run('web', true);
    expect(tunnels.viewerOf('web')).toEqual({ kind: 'vnc', address: '127.0.0.1:8080' });
    await tunnels.stop();
  });
});
