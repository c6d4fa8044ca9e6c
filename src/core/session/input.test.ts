import { expect, test } from 'vitest';
import { hbb } from '../wire/proto.ts';
import { HostInput } from './host-input.ts';
import { FakeDesktop, setUpHost, setUpPair, type HostSetup } from './fixtures.ts';
import { codeToKeycode, KEY_CODES, keycodeToCode, keyPlatform } from './keymap.ts';
import { passwordHash, passwordProof } from '../crypto/password.ts';

const { Map: MapMode, Translate, Legacy } = hbb.KeyboardMode;
const Key = hbb.ControlKey;

function input(): { input: HostInput; desktop: FakeDesktop } {
  const desktop = new FakeDesktop();
  return { input: new HostInput(desktop.injector, 'Linux'), desktop };
}

const key = (event: hbb.IKeyEvent): hbb.KeyEvent => hbb.KeyEvent.decode(hbb.KeyEvent.encode(event).finish());

test('the tables are one to one in every column', () => {
  expect(KEY_CODES).toHaveLength(105);
  for (const platform of ['windows', 'linux', 'macos'] as const)
    for (const code of KEY_CODES) {
      const keycode = codeToKeycode(platform, code);
      if (keycode !== undefined) expect(keycodeToCode(platform, keycode)).toBe(code);
    }
  expect(codeToKeycode('windows', 'ArrowUp')).toBe(0xe048);
  expect(codeToKeycode('linux', 'KeyA')).toBe(38);
  expect(codeToKeycode('macos', 'KeyA')).toBe(0);
  expect([
    keyPlatform('Mac OS'),
    keyPlatform('Windows'),
    keyPlatform('Plan 9'),
    keyPlatform('Android'),
  ]).toEqual(['macos', 'windows', 'linux', null]);
});

test('mouse masks of every type', () => {
  const { input: host, desktop } = input();
  for (const event of [
    { mask: 0, x: 10, y: -4 },
    { mask: 9 },
    { mask: 10 },
    { mask: (16 << 3) | 1 },
    { mask: (3 << 3) | 1 },
    { mask: 3, y: -1 },
    { mask: 3, y: 100000 },
    { mask: 4, x: 5, y: 7 },
    { mask: 5, x: 99999, y: -3 },
    { mask: 7 },
  ])
    host.mouse(event);
  expect(desktop.events).toEqual([
    { type: 'move', x: 10, y: -4 },
    { type: 'button', button: 'left', down: true },
    { type: 'button', button: 'left', down: false },
    { type: 'button', button: 'forward', down: true },
    { type: 'wheel', dx: 0, dy: -1, fine: false },
    { type: 'wheel', dx: 0, dy: 100, fine: false },
    { type: 'wheel', dx: 5, dy: 7, fine: true },
    { type: 'move-relative', dx: 10000, dy: -3 },
  ]);
});

test('all keyboard modes', () => {
  const { input: host, desktop } = input();
  for (const event of [
    { mode: MapMode, chr: 38, down: true, modifiers: [Key.CapsLock] },
    { mode: MapMode, chr: 38 },
    { mode: MapMode, chr: 0, down: true },
    { mode: MapMode, chr: 5000, down: true },
    { mode: Legacy, chr: 99, press: true },
    { mode: Legacy, chr: 65, down: true, modifiers: [Key.Shift] },
    { mode: Legacy, chr: 65, modifiers: [Key.Shift] },
    { mode: Legacy, controlKey: Key.Return, press: true },
    { mode: Legacy, controlKey: Key.Delete, press: true, modifiers: [Key.Alt, Key.Control] },
    { mode: Legacy, controlKey: Key.CtrlAltDel, down: true },
    { mode: Legacy, controlKey: Key.CtrlAltDel },
    { seq: 'dée' },
    { unicode: 0x20ac },
    { unicode: 0xd800 },
    { mode: Translate, seq: 't', down: true },
    { mode: Translate, seq: 't' },
    { mode: Translate, chr: 36, down: true },
    {},
  ])
    host.key(key(event));
  expect(desktop.events).toEqual([
    { type: 'keycode', keycode: 38, down: true, locks: { caps: true } },
    { type: 'keycode', keycode: 38, down: false },
    { type: 'character', character: 'c', action: 'press' },
    { type: 'modifiers', held: ['Shift'] },
    { type: 'character', character: 'A', action: 'down' },
    { type: 'modifiers', held: ['Shift'] },
    { type: 'character', character: 'A', action: 'up' },
    { type: 'modifiers', held: [] },
    { type: 'named', key: 'Return', action: 'press' },
    { type: 'modifiers', held: ['Alt', 'Control'] },
    { type: 'named', key: 'Delete', action: 'press' },
    { type: 'modifiers', held: [] },
    { type: 'named', key: 'CtrlAltDel', action: 'press' },
    { type: 'text', text: 'dée' },
    { type: 'text', text: '€' },
    { type: 'text', text: 't' },
    { type: 'keycode', keycode: 36, down: true },
  ]);
});

