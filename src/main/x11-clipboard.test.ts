import { spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createRequire } from 'node:module';
import type { XDisplay } from 'x11';
import { describe, expect, test } from 'vitest';
import { watchX11Clipboard } from './x11-clipboard.ts';
import { startXvfb } from './xvfb-fixture.ts';

const usable = process.platform === 'linux' && spawnSync('which', ['Xvfb']).status === 0;
if (!usable) console.warn('SKIPPED: the test of the X11 clipboard needs Xvfb, and this machine has none.');

/** A program that copies something: the clipboard is its own afterwards. */
async function copy(display: string): Promise<() => void> {
  const x11 = createRequire(import.meta.url)('x11') as typeof import('x11');
  const { client, screen } = await new Promise<XDisplay>((resolve, reject) =>
    x11.createClient({ display }, (error, answer) => (error ? reject(error) : resolve(answer))),
  );
  const owner = client.AllocID();
  client.CreateWindow(owner, screen[0]?.root ?? 0, 0, 0, 1, 1);
  const atom = await new Promise<number>((resolve) => client.InternAtom(false, 'CLIPBOARD', (_error, answer) => resolve(answer)));
  client.SetSelectionOwner(owner, atom);
  return () => client.terminate();
}

describe.skipIf(!usable)('the clipboard of an X screen', () => {
  test('is reported whenever somebody copies, until nobody asks any more or the screen is gone', async () => {
    const { display, server } = await startXvfb();
    const seen = new EventEmitter();
    const [changed, ended] = [once(seen, 'changed'), once(seen, 'ended')];
    let unwanted = 0;
    const stopOther = await watchX11Clipboard(display, () => unwanted++, () => unwanted++);
    stopOther();
    await watchX11Clipboard(display, () => seen.emit('changed'), () => seen.emit('ended'));
    const close = await copy(display);
    await changed;
    close();
    const gone = once(server, 'exit');
    server.kill();
    await Promise.all([ended, gone]);
    expect(unwanted).toBe(0);
  });

  test('cannot be watched where there is no screen', async () => {
    await expect(watchX11Clipboard(':9999', () => {}, () => {})).rejects.toThrow();
  });
});
