/** Gateways that lie, and strangers who answer in their place. */
import { beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { forEachSeed, seededRandom } from '../../core/testing/seeds.ts';
import { advance, errorOf, makeMapper, settle, TestGateway, whileRunning } from './test-gateway.ts';
import type { MappingVia } from './types.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});
const during = <T>(work: Promise<T>): Promise<T> => whileRunning(clock, work);

const lie = async (tamper: TestGateway['tamper'], via: MappingVia = 'pcp'): Promise<string> => {
  const gateway = new TestGateway(clock, via);
  gateway.tamper = tamper;
  const mapper = makeMapper(clock, gateway, { protocols: [via] });
  const { code } = await errorOf(during(mapper.map('udp', 4000)));
  const { reason } = mapper.report().protocols[via];
  await during(mapper.stop());
  expect([clock.pending, gateway.doors]).toEqual([0, 0]);
  return `${code} ${reason}`;
};
const onlyMaps =
  (change: (answer: Uint8Array) => void): TestGateway['tamper'] =>
  (answer, deliver, from) => {
    if (answer.length >= 16 && answer.length !== 24) change(answer);
    deliver(answer, from);
  };

test.each([
  ['another nonce', onlyMaps((answer) => answer.fill(1, 24, 36)), 'PORT_MAP_NO_ANSWER '],
  ['another port of ours', onlyMaps((answer) => answer.fill(1, 40, 42)), 'PORT_MAP_NO_ANSWER '],
  ['another protocol', onlyMaps((answer) => answer.fill(6, 36, 37)), 'PORT_MAP_NO_ANSWER '],
  ['no port', onlyMaps((answer) => answer.fill(0, 42, 44)), 'PORT_MAP_REFUSED what it answered makes no sense'],
  ['no life', onlyMaps((answer) => answer.fill(0, 4, 8)), 'PORT_MAP_REFUSED what it answered makes no sense'],
  ['another sender', ((answer, deliver) => deliver(answer, { host: '192.168.1.66', port: 5351 })) as TestGateway['tamper'], 'PORT_MAP_NO_ANSWER '],
  ['another port of the sender', ((answer, deliver, { host }) => deliver(answer, { host, port: 5350 })) as TestGateway['tamper'], 'PORT_MAP_NO_ANSWER '],
  [
    'ten thousand datagrams of garbage',
    ((_, deliver, from) => {
      const random = seededRandom(3);
      for (let i = 0; i < 10_000; i++) deliver(Uint8Array.of(9, ...random.bytes(40)), from);
    }) as TestGateway['tamper'],
    'PORT_MAP_NO_ANSWER what it answered is not part of the protocol',
  ],
])('PCP with %s', async (_, tamper, outcome) => expect(await lie(tamper)).toBe(outcome));

test('garbage and forged answers before the real one do not stop it', async () => {
  const gateway = new TestGateway(clock, 'pcp');
  gateway.tamper = (answer, deliver, from) => {
    deliver(Uint8Array.of(9, 9, 9), from);
    deliver(answer, { host: '192.168.1.66', port: 5351 });
    deliver(answer, from);
  };
  const mapper = makeMapper(clock, gateway);
  expect((await during(mapper.map('udp', 4000))).via).toBe('pcp');
  await during(mapper.stop());
});

test('whatever a gateway does, the mapper asks within bounds and ends clean', async () => {
  await forEachSeed(150, async (random) => {
    clock = new VirtualClock();
    const gateway = new TestGateway(clock, ...(['pcp', 'nat-pmp', 'upnp'] as const).filter(() => random.chance(0.7)));
    gateway.tamper = (answer, deliver, from) => {
      if (random.chance(0.2)) return;
      if (random.chance(0.2)) answer.fill(random.below(256), random.below(answer.length));
      for (let copies = random.between(1, 2); copies > 0; copies--) deliver(answer.subarray(0, random.chance(0.1) ? random.below(answer.length) : undefined), from);
    };
    const mapper = makeMapper(clock, gateway);
    const works = Promise.allSettled([mapper.map('udp', 4000), mapper.map('tcp', 4001)]);
    for (let step = 0; step < 40; step++) {
      if (random.chance(0.1)) gateway.reboot();
      if (random.chance(0.1)) gateway.announce();
      if (random.chance(0.1)) gateway.externalAddress = `198.51.101.${random.between(1, 250)}`;
      if (random.chance(0.05)) gateway.result = random.below(16);
      if (random.chance(0.1)) gateway.maxLifetimeS = random.pick([1, 30, 7_200, 4_294_967_295]);
      if (random.chance(0.1)) mapper.networkChanged();
      await advance(clock, random.pick([500, 5_000, 60_000]), 2_500);
    }
    const minutes = clock.now() / 60_000;
    expect(gateway.asked.length / minutes).toBeLessThan(250);
    await during(mapper.stop());
    await during(works);
    await settle();
    expect([clock.pending, gateway.doors]).toEqual([0, 0]);
  });
});
