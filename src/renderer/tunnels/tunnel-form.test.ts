import { describe, expect, test } from 'vitest';
import type { TunnelEntry } from '../../shared/tunnels-state.ts';
import { checkTunnel, formOfTunnel, type TunnelForm, withKind } from './tunnel-form.ts';

const form = (change: Partial<TunnelForm>): TunnelForm => ({ ...formOfTunnel(null), ...change });
const check = (change: Partial<TunnelForm>, others: readonly TunnelEntry[] = []) => checkTunnel(form(change), 't1', true, others);
const tunnelOf = (change: Partial<TunnelForm>) => {
  const checked = check(change);
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  return checked.value;
};

describe('the form of a tunnel', () => {
  test('makes the tunnel that was typed', () => {
    expect(tunnelOf({ peer: '123 456-789', port: ' 80 ', listenPort: '', host: ' nas ' }).tunnel).toEqual({
      id: 't1',
      run: true,
      name: '',
      kind: 'tcp',
      peer: '123456789',
      listenOn: 'this-computer',
      listenPort: 0,
      host: 'nas',
      port: 80,
    });
  });

  test('comes back as it was', () => {
    const all: Partial<TunnelForm>[] = [
      { peer: '1', port: '80', listenPort: '8080', listenOn: 'network' },
      { kind: 'proxy', peer: '1', user: 'me', proxyPassword: 'x' },
      { kind: 'publish', protocol: 'http', port: '80', publicHost: 'files.example.org' },
      {
        ...{ kind: 'publish', protocol: 'http', port: '80', publicHost: 'a.example', user: 'me', proxyPassword: 'x' },
        ...{ more: '10.0.0.5:8000, [fd00::1]:8000', allow: '203.0.113.0/24, fd00::/8', health: 'page', healthPath: '/ok', maxConnections: '50', bandwidthMbps: '2,5' },
      },
      { kind: 'publish', protocol: 'udp', port: '27015', publicPort: '30000' },
    ];
    for (const change of all) {
      const { tunnel } = tunnelOf(change);
      const own = { tunnel, hasProxyPassword: true } as unknown as TunnelEntry;
      expect(checkTunnel(formOfTunnel(tunnel), 't1', true, [own])).toMatchObject({ ok: true, value: { tunnel } });
    }
  });

  test('says which fields are wrong', () => {
    expect(check({ peer: '', port: '0', host: 'http://nas', listenPort: 'x' })).toEqual({
      ok: false,
      problems: {
        peer: 'tunnels.invalid.peer',
        port: 'tunnels.invalid.port',
        host: 'tunnels.invalid.host',
        listenPort: 'tunnels.invalid.port',
      },
    });
    expect(check({ kind: 'publish', protocol: 'https', port: '443' })).toMatchObject({
      problems: { publicHost: 'tunnels.invalid.publicHost' },
    });
    expect(check({ kind: 'proxy', peer: '1', proxyPassword: 'x' })).toMatchObject({ problems: { user: 'tunnels.invalid.user' } });
    expect(check({ kind: 'proxy', peer: '1', user: 'me' })).toMatchObject({ problems: { proxyPassword: 'tunnels.invalid.password' } });
    const web = { kind: 'publish', protocol: 'http', port: '80', publicHost: 'a.example' } as const;
    const wrong = { more: 'somewhere', allow: '10.0.0.0/33', health: 'page', healthPath: 'no slash', maxConnections: '-1', bandwidthMbps: 'much' } as const;
    expect(check({ ...web, ...wrong, user: 'a:b', proxyPassword: 'x' })).toEqual({
      ok: false,
      problems: {
        ...{ more: 'tunnels.invalid.more', allow: 'tunnels.invalid.allow', healthPath: 'tunnels.invalid.healthPath' },
        ...{ maxConnections: 'tunnels.invalid.number', bandwidthMbps: 'tunnels.invalid.number', user: 'tunnels.invalid.userName' },
      },
    });
    expect(check({ ...web, allow: 'nas.example' })).toMatchObject({ problems: { allow: 'tunnels.invalid.allow' } });
  });

  test('does not listen twice on a port, except once for TCP and once for UDP', () => {
    const { tunnel } = tunnelOf({ peer: '1', port: '80', listenPort: '8080' });
    const others = [{ tunnel: { ...tunnel, id: 't2' } }] as unknown as TunnelEntry[];
    const again = { peer: '2', port: '81', listenPort: '8080' };
    expect(check(again, others)).toEqual({ ok: false, problems: { listenPort: 'tunnels.invalid.portUsed' } });
    expect(check({ ...again, kind: 'udp' }, others).ok).toBe(true);
    expect(check({ ...again, listenPort: '' }, others).ok).toBe(true);
  });

  test('gives only the secrets that were typed for this kind', () => {
    expect(tunnelOf({ peer: '1', port: '80', peerPassword: 'a', proxyPassword: 'b' }).secrets).toEqual({ peerPassword: 'a' });
    expect(tunnelOf({ kind: 'proxy', peer: '1', user: 'u', proxyPassword: 'b' }).secrets).toEqual({ proxyPassword: 'b' });
  });

  test('suggests the usual port of a kind until another one was typed', () => {
    expect(withKind(form({}), 'rdp').port).toBe('3389');
    expect(withKind(withKind(form({}), 'rdp'), 'vnc').port).toBe('5900');
    expect(withKind(withKind(form({}), 'rdp'), 'tcp').port).toBe('');
    expect(withKind(form({ port: '3390' }), 'rdp').port).toBe('3390');
  });
});
