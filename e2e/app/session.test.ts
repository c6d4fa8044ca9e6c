import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DESKTOP_COLOUR, Scenario } from '../demo/scenario.ts';
import { prepareApp } from '../lib/app.ts';
import { pixelOf, screenUnavailable } from '../lib/screen.ts';
import { labUnavailable } from '../natlab/index.ts';

const unavailable = labUnavailable() ?? screenUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, the app end to end: ${unavailable}`);

const OUTPUT = join(import.meta.dirname, '..', 'output', 'session');
/** Video is compressed and scaled: a colour may be off by this much in each part of 255. */
const COLOUR_TOLERANCE = 14;

describe.skipIf(unavailable !== null)('the app on two computers behind two routers', () => {
  let scenario: Scenario;
  beforeAll(async () => {
    scenario = await Scenario.start({ electron: prepareApp(), output: OUTPUT });
  });
  afterAll(() => scenario?.destroy());

  test('shows an ID, a one-time password and the kind of network', async () => {
    expect((await scenario.here.text('home', 'home-id')).replaceAll(/\s/g, '')).toMatch(/^\d{6,12}$/);
    expect((await scenario.here.text('home', 'home-password')).trim()).toMatch(/^\S{6,}$/);
    expect(['asymmetric', 'unknown']).toContain(await scenario.here.attribute('home', 'home-nat', 'data-nat'));
  });

  test('connects by ID and password, directly', async () => {
    const { path } = await scenario.connect();
    expect(['tcp', 'udp']).toContain(path);
  });

  test('text typed here arrives in a terminal there', async () => {
    await scenario.typeThere('Sphinx of black quartz, judge my vow! 1234567890 @#$%&*()[]{}');
    await scenario.typeThere('é ü ß 你好');
  });

  test('the picture has the colours of the other desktop', async () => {
    await scenario.screenshots();
    const at = await scenario.toWindow(1_240, 40);
    const seen = pixelOf(join(OUTPUT, 'session.png'), at.x, at.y);
    for (const [index, part] of DESKTOP_COLOUR.entries())
      expect(Math.abs((seen[index] ?? 0) - part), `${seen} for ${DESKTOP_COLOUR}`).toBeLessThanOrEqual(COLOUR_TOLERANCE);
    if (process.env['LITEDESK_WRITE_DOCS'] === '1')
      for (const name of ['home', 'session', 'password', 'settings'])
        copyFileSync(join(OUTPUT, `${name}.png`), join(import.meta.dirname, '..', '..', 'docs', 'images', `${name}.png`));
  });

  test('the shared computer says who is connected and lets go of them', async () => {
    await scenario.there.waitFor('host-bar', 'hostbar');
    await scenario.there.click('host-bar', 'hostbar-disconnect');
    await scenario.here.waitFor('session', 'session-closed');
  });
});
