import { beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/testing/seeds.ts';
import { PortMapper } from '../../net/portmap/index.ts';
import { TestGateway, whileRunning } from '../../net/portmap/test-gateway.ts';
import type { Finding } from './check.ts';
import { checkPortMapping } from './port-mapping.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});

function check(gateway: TestGateway, signal = new AbortController().signal): Promise<Finding> {
  const random = seededRandom(1);
  const mapper = new PortMapper({ stateFile: null, clock, network: gateway, random: (count) => random.bytes(count) });
  const late = new AbortController();
  clock.setTimer(6_000, () => late.abort());
  return whileRunning(clock, checkPortMapping(mapper, 4000, signal, late.signal));
}

test('a gateway that opens ports: by what, and its address; nothing stays open', async () => {
  const gateway = new TestGateway(clock, 'pcp', 'upnp');
  expect(await check(gateway)).toEqual({
    status: 'ok',
    detail: 'The gateway 192.168.1.1 opens ports by PCP (it also speaks UPnP); its address outside is 198.51.101.7.',
  });
  expect(gateway.open.size).toBe(0);
});

test('a second NAT outside is a warning', async () => {
  const gateway = new TestGateway(clock, 'nat-pmp');
  gateway.externalAddress = '100.64.0.9';
  expect(await check(gateway)).toMatchObject({ status: 'warn', code: 'PORT_MAP_DOUBLE_NAT', detail: expect.stringContaining('100.64.0.9') });
});

test('a refusal is a warning with its reason', async () => {
  const gateway = new TestGateway(clock, 'pcp');
  gateway.result = 2;
  expect(await check(gateway)).toMatchObject({ status: 'warn', code: 'PORT_MAP_REFUSED', detail: expect.stringContaining('NOT_AUTHORIZED') });
});

test('no gateway, one that is silent, and an interruption are no faults', async () => {
  const gateway = new TestGateway(clock);
  expect(await check(gateway)).toMatchObject({ status: 'skip', hint: expect.stringContaining('UPnP') });
  gateway.present = false;
  expect((await check(gateway)).status).toBe('skip');
});
