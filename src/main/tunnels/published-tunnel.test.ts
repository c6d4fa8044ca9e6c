import { expect, test } from 'vitest';
import { Emitter } from '../../core/emitter.ts';
import type { PublisherEvents } from '../../peer/publish/publisher.ts';
import type { PublishTunnel } from '../../shared/tunnels.ts';
import { PublishedTunnel, serviceOf } from './published-tunnel.ts';

class FakePublisher extends Emitter<PublisherEvents> {
  running = false;
  start(): void {
    this.running = true;
  }
  async stop(): Promise<void> {
    this.running = false;
  }
  say<K extends keyof PublisherEvents>(name: K, event: PublisherEvents[K]): void {
    this.emit(name, event);
  }
}

const WEB: PublishTunnel = {
  id: '0123456789ab',
  name: '',
  run: true,
  kind: 'publish',
  protocol: 'http',
  host: 'localhost',
  port: 3000,
  publicPort: 0,
  publicHost: 'files.example.org',
};

test('says where it is found, and why it is not', async () => {
  const publisher = new FakePublisher();
  let changes = 0;
  const tunnel = new PublishedTunnel(publisher, () => changes++);
  expect(tunnel.status.phase).toBe('starting');
  publisher.say('published', { name: 'x', kind: 'http', address: '203.0.113.10', port: 80, url: 'http://files.example.org/' });
  expect(tunnel.status).toMatchObject({ phase: 'ready', address: 'http://files.example.org/' });
  publisher.say('published', { name: 'x', kind: 'tcp', address: '203.0.113.10', port: 30_000, url: 'tcp://203.0.113.10:30000' });
  expect(tunnel.status.address).toBe('203.0.113.10:30000');
  publisher.say('unpublished', { name: 'x', reason: 'host-taken', message: 'Another computer publishes under this host name.' });
  expect(tunnel.status).toMatchObject({ phase: 'failed', address: '', error: { message: 'Another computer publishes under this host name.' } });
  expect(changes).toBe(3);
  await tunnel.stop();
  expect(publisher.running).toBe(false);
});

test.each([
  [WEB, 'http', 'files.example.org'],
  [{ ...WEB, protocol: 'tcp', publicPort: 30_000, publicHost: '' }, 'tcp', '30000'],
  [{ ...WEB, protocol: 'udp', publicHost: '' }, 'udp', ''],
] as const)('is offered as it was defined', (tunnel, kind, where) => {
  expect(serviceOf(tunnel)).toMatchObject({ kind, where, backends: [{ host: 'localhost', port: 3000 }], name: `${kind}-3000-01234567` });
});
