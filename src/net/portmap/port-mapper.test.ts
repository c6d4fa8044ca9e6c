import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import type { PortMapper, PortMapperOptions } from './port-mapper.ts';
import { advance, errorOf, makeMapper, settle, TestGateway, whileRunning } from './test-gateway.ts';
import type { Mapping, MappingVia } from './types.ts';

let dir: string;
let clock: VirtualClock;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'portmap-'));
  clock = new VirtualClock();
});
afterEach(() => rmSync(dir, { recursive: true }));

const HOUR = 3_600_000;
const make = (network: TestGateway, options: Partial<PortMapperOptions> = {}): PortMapper => makeMapper(clock, network, options);
const during = <T>(work: Promise<T>, stepMs?: number): Promise<T> => whileRunning(clock, work, stepMs);

describe.each(['pcp', 'nat-pmp', 'upnp'] as MappingVia[])('%s', (via) => {
  const unmapOf = via === 'upnp' ? 'DeletePortMapping' : 'unmap';
  const mapOf = via === 'upnp' ? 'PortMapping' : ' map ';

  test('opens a port, renews it at half its life, closes it with the end, and leaves no timer or socket', async () => {
    const gateway = new TestGateway(clock, via);
    const mapper = make(gateway);
    const mapping = await during(mapper.map('udp', 4000));
    expect(mapping).toMatchObject({ via, protocol: 'udp', internalPort: 4000, externalPort: 4000, externalAddress: '198.51.101.7', doubleNat: false });
    const untilMs = [...gateway.open.values()][0]?.untilMs ?? 0;
    const requests = gateway.askedFor(mapOf).filter((what) => !what.includes('Get')).length;
    await advance(clock, HOUR - 10_000 - clock.now(), 10_000);
    expect(gateway.askedFor(mapOf).filter((what) => !what.includes('Get'))).toHaveLength(requests);
    await advance(clock, 20_000, 1_000);
    expect([...gateway.open.values()][0]?.untilMs).toBeGreaterThan(untilMs + HOUR / 2);
    expect(mapper.report().mappings[0]?.expiresMs).toBeGreaterThan(mapping.expiresMs);
    await during(mapper.stop());
    expect(gateway.askedFor(unmapOf)).toHaveLength(1);
    expect([...gateway.open]).toEqual([]);
    expect([clock.pending, gateway.doors]).toEqual([0, 0]);
  });

  test('a gateway that forgot is asked again at the next look, and tells when it gives another port', async () => {
    const gateway = new TestGateway(clock, via);
    const mapper = make(gateway);
    const changes: (Mapping | null)[][] = [];
    mapper.on('changed', ({ previous, mapping }) => changes.push([previous, mapping]));
    await during(mapper.map('tcp', 4000));
    gateway.reboot();
    await advance(clock, 70_000, 1_000);
    expect([...gateway.open.keys()]).toEqual(['tcp 4000']);
    expect(changes).toEqual([]);

    gateway.reboot();
    gateway.externalAddress = '198.51.101.8';
    await advance(clock, 70_000, 1_000);
    expect(changes).toEqual([[expect.objectContaining({ externalAddress: '198.51.101.7' }), expect.objectContaining({ externalAddress: '198.51.101.8' })]]);
    await during(mapper.stop());
  });

  test('what a run left that crashed is closed by the next one, and not what a living one has', async () => {
    const gateway = new TestGateway(clock, via);
    const stateFile = join(dir, 'open.json');
    const crash = new AbortController();
    const first = make(gateway, { stateFile, signal: crash.signal, pid: 11 });
    await during(first.map('udp', 4000));
    expect(statSync(stateFile).mode & 0o777).toBe(0o600);
    crash.abort();
    await settle();
    expect([gateway.open.size, clock.pending, gateway.doors]).toEqual([1, 0, 0]);

    const beside = make(gateway, { stateFile, pid: 12, isAlive: () => true });
    await during(beside.removeLeftovers());
    expect(gateway.open.size).toBe(1);
    const elsewhere = new TestGateway(clock, via);
    elsewhere.address = '10.0.0.1';
    await during(make(elsewhere, { stateFile, pid: 13 }).removeLeftovers());
    const next = make(gateway, { stateFile, pid: 14 });
    await during(next.removeLeftovers());
    expect(gateway.open.size).toBe(0);
    const asked = gateway.asked.length;
    await during(make(gateway, { stateFile, pid: 15 }).removeLeftovers());
    expect(gateway.asked.length).toBe(asked);
  });

  test('private and carrier addresses outside are told as a second NAT', async () => {
    for (const externalAddress of ['100.64.3.4', '10.1.2.3', '192.168.0.2']) {
      const gateway = new TestGateway(clock, via);
      gateway.externalAddress = externalAddress;
      const mapper = make(gateway);
      expect((await during(mapper.map('udp', 4000))).doubleNat).toBe(true);
      expect(mapper.report().doubleNat).toBe(true);
      await during(mapper.stop());
    }
  });

  test('addresses that nobody can have are not believed', async () => {
    for (const externalAddress of ['0.0.0.0', '127.0.0.1', '239.1.1.1', '255.255.255.255']) {
      const gateway = new TestGateway(clock, via);
      gateway.externalAddress = externalAddress;
      const mapper = make(gateway);
      expect((await errorOf(during(mapper.map('udp', 4000)))).code).toBe('PORT_MAP_REFUSED');
      await during(mapper.stop());
    }
  });
});

