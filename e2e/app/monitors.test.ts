import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Scenario } from '../demo/scenario.ts';
import { prepareApp } from '../lib/app.ts';
import { monitorsUnavailable, pixelOf, screenUnavailable } from '../lib/screen.ts';
import { labUnavailable } from '../natlab/index.ts';

const unavailable = labUnavailable() ?? screenUnavailable() ?? monitorsUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, several monitors: ${unavailable}`);

const OUTPUT = join(import.meta.dirname, '..', 'output', 'monitors');
const FIRST = { width: 1280, height: 800 };
const SECOND = { width: 1024, height: 768 };
/** Of the terminal that fills the second monitor. */
const TERMINAL_COLOUR = [125, 40, 70] as const;
const COLOUR_TOLERANCE = 14;
const CANVAS = '[data-testid="session-canvas"]';

describe.skipIf(unavailable !== null)('a computer with two monitors', () => {
  let scenario: Scenario;
  beforeAll(async () => {
    const places = { controller: 'open', controlled: 'open' } as const;
    scenario = await Scenario.start({ electron: prepareApp(), output: OUTPUT, monitors: [FIRST, SECOND], places });
    const typed = join(scenario.world.lab.directory, 'second.txt');
    const { thereScreen } = scenario;
    thereScreen.open('xterm', [
      ...['-T', 'second', '-geometry', `170x60+${FIRST.width}+0`, '-bg', `rgb:${TERMINAL_COLOUR.map((part) => part.toString(16)).join('/')}`],
      ...['-e', 'sh', '-c', 'cat > "$0"', typed],
    ]);
    await thereScreen.waitForWindow('second');
    await scenario.connect({ terminal: false });
  });
  afterAll(() => scenario?.destroy());

  test('is seen monitor by monitor', async () => {
    const { here } = scenario;
    await here.waitFor('session', 'session-canvas', { extra: `[width="${FIRST.width}"]` });
    await here.click('session', 'session-display-1');
    await here.waitFor('session', 'session-display-1', { extra: '[aria-pressed="true"]' });
    await here.waitFor('session', 'session-canvas', { extra: `[width="${SECOND.width}"]` });
    expect(await colourAt(0.5, 0.6)).toSatisfy(isTerminal);
  });

  test('takes keys and pointer on the monitor that is shown', async () => {
    const { here, thereScreen, world } = scenario;
    await thereScreen.focusFollowsPointer();
    const box = await here.box('session', 'session-canvas');
    await here.mouse('session', box.x + box.width / 2, box.y + box.height / 2);
    await here.type('session', 'on the second');
    await here.press('session', 'Enter');
    await expect.poll(() => read(join(world.lab.directory, 'second.txt')), { timeout: 15_000 }).toBe('on the second\n');
  });

  test('is followed when its resolution changes', async () => {
    const { here, thereScreen } = scenario;
    await thereScreen.setResolution(1, { width: 800, height: 600 });
    await here.waitFor('session', 'session-canvas', { extra: '[width="800"][height="600"]' });
    expect(await colourAt(0.5, 0.6)).toSatisfy(isTerminal);
  });

  /** The colour in the picture, at this share of its width and height. */
  async function colourAt(x: number, y: number): Promise<readonly number[]> {
    const { here } = scenario;
    const file = join(OUTPUT, 'monitor.png');
    await here.screenshot('session', file);
    const size = (await here.evaluate('session', `(({ width, height }) => ({ width, height }))(document.querySelector('${CANVAS}'))`)) as typeof FIRST;
    const box = await here.box('session', 'session-canvas');
    const scale = Math.min(box.width / size.width, box.height / size.height);
    return pixelOf(file, box.x + box.width / 2 + (x - 0.5) * size.width * scale, box.y + box.height / 2 + (y - 0.5) * size.height * scale);
  }
});

function isTerminal(colour: readonly number[]): boolean {
  return TERMINAL_COLOUR.every((part, index) => Math.abs((colour[index] ?? 0) - part) <= COLOUR_TOLERANCE);
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
