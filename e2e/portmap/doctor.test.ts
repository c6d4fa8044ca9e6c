import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, CliProcess } from '../lib/cli-process.ts';
import { World } from '../lib/world.ts';
import { labUnavailable, miniupnpdUnavailable, PUBLIC_LOOKING, startMiniupnpd } from '../natlab/index.ts';

const unavailable = labUnavailable() ?? miniupnpdUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, the doctor behind a gateway with miniupnpd: ${unavailable}`);
else buildCli();

describe.skipIf(unavailable !== null)('litedesk doctor tells whether ports can be opened', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ a: 'port-restricted', b: 'port-restricted', c: 'port-restricted' }, [], { segment: PUBLIC_LOOKING });
    await Promise.all([
      startMiniupnpd(world.lab, 'a'),
      startMiniupnpd(world.lab, 'b', { natPmpAndPcp: false, rules: ['deny 0-65535 0.0.0.0/0 0-65535'] }),
    ]);
  });
  afterAll(() => world?.lab.destroy());

  async function portMapping(place: string): Promise<Record<string, unknown>> {
    const data = join(world.lab.directory, `doctor-${place}`);
    const { events, code } = await new CliProcess(world.lab.host(place), ['doctor', '--data', data, ...world.serverArgs]).finished(60_000);
    expect(code).toBe(0);
    return events.find((event) => event['name'] === 'port-mapping') ?? {};
  }

  test('opened, forbidden, not offered', async () => {
    const [opened, forbidden, none] = await Promise.all([portMapping('a'), portMapping('b'), portMapping('c')]);
    expect(opened).toMatchObject({ status: 'ok', detail: expect.stringContaining(world.lab.host('a').publicAddress) });
    expect(forbidden).toMatchObject({ status: 'warn', code: 'PORT_MAP_REFUSED', hint: expect.stringContaining('router') });
    expect(none).toMatchObject({ status: 'skip', hint: expect.stringContaining('UPnP') });
  });
});
