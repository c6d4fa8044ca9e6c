import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { buildCli } from '../lib/cli-process.ts';
import { World } from '../lib/world.ts';
import { labUnavailable, miniupnpdUnavailable, PUBLIC_LOOKING, startMiniupnpd } from '../natlab/index.ts';

const unavailable = labUnavailable() ?? miniupnpdUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, sessions through opened ports: ${unavailable}`);
else buildCli();

/** With two NATs that take another port for each destination at random there is no other direct way that is worth a wait. */
describe.skipIf(unavailable !== null)('a session between two networks that no hole can be punched through', () => {
  let world: World | undefined;
  afterEach(async () => {
    await world?.lab.destroy();
    world = undefined;
  });

  test.each([
    ['UPnP', 'at the host', 'host', { natPmpAndPcp: false }],
    ['PCP', 'at the controller', 'ctrl', { igd: null }],
  ] as const)('%s %s: it begins over the relay and goes on over the mapped port, which is closed with it', async (_, __, place, options) => {
    world = await World.create({ host: 'symmetric', ctrl: 'symmetric' }, [], { segment: PUBLIC_LOOKING });
    const daemon = await startMiniupnpd(world.lab, place, options);
    const host = await world.startHost('host');
    const connection = world.startConnect('ctrl', host.id, ['--hold', '3600']);
    await connection.waitFor('connected');
    const changed = await connection.waitFor('path-changed', { where: ({ to }) => to !== 'relay' });
    expect(changed['to']).toBe(place === 'host' ? 'mapped' : 'udp');
    expect(daemon.table()).toContain(`dnat ip to ${world.lab.host(place).address}`);
    await connection.stop();
    await host.process.stop();
    expect(daemon.table()).not.toContain('dnat');
  });

  test('--no-port-mapping asks for nothing', async () => {
    world = await World.create({ host: 'symmetric', ctrl: 'symmetric' }, [], { segment: PUBLIC_LOOKING });
    const daemon = await startMiniupnpd(world.lab, 'host');
    const host = await world.startHost('host', ['--no-port-mapping']);
    const sniffer = world.lab.host('host').spawn('tcpdump', ['-i', 'eth0', '-l', '-n', 'udp port 5351 or udp port 1900 and src host 192.168.1.10']);
    let seen = '';
    sniffer.stdout?.on('data', (text: Buffer) => (seen += text.toString()));
    await once(sniffer.stderr as NodeJS.ReadableStream, 'data');
    // Where it is allowed, the port is open within the first second.
    const { events } = await world.connect('ctrl', host.id, ['--hold', '4', '--no-port-mapping']);
    expect(events.map(({ event }) => event)).toEqual(['connected', 'closed']);
    await host.process.stop();
    expect([seen, daemon.table().includes('dnat')]).toEqual(['', false]);
  });
});
