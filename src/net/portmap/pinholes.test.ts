import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/testing/seeds.ts';
import { gatewayFromProc6, gatewayFromTable6 } from './gateway6.ts';
import { PortMapper } from './port-mapper.ts';
import { advance, errorOf, TestGateway, whileRunning } from './test-gateway.ts';
import type { MappingVia } from './types.ts';

const OWN = '2001:db8:5::10';
const LEASE_S = 7_200;
const VIAS = ['pcp', 'upnp'] as const;

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-pinholes-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function setUp(...speaks: MappingVia[]) {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const gateway = new TestGateway(clock, ...speaks);
  gateway.address = '2001:db8:5::1';
  gateway.localAddress = OWN;
  gateway.location = 'http://[2001:db8:5::1]:5000/root.xml';
  const mapper = (pid: number): PortMapper =>
    new PortMapper({
      ...{ stateFile: join(dir, 'open-pinholes.json'), clock, network: gateway, protocols: VIAS, leaseS: LEASE_S, pid },
      ...{ random: (n) => random.bytes(n), wallMs: () => clock.now(), isAlive: () => false },
    });
  return { clock, gateway, mapper };
}

test.each(VIAS)('%s: opened, renewed at half its life, remembered, closed', async (via) => {
  const { clock, gateway, mapper } = setUp(via);
  const first = mapper(1);
  expect(await whileRunning(clock, first.map('udp', 4000))).toMatchObject({ via, externalAddress: OWN, externalPort: 4000, doubleNat: false });
  expect([...gateway.open.values()]).toMatchObject([{ protocol: 'udp', internalPort: 4000 }]);
  const before = gateway.asked.length;
  await advance(clock, (LEASE_S / 2) * 1000, 60_000);
  const renewal = via === 'pcp' ? 'pcp map udp 4000' : `upnp UpdatePinhole 4000 ${LEASE_S}`;
  expect(gateway.asked.slice(before).map(({ what }) => what)).toContain(renewal);
  expect(JSON.parse(readFileSync(join(dir, 'open-pinholes.json'), 'utf8')).open).toMatchObject([{ via, localAddress: OWN, internalPort: 4000 }]);
  await whileRunning(clock, first.stop());
  expect(gateway.open.size).toBe(0);
  expect(clock.pending).toBe(0);
});

test.each(VIAS)('%s: what a run left is closed by the next one', async (via) => {
  const { clock, gateway, mapper } = setUp(via);
  await whileRunning(clock, mapper(1).map('tcp', 4000));
  const next = mapper(2);
  await whileRunning(clock, next.removeLeftovers());
  expect(gateway.open.size).toBe(0);
  await next.stop();
});

test('a gateway that started anew is asked for the pinhole again, whatever it says to the old number', async () => {
  const { clock, gateway, mapper } = setUp('upnp');
  const kept = mapper(1);
  await whileRunning(clock, kept.map('udp', 4000));
  gateway.reboot();
  kept.networkChanged();
  await advance(clock, 1_000, 100);
  expect(gateway.open.size).toBe(1);
  await whileRunning(clock, kept.stop());
});

test('both at once: one pinhole; a refusal is told', async () => {
  const both = setUp('pcp', 'upnp');
  const mapper = both.mapper(1);
  await whileRunning(both.clock, mapper.map('udp', 4000));
  expect(both.gateway.open.size).toBe(1);
  await whileRunning(both.clock, mapper.stop());
  const strict = setUp('upnp');
  strict.gateway.upnpErrors.set('AddPinhole', [606]);
  const refused = await whileRunning(strict.clock, errorOf(strict.mapper(1).map('udp', 4000)));
  expect(refused.code).toBe('PORT_MAP_REFUSED');
});

test('the gateway is the nearest default route, with its zone where it is link-local', () => {
  const route = (next: string, metric: string, flags: string, device: string): string =>
    `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 ${next} ${metric} 00000001 00000000 ${flags} ${device}`;
  const linkLocal = 'fe800000000000000000000000000001';
  const table = [
    route('20010db8000000000000000000000001', '00000400', '00000003', 'eth1'),
    route(linkLocal, '00000064', '00450003', 'wlan0'),
    route('0'.repeat(32), '00000001', '00200200', 'lo'),
    'nonsense',
  ].join('\n');
  expect(gatewayFromProc6(table)).toBe('fe80::1%wlan0');
  expect(gatewayFromProc6(table.split('\n')[0] ?? '')).toBe('2001:db8::1');
  expect(gatewayFromProc6('')).toBeNull();
  expect(gatewayFromTable6('Internet6:\ndefault    fe80::1%en0    UGcg   en0\n')).toBe('fe80::1%en0');
  expect(gatewayFromTable6('  If Metric Network Destination      Gateway\n 12    266 ::/0                     fe80::1\n')).toBe('fe80::1%12');
});