test('a click with Control held by its key does not touch the modifiers', () => {
  const { input: host, desktop } = input();
  host.key(key({ mode: MapMode, chr: 37, down: true }));
  host.mouse({ mask: 9, modifiers: [Key.Control] });
  host.mouse({ mask: 10, modifiers: [Key.Control] });
  expect(desktop.events.some((event) => event.type === 'modifiers')).toBe(false);
});

test('our viewer drives our host: keys by place, buttons after a move', () => {
  const pair = setUpPair({ password: 'secret' });
  const { controller, desktop } = pair;
  controller.mouseButtonOn(0, 'left', true, 1000, 20);
  controller.mouseButtonOn(0, 'left', false, 1000, 20);
  controller.key('KeyQ', 'a', true, { caps: true });
  controller.key('KeyQ', 'a', false);
  controller.key('NumpadDecimal', '.', true, { num: true });
  controller.mouseWheel(0, 1);
  controller.typeText('ü😀');
  expect(desktop.events).toEqual([
    { type: 'move', x: 319, y: 20 },
    { type: 'button', button: 'left', down: true },
    { type: 'button', button: 'left', down: false },
    { type: 'keycode', keycode: 24, down: true, locks: { caps: true } },
    { type: 'keycode', keycode: 24, down: false },
    { type: 'keycode', keycode: 91, down: true, locks: { num: true } },
    { type: 'wheel', dx: 0, dy: 1, fine: false },
    { type: 'text', text: 'ü😀' },
  ]);
});

test('nothing stays down: when the window loses the keyboard, and when the session ends in any way', () => {
  const press = (pair: ReturnType<typeof setUpPair>): void => {
    for (const code of ['ShiftLeft', 'AltLeft', 'KeyA', 'F5']) pair.controller.key(code, 'x', true);
    pair.controller.mouseButton('right', true);
  };
  const blur = setUpPair({ password: 'secret' });
  press(blur);
  expect(blur.desktop.down).toHaveLength(5);
  blur.controller.releaseKeys();
  expect(blur.desktop.down).toEqual([]);
  blur.controller.releaseKeys();
  expect(
    blur.desktop.events.filter((event) => event.type === 'keycode' && event.keycode === 64),
  ).toHaveLength(4);

  const ends: ((pair: ReturnType<typeof setUpPair>) => void)[] = [
    (pair) => pair.host.disconnect(),
    (pair) => pair.controllerLink.destroy(new Error('cable')),
    (pair) => pair.host.setPermission('keyboard', false),
    (pair) => {
      pair.controllerLink.auto = false;
      pair.clock.advance(31_000);
    },
  ];
  for (const end of ends) {
    const pair = setUpPair({ password: 'secret' });
    press(pair);
    end(pair);
    expect(pair.desktop.releases).toBe(1);
  }
  const order = setUpPair({ password: 'secret' });
  press(order);
  order.controller.close();
  expect(order.desktop.down).toEqual([]);
});

