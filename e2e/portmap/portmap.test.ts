import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { MappedProtocol, Mapping, MappingVia } from '../../src/net/portmap/index.ts';
import {
  createLab,
  type Lab,
  labUnavailable,
  type Miniupnpd,
  type MiniupnpdOptions,
  miniupnpdUnavailable,
  Probe,
  PUBLIC_LOOKING,
  startMiniupnpd,
} from '../natlab/index.ts';
import { LabMapper } from './lab-mapper.ts';

const unavailable = labUnavailable() ?? miniupnpdUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, port mapping against miniupnpd: ${unavailable}`);

/** Long enough for a packet in a namespace. */
const ARRIVES_MS = 5_000;
const POLL_MS = 100;

describe.skipIf(unavailable !== null)('ports of a gateway with miniupnpd', () => {
  let lab: Lab;
  let daemon: Miniupnpd;

  afterEach(async () => {
    await lab?.destroy();
  });

  async function build(options: MiniupnpdOptions = {}): Promise<void> {
    lab = await createLab({ hosts: { world: 'open', a: 'port-restricted', b: { behind: 'a' } }, segment: PUBLIC_LOOKING });
    daemon = await startMiniupnpd(lab, 'a', options);
  }

  const mapper = (vias: readonly MappingVia[] = [], leaseS?: number, host = 'a'): LabMapper =>
    new LabMapper(lab.host(host), join(lab.directory, `open-ports-${host}.json`), vias, leaseS);

  /** Where the gateway sends what comes in from outside, as `protocol port -> address:port`. */
  const forwarded = (): string[] =>
    [...daemon.table().matchAll(/@nh,72,8 (0x11|0x6) th dport (\d+) dnat ip to (\S+)/g)].map(
      ([, number, port, to]) => `${number === '0x11' ? 'udp' : 'tcp'} ${port} -> ${to}`,
    );

  async function until(what: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await what())) await pause(POLL_MS);
  }

  /** Whether somebody outside reaches `inside` through a mapping. */
  async function arrives({ protocol, externalAddress, externalPort, internalPort }: Mapping, inside: Probe, world: Probe): Promise<boolean> {
    if (protocol === 'udp') {
      await world.udpSend(await world.udpOpen(), externalAddress, externalPort, 'hello');
      return (await inside.udpNext(internalPort, ARRIVES_MS))?.text === 'hello';
    }
    const dial = await world.tcpDial(externalAddress, externalPort);
    const outcome = await world.tcpOutcome(dial, ARRIVES_MS);
    return outcome?.ok === true && (await inside.tcpNext(internalPort, ARRIVES_MS)) !== null;
  }

  const MODES: readonly [string, MappingVia, MiniupnpdOptions][] = [
    ['PCP', 'pcp', { igd: null }],
    ['NAT-PMP', 'nat-pmp', { igd: null }],
    ['UPnP IGD 1', 'upnp', { igd: 1, natPmpAndPcp: false }],
    ['UPnP IGD 2', 'upnp', { igd: 2, natPmpAndPcp: false }],
  ];

  test.each(MODES)('%s: connections from outside arrive, renewed before they end, until the port is given up', async (_, via, options) => {
    await build(options);
    const [inside, world] = [new Probe(lab.host('a')), new Probe(lab.host('world'))];
    const ports: Record<MappedProtocol, number> = { udp: await inside.udpOpen(), tcp: await inside.tcpListen() };
    const leaseS = 6;
    const kept = mapper([via], leaseS);
    const first = { udp: await kept.map('udp', ports.udp), tcp: await kept.map('tcp', ports.tcp) };
    for (const mapping of Object.values(first)) {
      expect(mapping).toMatchObject({ via, externalAddress: lab.host('a').publicAddress, doubleNat: false });
      expect(await arrives(mapping, inside, world)).toBe(true);
    }
    expect(forwarded().sort()).toEqual(
      (['tcp', 'udp'] as const).map((protocol) => `${protocol} ${first[protocol].externalPort} -> ${lab.host('a').address}:${ports[protocol]}`),
    );

    // Past the end of the first lease, thanks to renewals alone.
    await until(async () => (await kept.report()).mappings.every(({ expiresMs, protocol }) => expiresMs > first[protocol].expiresMs + leaseS * 1000));
    for (const mapping of Object.values(first)) expect(await arrives(mapping, inside, world)).toBe(true);

    await kept.unmap('udp', ports.udp);
    expect(forwarded().map((line) => line.slice(0, 3))).toEqual(['tcp']);
    await kept.stop();
    expect(forwarded()).toEqual([]);
  });

  test.each(MODES)('%s: what a crash leaves is removed by the next run', async (_, via, options) => {
    await build(options);
    const crashed = mapper([via]);
    await crashed.map('udp', 4000);
    await crashed.map('tcp', 4001);
    await crashed.crash();
    expect(forwarded()).toHaveLength(2);
    const next = mapper();
    await next.removeLeftovers();
    expect(forwarded()).toEqual([]);
    expect(next.log.join()).toContain('2 ports that the last run left open');
    await next.stop();
  });

  test.each(MODES)('%s: a gateway that restarts is asked again, a new address outside is told', async (_, via, options) => {
    await build(options);
    const kept = mapper([via]);
    await kept.map('udp', 4000);
    await daemon.kill();
    await daemon.start();
    expect(forwarded()).toEqual([]);
    // PCP and NAT-PMP gateways tell that they started; others are looked at every minute, or when the network changed.
    if (via === 'upnp') await kept.networkChanged();
    await until(() => forwarded().length === 1);

    const address = daemon.moveWan(99);
    await kept.networkChanged();
    const { mapping } = await kept.next('changed');
    expect(mapping).toMatchObject({ externalAddress: address, externalPort: 4000 });
    await kept.stop();
    expect(forwarded()).toEqual([]);
  });

  test('all at once: one mapping and not three; the next run asks first what worked', async () => {
    await build();
    const first = mapper();
    const mapping = await first.map('udp', 4000);
    const { protocols, gateway } = await first.probe();
    expect(gateway).toBe('192.168.1.1');
    expect(protocols).toEqual({ pcp: works, 'nat-pmp': works, upnp: works });
    expect(forwarded()).toEqual([`udp ${mapping.externalPort} -> ${lab.host('a').address}:4000`]);
    await first.stop();
    const next = mapper();
    expect((await next.map('udp', 4000)).via).toBe(mapping.via);
    const asked = Object.values((await next.report()).protocols).filter(({ state }) => state !== 'not-asked');
    expect(asked).toHaveLength(1);
    await next.stop();
  });

  test.each(MODES)('%s: a port that a neighbour has is not taken from it', async (_, via, options) => {
    await build(options);
    const [mine, other] = [mapper([via]), mapper([via], undefined, 'b')];
    const theirs = await other.map('tcp', 4000);
    const ours = await mine.map('tcp', 4000);
    expect(ours.externalPort).not.toBe(theirs.externalPort);
    expect(forwarded().sort()).toEqual(
      [`tcp ${theirs.externalPort} -> ${lab.host('b').address}:4000`, `tcp ${ours.externalPort} -> ${lab.host('a').address}:4000`].sort(),
    );
    await Promise.all([mine.stop(), other.stop()]);
  });

  test.each([1, 2] as const)('a gateway that forbids it is told apart from one that says nothing (UPnP IGD %i)', async (igd) => {
    // By NAT-PMP and PCP this daemon tries all ports one after the other when it forbids all of them, and says nothing meanwhile.
    await build({ igd, natPmpAndPcp: false, rules: ['deny 0-65535 0.0.0.0/0 0-65535'] });
    const asking = mapper(['nat-pmp', 'upnp']);
    const refusal = await asking.refusal('udp', 4000);
    expect(refusal.code).toBe('PORT_MAP_REFUSED');
    expect(refusal.message).toContain('UPnP error');
    const states = Object.fromEntries(Object.entries((await asking.report()).protocols).map(([via, { state }]) => [via, state]));
    expect(states).toEqual({ pcp: 'not-asked', 'nat-pmp': 'no-answer', upnp: 'refused' });
    await asking.stop();
  });

  test('a gateway that knows nothing of all this, and one that sends rubbish and points elsewhere', async () => {
    lab = await createLab({ hosts: { world: 'open', a: 'port-restricted', b: { behind: 'a' } }, segment: PUBLIC_LOOKING });
    const alone = mapper(['upnp']);
    expect((await alone.refusal('udp', 4000)).code).toBe('PORT_MAP_NO_ANSWER');
    await alone.stop();

    const neighbour = new Probe(lab.host('b'));
    const bait = await neighbour.tcpListen();
    const script = join(import.meta.dirname, 'rubbish-gateway.mjs');
    const rubbish = lab.gateway('a').spawn(process.execPath, [script, '192.168.1.1', `http://${lab.host('b').address}:${bait}/`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(rubbish.stdout as NodeJS.ReadableStream, 'data');
    const asking = mapper();
    const refusal = await asking.refusal('udp', 4000);
    expect(refusal.code).toBe('PORT_MAP_REFUSED');
    expect((await asking.report()).protocols).toEqual({
      pcp: { state: 'no-answer', reason: 'what it answered is not part of the protocol' },
      'nat-pmp': { state: 'no-answer', reason: 'what it answered is not part of the protocol' },
      upnp: { state: 'refused', reason: 'its description sends us elsewhere' },
    });
    expect(await neighbour.tcpNext(bait, 0)).toBeNull();
    await asking.stop();
  });
});

const works = { state: 'works', reason: '' };
