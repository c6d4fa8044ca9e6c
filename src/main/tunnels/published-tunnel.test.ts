import { expect, test } from 'vitest';
import { Emitter } from '../../core/emitter.ts';
import { Connections } from '../../peer/tunnel/connections.ts';
import type { PublisherEvents } from '../../peer/publish/publisher.ts';
import type { ServiceSpec } from '../../peer/publish/service-spec.ts';
import { type PublishTunnel, publishSchema } from '../../shared/tunnels.ts';
import { PublishedTunnels, serviceOf } from './published-tunnel.ts';

class FakePublisher extends Emitter<PublisherEvents> {
  running = false;
  readonly services = new Map<string, Connections>();
  start(): void {
    this.running = true;
  }
  async stop(): Promise<void> {
    this.running = false;
  }
  add({ name }: ServiceSpec): void {
    this.services.set(name, new Connections());
  }
  remove(name: string): void {
    this.services.delete(name);
  }
  connections(name: string): Connections | null {
    return this.services.get(name) ?? null;
  }
  say<K extends keyof PublisherEvents>(name: K, event: PublisherEvents[K]): void {
    this.emit(name, event);
  }
}

/** As settings of an earlier version have it. */
const WEB: PublishTunnel = publishSchema.parse({
  ...{ id: '0123456789ab', name: '', run: true, kind: 'publish', protocol: 'http' },
  ...{ host: 'localhost', port: 3000, publicPort: 0, publicHost: 'files.example.org' },
});
const GAME: PublishTunnel = { ...WEB, id: '987654321', protocol: 'udp', publicHost: '' };

function world() {
  const made: FakePublisher[] = [];
  const tunnels = new PublishedTunnels(() => {
    made.push(new FakePublisher());
    return made[made.length - 1] as FakePublisher;
  });
  return { made, tunnels };
}

test('says where it is found, and why it is not', () => {
  const { made, tunnels } = world();
  let changes = 0;
  const web = tunnels.start(serviceOf(WEB), () => changes++);
  const game = tunnels.start(serviceOf(GAME), () => {});
  const [publisher] = made;
  const { name } = serviceOf(WEB);
  expect(web.status.phase).toBe('starting');
  publisher?.say('published', { name, kind: 'http', address: '203.0.113.10', port: 80, url: 'http://files.example.org/' });
  expect(web.status).toMatchObject({ phase: 'ready', address: 'http://files.example.org/' });
  expect(game.status.phase).toBe('starting');
  publisher?.say('published', { name: serviceOf(GAME).name, kind: 'udp', address: '203.0.113.10', port: 30_000, url: 'udp://203.0.113.10:30000' });
  expect(game.status.address).toBe('203.0.113.10:30000');
  publisher?.say('health', { name, healthy: false });
  expect(web.status).toMatchObject({ phase: 'ready', error: { code: 'PUBLISH_UNHEALTHY' } });
  publisher?.say('health', { name, healthy: true });
  expect(web.status.error).toBeNull();
  publisher?.say('unpublished', { name, reason: 'host-taken', message: 'Another computer publishes under this host name.' });
  expect(web.status).toMatchObject({ phase: 'failed', address: '', error: { message: 'Another computer publishes under this host name.' } });
  expect(changes).toBe(4);
});

test('all go over one connection, which ends with the last', async () => {
  const { made, tunnels } = world();
  const web = tunnels.start(serviceOf(WEB), () => {});
  const game = tunnels.start(serviceOf(GAME), () => {});
  const [publisher] = made;
  expect([...(publisher?.services.keys() ?? [])]).toEqual([serviceOf(WEB).name, serviceOf(GAME).name]);
  await web.stop();
  expect(publisher?.running).toBe(true);
  await game.stop();
  expect(publisher?.running).toBe(false);
  await tunnels.start(serviceOf(WEB), () => {}).stop();
  expect(made).toHaveLength(2);
});

test('counts what comes', () => {
  const { made, tunnels } = world();
  const web = tunnels.start(serviceOf(WEB), () => {});
  const end = made[0]?.connections(serviceOf(WEB).name)?.add('192.0.2.1:5', 'web', () => ({ bytesIn: 10, bytesOut: 2_000 }));
  expect(web.status).toMatchObject({ streams: 1, streamsTotal: 1, bytesIn: 10, bytesOut: 2_000 });
  end?.(false);
  expect(web.status).toMatchObject({ streams: 0, streamsTotal: 1, bytesIn: 10, bytesOut: 2_000 });
});

test.each([
  [WEB, 'http', 'files.example.org'],
  [{ ...WEB, protocol: 'tcp', publicPort: 30_000, publicHost: '' }, 'tcp', '30000'],
  [{ ...WEB, protocol: 'udp', publicHost: '' }, 'udp', ''],
] as const)('is offered as it was defined', (tunnel, kind, where) => {
  expect(serviceOf(tunnel)).toMatchObject({ kind, where, backends: [{ host: 'localhost', port: 3000 }], name: `${kind}-3000-01234567` });
});

test('is offered with everything that was set', () => {
  const tunnel: PublishTunnel = {
    ...{ ...WEB, more: [{ host: '10.0.0.5', port: 1 }], allow: ['203.0.113.0/24'], user: 'me' },
    ...{ health: '/ok', maxConnections: 5, bandwidthMbps: 2.5 },
  };
  expect(serviceOf(tunnel, { proxyPassword: 'secret' })).toMatchObject({
    backends: [{ host: 'localhost', port: 3000 }, { host: '10.0.0.5', port: 1 }],
    allow: ['203.0.113.0/24'],
    basicAuth: { user: 'me', password: 'secret' },
    health: { path: '/ok' },
    maxConnections: 5,
    bandwidthKbps: 2_500,
  });
  expect(serviceOf(tunnel, {}).basicAuth?.password).not.toBe('');
});