test('input and clipboard follow the permission and the options', () => {
  const pair = setUpPair({ password: 'secret' });
  pair.host.setPermission('keyboard', false);
  expect(pair.controllerEvents.of('permission').at(-1)).toEqual({ name: 'keyboard', enabled: false });
  pair.controller.key('KeyA', 'a', true);
  pair.controller.sendClipboard('no');
  expect(pair.desktop.events).toEqual([]);
  expect(pair.desktop.clipboard).toBe('');
  pair.host.setPermission('keyboard', true);
  pair.controller.key('KeyA', 'a', true);
  expect(pair.desktop.events).toHaveLength(1);

  // A viewer that does not keep to it is stopped by the host.
  const bare = setUpHost({ permissions: { ...pair.host.permissions, keyboard: false } });
  openBare(bare);
  bare.talker.send({ keyEvent: { mode: MapMode, chr: 38, down: true } });
  bare.talker.send({ mouseEvent: { mask: 9 } });
  bare.talker.send({ clipboard: { content: new TextEncoder().encode('x') } });
  expect(bare.desktop.events).toEqual([]);
  expect(bare.desktop.clipboard).toBe('');
});

function openBare(setup: HostSetup): void {
  const hash = setup.talker.last('hash') as hbb.Hash;
  const password = passwordProof(passwordHash('secret', hash.salt), hash.challenge);
  setup.talker.send({
    loginRequest: { username: '123456789', password, myId: '1', version: '1.4.6', myPlatform: '' },
  });
  expect(setup.host.open).toBe(true);
}

test('before login nothing is acted on', () => {
  const setup = setUpHost();
  setup.talker.send({ keyEvent: { mode: MapMode, chr: 38, down: true } });
  setup.talker.send({ mouseEvent: { mask: 9 } });
  setup.talker.send({ misc: { chatMessage: { text: 'hi' } } });
  setup.talker.send({ screenshotRequest: { display: 0, sid: 'a' } });
  expect(setup.desktop.events).toEqual([]);
  expect(setup.events.of('chat')).toEqual([]);
  expect(setup.talker.names).not.toContain('screenshotResponse');
});

test('clipboard text goes both ways and does not come back', () => {
  const pair = setUpPair({ password: 'secret' });
  pair.controller.sendClipboard('von hier 你好');
  expect(pair.desktop.clipboard).toBe('von hier 你好');
  expect(pair.controllerEvents.of('clipboard')).toEqual([]);
  pair.desktop.clipboardWatcher?.('von dort');
  expect(pair.controllerEvents.of('clipboard')).toEqual([{ text: 'von dort' }]);
  pair.controller.setOption({ disableClipboard: true });
  pair.desktop.clipboardWatcher?.('noch mehr');
  expect(pair.controllerEvents.of('clipboard')).toHaveLength(1);
});

test('chat both ways, screenshot and the polite refusals', async () => {
  const pair = setUpPair({ password: 'secret' });
  pair.controller.chat('hello');
  pair.host.chat('welcome');
  expect(pair.events.of('chat')).toEqual([{ text: 'hello' }]);
  expect(pair.controllerEvents.of('chat')).toEqual([{ text: 'welcome' }]);

  const bare = setUpHost();
  openBare(bare);
  bare.talker.send({ screenshotRequest: { display: 0, sid: 's1' } });
  await Promise.resolve();
  expect(bare.talker.last('screenshotResponse')).toMatchObject({ sid: 's1', msg: '' });
  bare.talker.send({ misc: { togglePrivacyMode: { implKey: 'k', on: true } } });
  expect(bare.talker.last('misc')).toMatchObject({ backNotification: { privacyModeState: 3, implKey: 'k' } });
  bare.talker.send({ misc: { messageQuery: { switchDisplay: 0 } } });
  expect(bare.talker.last('misc')).toMatchObject({ switchDisplay: { display: 0, width: 320 } });
  bare.talker.send({ voiceCallRequest: { isConnect: true, reqTimestamp: 5n } });
  expect(bare.talker.last('voiceCallResponse')).toMatchObject({ accepted: false, reqTimestamp: 5n });
  // A viewer without platform gets the single form of the clipboard.
  bare.desktop.clipboardWatcher?.('text');
  expect(bare.talker.names.at(-1)).toBe('clipboard');
});
