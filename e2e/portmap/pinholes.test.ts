import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { until } from '../../test/lib/until.ts';
import type { MappingVia } from '../../src/net/portmap/index.ts';
import { type Lab, labUnavailable, type Miniupnpd, type MiniupnpdOptions, miniupnpdUnavailable, Probe, PUBLIC_LOOKING, startMiniupnpd, testInLab } from '../natlab/index.ts';
import { LabMapper } from './lab-mapper.ts';

const unavailable = labUnavailable() ?? miniupnpdUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, pinholes in the firewall of miniupnpd: ${unavailable}`);

const ARRIVES_MS = 5_000;
const POLL_MS = 100;
const MODES: readonly [MappingVia, MiniupnpdOptions][] = [
  ['pcp', { igd: null }],
  ['upnp', { natPmpAndPcp: false }],
];

/** A host behind a gateway that routes IPv6 and lets nobody in, and somebody outside. */
const test = testInLab({ hosts: { world: 'open', a: { kind: 'port-restricted', ipv6: 'routed' } }, segment: PUBLIC_LOOKING, ipv6: true });

/** The ports that the firewall lets in. */
const pinholes = (daemon: Miniupnpd): string[] => [...daemon.table().matchAll(/iif "wan" th dport (\d+) @nh,192,128/g)].map(([, port]) => port ?? '');

describe.skipIf(unavailable !== null).concurrent('pinholes for IPv6', () => {
  const mapperOf = (lab: Lab, via: MappingVia, leaseS?: number): LabMapper =>
    new LabMapper(lab.host('a'), join(lab.directory, 'pinholes.json'), [via], leaseS, 6);

  /** Both know their neighbours after that: nothing waits on the way for an address until the firewall has been opened. */
  const greet = async (inside: Probe, world: Probe): Promise<void> => {
    const [here, there] = [await inside.udpOpen({ ipv6: true }), await world.udpOpen({ ipv6: true })];
    await inside.udpSend(here, await world.ownIPv6(), there, 'good morning');
    expect(await world.udpNext(there, ARRIVES_MS)).not.toBeNull();
    await world.udpSend(there, await inside.ownIPv6(), here, 'good morning');
    expect(await inside.udpNext(here, ARRIVES_MS)).not.toBeNull();
  };

  test.for(MODES)('%s: whoever is outside comes in, past the end of the first lease, until it is given up', async ([via, options], { lab }) => {
    const daemon = await startMiniupnpd(lab, 'a', options);
    const [inside, world] = [new Probe(lab.host('a')), new Probe(lab.host('world'))];
    const port = await inside.udpOpen({ ipv6: true });
    const from = await world.udpOpen({ ipv6: true });
    const leaseS = 6;
    const mapper = mapperOf(lab, via, leaseS);
    const address = await inside.ownIPv6();
    await greet(inside, world);
    // What comes before it is open does not come in: the first that arrives is the second that was sent.
    await world.udpSend(from, address, port, 'too early');
    const mapping = await mapper.map('udp', port);
    expect(mapping).toMatchObject({ via, externalAddress: address, externalPort: port, doubleNat: false });
    await world.udpSend(from, address, port, 'hello');
    expect((await inside.udpNext(port, ARRIVES_MS))?.text).toBe('hello');
    expect(pinholes(daemon)).toEqual([String(port)]);
    await until(async () => (await mapper.report()).mappings.every(({ expiresMs }) => expiresMs > mapping.expiresMs + leaseS * 1000), POLL_MS);
    const another = await world.udpOpen({ ipv6: true });
    await world.udpSend(another, address, port, 'still');
    expect((await inside.udpNext(port, ARRIVES_MS))?.text).toBe('still');
    await mapper.stop();
    // By PCP this daemon does not let go of what was renewed; then it ends by itself within a second.
    await until(() => pinholes(daemon).length === 0, POLL_MS);
  });

  test.for(MODES)('%s: what a crash leaves is closed by the next run; a gateway that restarts is asked again', async ([via, options], { lab }) => {
    const daemon = await startMiniupnpd(lab, 'a', options);
    const crashed = mapperOf(lab, via);
    await crashed.map('tcp', 4100);
    await crashed.crash();
    expect(pinholes(daemon)).toEqual(['4100']);
    const next = mapperOf(lab, via);
    await next.removeLeftovers();
    expect(pinholes(daemon)).toEqual([]);
    await next.map('tcp', 4200);
    await daemon.kill();
    await daemon.start();
    expect(pinholes(daemon)).toEqual([]);
    await next.networkChanged();
    await until(() => pinholes(daemon).length === 1, POLL_MS);
    await next.stop();
    await until(() => pinholes(daemon).length === 0, POLL_MS);
  });
});