describe('several protocols', () => {
  test('the first that answers makes the mapping, alone; the report knows all after a probe', async () => {
    const gateway = new TestGateway(clock, 'pcp', 'nat-pmp', 'upnp');
    const mapper = make(gateway);
    await during(Promise.all([mapper.map('udp', 4000), mapper.map('tcp', 4000), mapper.map('udp', 4000)]));
    expect([...gateway.open.values()].map(({ protocol, by }) => `${protocol} ${by}`)).toEqual(['udp pcp', 'tcp pcp']);
    const { protocols } = await during(mapper.probe());
    expect(Object.values(protocols).map(({ state }) => state)).toEqual(['works', 'works', 'works']);
    await during(mapper.stop());
  });

  test('one that refuses leaves it to another; each says what came of it', async () => {
    const gateway = new TestGateway(clock, 'pcp', 'nat-pmp', 'upnp');
    gateway.result = 2;
    const mapper = make(gateway);
    expect((await during(mapper.map('udp', 4000))).via).toBe('upnp');
    const { protocols } = mapper.report();
    expect(protocols.pcp).toEqual({ state: 'refused', reason: 'its rules forbid it (NOT_AUTHORIZED)' });
    expect(protocols['nat-pmp'].state).toBe('refused');
    expect(protocols.upnp.state).toBe('works');
    await during(mapper.stop());
  });

  test('what worked last time is asked first, and the others when it is silent', async () => {
    const stateFile = join(dir, 'open.json');
    const gateway = new TestGateway(clock, 'upnp', 'nat-pmp');
    gateway.result = 2;
    const first = make(gateway, { stateFile });
    await during(first.map('udp', 4000));
    await during(first.stop());
    gateway.asked.length = 0;
    gateway.result = 0;
    const second = make(gateway, { stateFile });
    expect((await during(second.map('udp', 4000))).via).toBe('upnp');
    expect(gateway.askedFor('pcp').concat(gateway.askedFor('nat-pmp'))).toEqual([]);
    await during(second.stop());

    gateway.speaks.delete('upnp');
    const third = make(gateway, { stateFile });
    const startedMs = clock.now();
    expect((await during(third.map('udp', 4000))).via).toBe('nat-pmp');
    expect(clock.now() - startedMs).toBeLessThan(1_000);
    await during(third.stop());
  });

  test('silence: asked again with the waits of the RFCs, then an error, and for a while no more questions', async () => {
    const gateway = new TestGateway(clock);
    const mapper = make(gateway);
    expect((await errorOf(during(mapper.map('udp', 4000), 50))).code).toBe('PORT_MAP_NO_ANSWER');
    const times = (via: string): number[] => gateway.asked.filter(({ what }) => what === via).map(({ atMs }) => atMs);
    expect(times('nat-pmp')).toEqual([0, 250, 750, 1_750, 3_750]);
    const [first, second, third] = times('pcp');
    expect([first, third]).toEqual([0, undefined]);
    expect(second).toBeGreaterThanOrEqual(2_700);
    expect(second).toBeLessThanOrEqual(3_300);
    const asked = gateway.asked.length;
    expect((await errorOf(mapper.map('udp', 4000))).code).toBe('PORT_MAP_NO_ANSWER');
    expect(gateway.asked.length).toBe(asked);
    await mapper.stop();
    expect(clock.pending).toBe(0);
  });
});

