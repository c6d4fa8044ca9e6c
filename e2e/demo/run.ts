/** `npm run demo`: the scenario with a line for each step. */
import { join } from 'node:path';
import { prepareApp } from '../lib/app.ts';
import { screenUnavailable } from '../lib/screen.ts';
import { labUnavailable } from '../natlab/index.ts';
import { Scenario } from './scenario.ts';

const output = join(import.meta.dirname, '..', 'output', 'demo');
const startedMs = performance.now();
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<void> {
  const missing = labUnavailable() ?? screenUnavailable();
  if (missing !== null) throw new Error(`the demo cannot run here: ${missing}`);
  const electron = prepareApp();
  say(`LiteDesk demo. Electron: ${electron.executable} (${electron.reason})\n`);
  let number = 0;
  const scenario = await Scenario.start({
    electron,
    output,
    onStep: ({ title, detail, ms }) => {
      number += 1;
      say(`${String(number).padStart(2)}  ${title.padEnd(16)} ${`${(ms / 1000).toFixed(2)} s`.padStart(8)}   ${detail}`);
    },
  });
  try {
    await scenario.connect();
    await scenario.typeThere('Hello from the other side of two routers');
    await scenario.screenshots();
    await scenario.disconnect();
  } catch (error) {
    say(`\nwhat the controlling app said:\n${await scenario.here.log().catch(() => '')}`);
    say(`\nwhat the shared app said:\n${await scenario.there.log().catch(() => '')}`);
    await scenario.here.screenshot('session', join(output, 'failed-session.png')).catch(() => {});
    await scenario.thereScreen.screenshot(join(output, 'failed-desktop.png')).catch(() => {});
    throw error;
  } finally {
    await scenario.destroy();
  }
  say(`\nDone in ${((performance.now() - startedMs) / 1000).toFixed(1)} s: the text typed on one computer was read on the other.`);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
