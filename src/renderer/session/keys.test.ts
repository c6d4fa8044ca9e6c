import { describe, expect, test } from 'vitest';
import { isLeaveChord, type KeyInput, KeyTracker } from './keys.ts';

const key = (code: string, text: string, more: Partial<KeyInput> & { locks?: string[] } = {}): KeyInput => ({
  code,
  key: text,
  isComposing: false,
  keyCode: 0,
  getModifierState: (name) => more.locks?.includes(name) ?? false,
  ...more,
});
const sent = (code: string, text: string, down: boolean) => ({
  type: 'key',
  code,
  key: text,
  down,
  caps: false,
  num: false,
});

describe('KeyTracker', () => {
  test('down, repeat, up; the key that began is the key that ends', () => {
    const keys = new KeyTracker({ isWindows: false });
    expect(keys.down(key('KeyA', 'A'))).toEqual([sent('KeyA', 'A', true)]);
    expect(keys.down(key('KeyA', 'A'))).toEqual([sent('KeyA', 'A', true)]);
    expect(keys.up(key('KeyA', 'a'))).toEqual([sent('KeyA', 'A', false)]);
    expect(keys.held).toEqual([]);
  });

  test('a key that never went down does not go up', () => {
    expect(new KeyTracker({ isWindows: false }).up(key('AltLeft', 'Alt'))).toEqual([]);
  });

  test('locks go along', () => {
    const keys = new KeyTracker({ isWindows: false });
    expect(keys.down(key('KeyA', 'A', { locks: ['CapsLock', 'NumLock'] }))).toEqual([
      { ...sent('KeyA', 'A', true), caps: true, num: true },
    ]);
  });

  test('what an input method takes is no key', () => {
    const keys = new KeyTracker({ isWindows: false });
    expect(keys.down(key('KeyN', 'n', { isComposing: true }))).toEqual([]);
    expect(keys.down(key('KeyN', 'Process'))).toEqual([]);
    expect(keys.down(key('KeyN', 'n', { keyCode: 229 }))).toEqual([]);
    expect(keys.down(key('', 'Unidentified'))).toEqual([]);
    expect(keys.up(key('KeyN', 'n'))).toEqual([]);
  });

  test('release-keys once, and only when something is held', () => {
    const keys = new KeyTracker({ isWindows: false });
    expect(keys.releaseAll()).toEqual([]);
    keys.down(key('ShiftLeft', 'Shift'));
    expect(keys.releaseAll()).toEqual([{ type: 'release-keys' }]);
    expect(keys.releaseAll()).toEqual([]);
    expect(keys.up(key('ShiftLeft', 'Shift'))).toEqual([]);
  });

  test('the Control that Windows puts before AltGr is taken back', () => {
    const keys = new KeyTracker({ isWindows: true });
    keys.down(key('ControlLeft', 'Control'));
    expect(keys.down(key('AltRight', 'AltGraph'))).toEqual([
      sent('ControlLeft', 'Control', false),
      sent('AltRight', 'AltGraph', true),
    ]);
    expect(keys.up(key('ControlLeft', 'Control'))).toEqual([]);
    const elsewhere = new KeyTracker({ isWindows: false });
    elsewhere.down(key('ControlLeft', 'Control'));
    expect(elsewhere.down(key('AltRight', 'AltGraph'))).toHaveLength(1);
  });

  test('releasing Command lets go of the keys whose release macOS hides', () => {
    const keys = new KeyTracker({ isWindows: false });
    for (const code of ['ShiftLeft', 'MetaLeft', 'KeyC']) keys.down(key(code, code));
    expect(keys.up(key('MetaLeft', 'Meta'))).toEqual([
      sent('MetaLeft', 'MetaLeft', false),
      sent('KeyC', 'KeyC', false),
    ]);
    expect(keys.held).toEqual(['ShiftLeft']);
  });

  test('does not hold without end', () => {
    const keys = new KeyTracker({ isWindows: false });
    for (let i = 0; i < 500; i++) keys.down(key(`Made${i}`, 'x'));
    expect(keys.held.length).toBeLessThanOrEqual(64);
  });
});

test('Ctrl+Alt+Home leaves the screen', () => {
  expect(isLeaveChord({ code: 'Home', ctrlKey: true, altKey: true })).toBe(true);
  expect(isLeaveChord({ code: 'Home', ctrlKey: true, altKey: false })).toBe(false);
});
