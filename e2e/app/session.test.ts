import { once } from 'node:events';
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
/** Of the service behind the other computer. */
const WEB_PORT = 8_099;

/** Takes a picture of this run over into the README, when that is asked for. */
function writeToDocs(name: string): void {
  if (process.env['LITEDESK_WRITE_DOCS'] !== '1') return;
  copyFileSync(join(OUTPUT, `${name}.png`), join(import.meta.dirname, '..', '..', 'docs', 'images', `${name}.png`));
}

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
    await scenario.connect();
    // It may begin at the relay.
    await scenario.here.waitFor('session', 'session-path', { extra: ':not([data-value="relay"])' });
    expect(['tcp', 'udp']).toContain(await scenario.here.attribute('session', 'session-path', 'data-value'));
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
    for (const name of ['home', 'session', 'password', 'settings']) writeToDocs(name);
  });

  test('the way of the session is shown, with what else was tried', async () => {
    const { here } = scenario;
    await here.click('session', 'session-route');
    await here.waitFor('session', 'route-panel', { extra: ':not([data-path="relay"])' });
    expect(await here.text('session', 'route-why')).toContain('directly from computer to computer');
    expect(await here.text('session', 'route-attempts')).toContain('worked');
    await here.screenshot('session', join(OUTPUT, 'route.png'));
    writeToDocs('route');
    await here.click('session', 'route-close');
  });

  test('a network that goes away and comes back: the window says so, and the session goes on', async () => {
    const { here, world } = scenario;
    world.lab.cut('all');
    await here.waitFor('session', 'session-reconnecting');
    await here.screenshot('session', join(OUTPUT, 'reconnecting.png'));
    world.lab.cut([]);
    await here.waitFor('session', 'session-reconnecting', { state: 'detached' });
    await scenario.typeThere('back again');
  });

  test('a service behind the other computer is used here as if it were here', async () => {
    const { here, there, world } = scenario;
    const id = await there.text('home', 'home-id');
    const password = (await there.text('home', 'home-password')).trim();
    await there.click('home', 'nav-tunnels');
    await there.click('home', 'rule-add');
    await there.fill('home', 'rule-host', 'localhost');
    await there.fill('home', 'rule-ports', String(WEB_PORT));
    await there.click('home', 'rule-save');
    await there.waitFor('home', 'rules');
    const page = 'served behind the other router';
    const serve = `require('http').createServer((_, answer) => answer.end('${page}')).listen(${WEB_PORT}, '127.0.0.1', () => console.log('up'))`;
    await once(world.lab.host('there').spawn(process.execPath, ['-e', serve]).stdout ?? process, 'data');

    await here.click('home', 'nav-tunnels');
    await here.click('home', 'tunnel-add');
    await here.fill('home', 'tunnel-peer', id);
    await here.fill('home', 'tunnel-port', String(WEB_PORT));
    await here.fill('home', 'tunnel-listen-port', '8080');
    await here.fill('home', 'tunnel-name', 'Wiki');
    await here.click('home', 'tunnel-save');
    await here.waitFor('home', 'tunnel', { extra: '[data-phase="password"]' });
    await here.click('home', 'tunnel-password');
    await here.fill('home', 'tunnel-peer-password', password);
    await here.click('home', 'tunnel-save');
    await here.waitFor('home', 'tunnel', { extra: '[data-phase="ready"]' });
    const answer = await world.lab.host('here').run('curl', ['-s', '--max-time', '10', 'http://127.0.0.1:8080/']);
    expect(answer.stdout).toBe(page);
    await here.screenshot('home', join(OUTPUT, 'tunnels.png'));
    writeToDocs('tunnels');

    await there.click('home', 'tunnel-add');
    await there.click('home', 'tunnel-kind-publish');
    await there.select('home', 'tunnel-protocol', 'tcp');
    await there.fill('home', 'tunnel-port', String(WEB_PORT));
    await there.click('home', 'tunnel-save');
    await there.waitFor('home', 'tunnel', { extra: '[data-phase="ready"]' });
    const published = await world.lab.host('here').run('curl', ['-sS', '--max-time', '10', await there.text('home', 'tunnel-address')]);
    expect(published.stdout, published.stderr).toBe(page);
    await there.screenshot('home', join(OUTPUT, 'published.png'));

    await there.click('home', 'rule-remove');
    await there.waitFor('home', 'rules', { state: 'detached' });
    const refused = await world.lab.host('here').run('curl', ['-s', '--max-time', '10', 'http://127.0.0.1:8080/']);
    expect(refused.code).not.toBe(0);
    await here.waitFor('home', 'tunnel-error');
    expect(await here.text('home', 'tunnel-error')).toContain('TUNNEL_NOT_ALLOWED');
  });

  test('the shared computer says who is connected and lets go of them', async () => {
    await scenario.there.waitFor('host-bar', 'hostbar');
    await scenario.there.click('host-bar', 'hostbar-disconnect');
    await scenario.here.waitFor('session', 'session-closed');
  });

  test('without its window it is still there for others, and comes back when it is started again', async () => {
    const { here, there } = scenario;
    await there.closeWindow('home');
    await here.click('session', 'session-again');
    await here.waitFor('session', 'password-input');
    await there.startAgain();
    expect(await there.text('home', 'home-password')).toMatch(/^\S{6,}$/);
  });
});
