import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startXvfb } from '../xvfb-fixture.ts';
import { X11Injector } from './x11.ts';

const has = (name: string): boolean => spawnSync('which', [name]).status === 0;
const usable = process.platform === 'linux' && has('Xvfb') && has('xterm');
if (!usable) console.warn('SKIPPED: the X11 input tests need Xvfb and xterm, and this machine has not both.');

const dir = mkdtempSync(join(tmpdir(), 'litedesk-x11-'));
const children: ChildProcess[] = [];

/** Resolves with the content once `fits`; watches the folder, so it needs no clock of its own. */
function contentOf(path: string, fits: (text: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    const read = (): string => {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return '';
      }
    };
    const look = (): void => {
      const text = read();
      if (!fits(text)) return;
      watcher.close();
      resolve(text);
    };
    const watcher = watch(dir, look);
    look();
  });
}

describe.skipIf(!usable)('X11Injector under Xvfb', () => {
  let display = '';
  let injector: X11Injector;

  beforeAll(async () => {
    const screen = await startXvfb();
    display = screen.display;
    children.push(screen.server);
    injector = await X11Injector.open(display, () => {});
  });

  afterAll(() => {
    injector?.close();
    for (const child of children) child.kill();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A terminal that fills the screen and runs `cat` into a file; the pointer is over it, so that it has the focus. */
  async function terminal(name: string): Promise<string> {
    const file = join(dir, name);
    writeFileSync(file, '');
    const child = spawn('xterm', ['-u8', '-geometry', '130x40+0+0', '-e', 'sh', '-c', `touch ${file}.up; exec cat >> ${file}`], {
      env: { ...process.env, DISPLAY: display, LC_ALL: 'C.UTF-8' },
      stdio: 'ignore',
    });
    children.push(child);
    injector.inject({ type: 'move', x: 300, y: 200 });
    await contentOf(`${file}.up`, () => spawnSync('test', ['-e', `${file}.up`]).status === 0);
    return file;
  }

  test('types text of any script, and keys in all three ways', async () => {
    const file = await terminal('typed.txt');
    const text = 'Hello, World! é@你 ß€ Ünïcödé {}[]|\\~^ 日本語 Ж';
    injector.inject({ type: 'text', text: `${text}\n` });
    // Map mode: Shift held, then A (38) and without it b (56).
    for (const [keycode, down] of [[50, true], [38, true], [38, false], [50, false], [56, true], [56, false]] as const)
      injector.inject({ type: 'keycode', keycode, down });
    // Legacy: characters of the layout and one that it has not, with and without the modifier.
    injector.inject({ type: 'character', character: 'x', action: 'press' });
    injector.inject({ type: 'modifiers', held: ['Shift'] });
    injector.inject({ type: 'character', character: 'Y', action: 'press' });
    injector.inject({ type: 'modifiers', held: [] });
    injector.inject({ type: 'character', character: 'ё', action: 'press' });
    injector.inject({ type: 'named', key: 'Return', action: 'press' });
    await injector.settled();
    const typed = await contentOf(file, (now) => now.split('\n').length > 2);
    expect(typed).toBe(`${text}\nAbxYё\n`);
  });

  test('text does not depend on Caps Lock or on held modifiers', async () => {
    const file = await terminal('caps.txt');
    injector.inject({ type: 'keycode', keycode: 38, down: true, locks: { caps: true } });
    injector.inject({ type: 'keycode', keycode: 38, down: false });
    injector.inject({ type: 'text', text: 'bC' });
    injector.inject({ type: 'keycode', keycode: 38, down: true, locks: { caps: false } });
    injector.inject({ type: 'keycode', keycode: 38, down: false });
    injector.inject({ type: 'keycode', keycode: 37, down: true });
    injector.inject({ type: 'text', text: 'd\n' });
    injector.inject({ type: 'keycode', keycode: 37, down: false });
    await injector.settled();
    expect(await contentOf(file, (now) => now.includes('\n'))).toBe('AbCad\n');
  });

  test('gives lent keys back and leaves no key or button down', async () => {
    const keymap = (): string => spawnSync('xmodmap', ['-pke'], { env: { ...process.env, DISPLAY: display }, encoding: 'utf8' }).stdout;
    const other = await X11Injector.open(display, () => {});
    const before = keymap();
    other.inject({ type: 'button', button: 'left', down: true });
    other.inject({ type: 'keycode', keycode: 50, down: true });
    other.inject({ type: 'text', text: '你' });
    await other.settled();
    other.releaseAll();
    await other.settled();
    const state = await new Promise<number>((resolve, reject) => {
      // A second client asks, since only the server knows.
      X11Injector.open(display, () => {}).then(async (probe) => {
        const mask = await probe.mask();
        probe.close();
        resolve(mask);
      }, reject);
    });
    expect(state).toBe(0);
    other.close();
    await other.ended;
    if (has('xmodmap')) expect(keymap()).toBe(before);
  });
});