describe('the life of a mapping', () => {
  test('however short a life it is given, it is not renewed more often than every 4 s', async () => {
    const gateway = new TestGateway(clock, 'pcp');
    gateway.maxLifetimeS = 1;
    const mapper = make(gateway);
    await during(mapper.map('udp', 4000));
    const before = gateway.askedFor('pcp map').length;
    await advance(clock, 40_000, 500);
    expect(gateway.askedFor('pcp map').length - before).toBeLessThanOrEqual(10);
    await during(mapper.stop());
  });

  test('a gateway that goes away: lost at the end of its life, asked again ever less often, told when it is back', async () => {
    const gateway = new TestGateway(clock, 'nat-pmp');
    const mapper = make(gateway);
    const events: string[] = [];
    mapper.on('lost', ({ previous }) => events.push(`lost ${previous.externalPort}`));
    mapper.on('changed', ({ previous, mapping }) => events.push(`${previous?.externalPort ?? 'none'} -> ${mapping.externalPort}`));
    await during(mapper.map('udp', 4000));
    gateway.speaks.clear();
    await advance(clock, 2 * HOUR + 60_000, 5_000);
    expect(events).toEqual(['lost 4000']);
    expect(mapper.report().mappings).toEqual([]);
    gateway.asked.length = 0;
    await advance(clock, 6 * HOUR, 10_000);
    // At most one try every 1024 s, of five datagrams by each protocol.
    expect(gateway.askedFor('nat-pmp').length).toBeLessThan(6 * 5 * 5);
    gateway.speaks.add('nat-pmp');
    await advance(clock, HOUR / 2, 5_000);
    expect(events).toEqual(['lost 4000', 'none -> 4000']);
    await during(mapper.stop());
  });

  test('another network: everything is asked for there', async () => {
    const gateway = new TestGateway(clock, 'pcp');
    const mapper = make(gateway);
    await during(mapper.map('udp', 4000));
    gateway.reboot();
    gateway.address = '10.0.0.1';
    gateway.localAddress = '10.0.0.7';
    gateway.externalAddress = '198.51.101.9';
    mapper.networkChanged();
    await advance(clock, 5_000, 500);
    expect(mapper.report()).toMatchObject({ gateway: '10.0.0.1', externalAddress: '198.51.101.9' });
    await during(mapper.stop());
  });

  test('after a sleep everything is asked for again', async () => {
    const gateway = new TestGateway(clock, 'pcp');
    let sleptMs = 0;
    const mapper = make(gateway, { wallMs: () => clock.now() + sleptMs });
    await during(mapper.map('udp', 4000));
    gateway.open.clear();
    sleptMs = 3 * HOUR;
    await advance(clock, 70_000, 1_000);
    expect(gateway.open.size).toBe(1);
    await during(mapper.stop());
  });

  test('an announcement makes it look within 5 s; a flood of them, or those of others, do nothing more', async () => {
    const gateway = new TestGateway(clock, 'pcp');
    const mapper = make(gateway);
    await during(mapper.map('udp', 4000));
    await settle();
    gateway.reboot();
    gateway.announce();
    await advance(clock, 5_100, 100);
    expect(gateway.open.size).toBe(1);
    gateway.asked.length = 0;
    await advance(clock, 10_000);
    for (let i = 0; i < 1_000; i++) gateway.announce('192.168.1.66');
    await advance(clock, 6_000, 100);
    expect(gateway.askedFor('map')).toEqual([]);
    for (let i = 0; i < 1_000; i++) gateway.announce();
    await advance(clock, 6_000, 100);
    expect(gateway.askedFor('map')).toHaveLength(1);
    await during(mapper.stop());
  });
});

