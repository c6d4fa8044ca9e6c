import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { until } from '../../test/lib/until.ts';
import type { MappedProtocol, Mapping, MappingVia } from '../../src/net/portmap/index.ts';
import {
  type Lab,
  labUnavailable,
  type Miniupnpd,
  type MiniupnpdOptions,
  miniupnpdUnavailable,
  Probe,
  PUBLIC_LOOKING,
  startMiniupnpd,
  testInLab,
} from '../natlab/index.ts';
import { LabMapper } from './lab-mapper.ts';

const unavailable = labUnavailable() ?? miniupnpdUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, port mapping against miniupnpd: ${unavailable}`);

/** Long enough for a packet in a namespace. */
const ARRIVES_MS = 5_000;
const POLL_MS = 100;

/** A lab with a gateway in front of `a` and `b`, and somebody outside of it. */
class Home {
  readonly lab: Lab;
  #daemon: Miniupnpd | undefined;

  constructor(lab: Lab) {
    this.lab = lab;
  }

  get daemon(): Miniupnpd {
    if (this.#daemon === undefined) throw new Error('miniupnpd was not started');
    return this.#daemon;
  }

  async startDaemon(options: MiniupnpdOptions = {}): Promise<void> {
    this.#daemon = await startMiniupnpd(this.lab, 'a', options);
  }

  mapper(vias: readonly MappingVia[] = [], leaseS?: number, host = 'a'): LabMapper {
    return new LabMapper(this.lab.host(host), join(this.lab.directory, `open-ports-${host}.json`), vias, leaseS);
  }

  /** Where the gateway sends what comes in from outside, as `protocol port -> address:port`. */
  forwarded(): string[] {
    return [...this.daemon.table().matchAll(/@nh,72,8 (0x11|0x6) th dport (\d+) dnat ip to (\S+)/g)].map(
      ([, number, port, to]) => `${number === '0x11' ? 'udp' : 'tcp'} ${port} -> ${to}`,
    );
  }
}

const test = testInLab({ hosts: { world: 'open', a: 'port-restricted', b: { behind: 'a' } }, segment: PUBLIC_LOOKING }).extend<{ home: Home }>({
  home: ({ lab }, use) => use(new Home(lab)),
});

/** Side by side: each has a lab of its own, and waits for the times of protocols. */
describe.skipIf(unavailable !== null).concurrent('ports of a gateway with miniupnpd', () => {
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

  test.for(MODES)('%s: connections from outside arrive, renewed before they end, until the port is given up', async ([, via, options], { home }) => {
    const { lab } = home;
    await home.startDaemon(options);
    const [inside, world] = [new Probe(lab.host('a')), new Probe(lab.host('world'))];
    const ports: Record<MappedProtocol, number> = { udp: await inside.udpOpen(), tcp: await inside.tcpListen() };
    const leaseS = 6;
    const kept = home.mapper([via], leaseS);
    const first = { udp: await kept.map('udp', ports.udp), tcp: await kept.map('tcp', ports.tcp) };
    for (const mapping of Object.values(first)) {
      expect(mapping).toMatchObject({ via, externalAddress: lab.host('a').publicAddress, doubleNat: false });
      expect(await arrives(mapping, inside, world)).toBe(true);
    }
    expect(home.forwarded().sort()).toEqual(
      (['tcp', 'udp'] as const).map((protocol) => `${protocol} ${first[protocol].externalPort} -> ${lab.host('a').address}:${ports[protocol]}`),
    );

    // Past the end of the first lease, thanks to renewals alone.
    await until(async () => (await kept.report()).mappings.every(({ expiresMs, protocol }) => expiresMs > first[protocol].expiresMs + leaseS * 1000), POLL_MS);
    for (const mapping of Object.values(first)) expect(await arrives(mapping, inside, world)).toBe(true);

    await kept.unmap('udp', ports.udp);
    expect(home.forwarded().map((line) => line.slice(0, 3))).toEqual(['tcp']);
    await kept.stop();
    expect(home.forwarded()).toEqual([]);
  });

  test.for(MODES)('%s: what a crash leaves is removed by the next run', async ([, via, options], { home }) => {
    await home.startDaemon(options);
    const crashed = home.mapper([via]);
    await crashed.map('udp', 4000);
    await crashed.map('tcp', 4001);
    await crashed.crash();
    expect(home.forwarded()).toHaveLength(2);
    const next = home.mapper();
    await next.removeLeftovers();
    expect(home.forwarded()).toEqual([]);
    expect(next.log.join()).toContain('2 ports that the last run left open');
    await next.stop();
  });

  test.for(MODES)('%s: a gateway that restarts is asked again, a new address outside is told', async ([, via, options], { home }) => {
    await home.startDaemon(options);
    const { daemon } = home;
    const kept = home.mapper([via]);
    await kept.map('udp', 4000);
    await daemon.kill();
    await daemon.start();
    expect(home.forwarded()).toEqual([]);
    // PCP and NAT-PMP gateways tell that they started; others are looked at every minute, or when the network changed.
    if (via === 'upnp') await kept.networkChanged();
    await until(() => home.forwarded().length === 1, POLL_MS);

    const address = daemon.moveWan(99);
    await kept.networkChanged();
    const { mapping } = await kept.next('changed');
    expect(mapping).toMatchObject({ externalAddress: address, externalPort: 4000 });
    await kept.stop();
    expect(home.forwarded()).toEqual([]);
  });

  test('all at once: one mapping and not three; the next run asks first what worked', async ({ home }) => {
    const { lab } = home;
    await home.startDaemon();
    const first = home.mapper();
    const mapping = await first.map('udp', 4000);
    const { protocols, gateway } = await first.probe();
    expect(gateway).toBe('192.168.1.1');
    expect(protocols).toEqual({ pcp: works, 'nat-pmp': works, upnp: works });
    expect(home.forwarded()).toEqual([`udp ${mapping.externalPort} -> ${lab.host('a').address}:4000`]);
    await first.stop();
    const next = home.mapper();
    expect((await next.map('udp', 4000)).via).toBe(mapping.via);
    const asked = Object.values((await next.report()).protocols).filter(({ state }) => state !== 'not-asked');
    expect(asked).toHaveLength(1);
    await next.stop();
  });

  test.for(MODES)('%s: a port that a neighbour has is not taken from it', async ([, via, options], { home }) => {
    const { lab } = home;
    await home.startDaemon(options);
    const [mine, other] = [home.mapper([via]), home.mapper([via], undefined, 'b')];
    const theirs = await other.map('tcp', 4000);
    const ours = await mine.map('tcp', 4000);
    expect(ours.externalPort).not.toBe(theirs.externalPort);
    expect(home.forwarded().sort()).toEqual(
      [`tcp ${theirs.externalPort} -> ${lab.host('b').address}:4000`, `tcp ${ours.externalPort} -> ${lab.host('a').address}:4000`].sort(),
    );
    await Promise.all([mine.stop(), other.stop()]);
  });

  test.for([1, 2] as const)('a gateway that forbids it is told apart from one that says nothing (UPnP IGD %i)', async (igd, { home }) => {
    // By NAT-PMP and PCP this daemon tries all ports one after the other when it forbids all of them, and says nothing meanwhile.
    await home.startDaemon({ igd, natPmpAndPcp: false, rules: ['deny 0-65535 0.0.0.0/0 0-65535'] });
    const asking = home.mapper(['nat-pmp', 'upnp']);
    const refusal = await asking.refusal('udp', 4000);
    expect(refusal.code).toBe('PORT_MAP_REFUSED');
    expect(refusal.message).toContain('UPnP error');
    const states = Object.fromEntries(Object.entries((await asking.report()).protocols).map(([via, { state }]) => [via, state]));
    expect(states).toEqual({ pcp: 'not-asked', 'nat-pmp': 'no-answer', upnp: 'refused' });
    await asking.stop();
  });

  test('a gateway that knows nothing of all this', async ({ home }) => {
    const alone = home.mapper(['upnp']);
    expect((await alone.refusal('udp', 4000)).code).toBe('PORT_MAP_NO_ANSWER');
    await alone.stop();
  });

  test('a gateway that sends rubbish and points elsewhere', async ({ home }) => {
    const { lab } = home;
    const neighbour = new Probe(lab.host('b'));
    const bait = await neighbour.tcpListen();
    const script = join(import.meta.dirname, 'rubbish-gateway.mjs');
    const rubbish = lab.gateway('a').spawn(process.execPath, [script, '192.168.1.1', `http://${lab.host('b').address}:${bait}/`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(rubbish.stdout as NodeJS.ReadableStream, 'data');
    const asking = home.mapper();
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