describe('the ends', () => {
  test('no gateway; too many ports; given up; stopped', async () => {
    const gateway = new TestGateway(clock, 'pcp');
    gateway.present = false;
    const mapper = make(gateway);
    expect((await errorOf(mapper.map('udp', 1))).code).toBe('PORT_MAP_NO_GATEWAY');
    gateway.present = true;
    await during(Promise.all(Array.from({ length: 16 }, (_, i) => mapper.map('udp', 4000 + i))));
    expect((await errorOf(mapper.map('udp', 5000))).code).toBe('PORT_MAP_LIMIT');
    await during(mapper.unmap('udp', 4000));
    expect(gateway.open.has('udp 4000')).toBe(false);
    gateway.speaks.clear();
    const abort = new AbortController();
    const pending = errorOf(mapper.map('udp', 5000, abort.signal));
    await settle();
    abort.abort();
    expect((await pending).code).toBe('ABORTED');
    const stopped = errorOf(mapper.map('udp', 5001));
    await during(mapper.stop());
    expect((await stopped).code).toBe('ABORTED');
    expect((await errorOf(mapper.map('udp', 4000))).code).toBe('ABORTED');
    expect(clock.pending).toBe(0);
  });

  test('a port that is given up while it is asked for does not stay open', async () => {
    for (const via of ['pcp', 'nat-pmp'] as const) {
      for (const end of ['the caller', 'unmap', 'stop'] as const) {
        const gateway = new TestGateway(clock, via);
        gateway.tamper = (answer, deliver, from) => void clock.setTimer(200, () => deliver(answer, from));
        const mapper = make(gateway, { protocols: [via] });
        const abort = new AbortController();
        const asked = errorOf(mapper.map('udp', 4000, abort.signal));
        while (gateway.open.size === 0) await advance(clock, 50);
        const other = end === 'the caller' ? mapper.map('udp', 4000) : null;
        if (end === 'the caller') {
          // Somebody else still wants it.
          abort.abort();
          expect((await asked).code).toBe('ABORTED');
          await advance(clock, 1_000, 50);
          expect(gateway.open.size).toBe(1);
          expect(mapper.report().mappings).toHaveLength(1);
          expect((await other)?.externalPort).toBe(4000);
        }
        await during(end === 'unmap' ? mapper.unmap('udp', 4000) : mapper.stop());
        await advance(clock, 2_000, 50);
        expect([via, end, gateway.open.size]).toEqual([via, end, 0]);
        await during(mapper.stop());
        expect((await asked).code).toBe('ABORTED');
      }
      const gateway = new TestGateway(clock, via);
      gateway.tamper = (answer, deliver, from) => void clock.setTimer(200, () => deliver(answer, from));
      const mapper = make(gateway, { protocols: [via] });
      const abort = new AbortController();
      const asked = errorOf(mapper.map('udp', 4000, abort.signal));
      while (gateway.open.size === 0) await advance(clock, 50);
      abort.abort();
      // Asked for again at once: what is taken back is not the new one.
      const again = mapper.map('udp', 4000);
      expect((await asked).code).toBe('ABORTED');
      await during(again, 50);
      await advance(clock, 2_000, 50);
      expect(gateway.open.size).toBe(1);
      await during(mapper.stop());
      expect([gateway.open.size, clock.pending]).toEqual([0, 0]);
    }
  });

  test('the end waits for what was given up just before it', async () => {
    const gateway = new TestGateway(clock, 'pcp');
    const mapper = make(gateway);
    await during(mapper.map('udp', 4000));
    const given = mapper.unmap('udp', 4000);
    await during(mapper.stop());
    await given;
    expect([gateway.open.size, clock.pending, gateway.doors]).toEqual([0, 0, 0]);
  });

  test('a gateway that does not answer holds up the end for 1.5 s at most, and its ports are left to the next run', async () => {
    const gateway = new TestGateway(clock, 'pcp');
    const stateFile = join(dir, 'open.json');
    const mapper = make(gateway, { stateFile, pid: 21 });
    await during(mapper.map('udp', 4000));
    gateway.speaks.clear();
    const startedMs = clock.now();
    await during(mapper.stop());
    expect(clock.now() - startedMs).toBeLessThanOrEqual(1_600);
    gateway.speaks.add('pcp');
    await during(make(gateway, { stateFile, pid: 22 }).removeLeftovers());
    expect(gateway.open.size).toBe(0);
  });

  test('a damaged state file is no obstacle', async () => {
    const stateFile = join(dir, 'open.json');
    for (const text of ['', '{', '[]', '{"open":[{"via":"x"}]}', `{"open":${'['.repeat(10_000)}`]) {
      writeFileSync(stateFile, text);
      const mapper = make(new TestGateway(clock, 'pcp'), { stateFile });
      expect((await during(mapper.map('udp', 4000))).externalPort).toBe(4000);
      await during(mapper.stop());
    }
  });
});
