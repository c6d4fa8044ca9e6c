/**
 * Input on Windows through SendInput (session §4). NOT TESTED on a real Windows machine yet; written from the
 * documentation of the interface. 64-bit only: the layout of INPUT below is that of 64-bit processes.
 */
import { createRequire } from 'node:module';
import type { InputEvent, Modifier, MouseButton } from '../../core/session/contract.ts';
import type { PlatformInjector } from './injector.ts';

const INPUT_BYTES = 40;
const TYPE = { mouse: 0, keyboard: 1 } as const;
const MOUSE = { move: 0x1, wheel: 0x800, hwheel: 0x1000, virtualDesk: 0x4000, absolute: 0x8000 } as const;
const KEY = { extended: 0x1, up: 0x2, unicode: 0x4, scanCode: 0x8 } as const;
const NOTCH = 120;
/** Flags for down and up, and the number of the extra buttons. */
const BUTTONS: Record<MouseButton, { down: number; up: number; data: number }> = {
  left: { down: 0x2, up: 0x4, data: 0 },
  right: { down: 0x8, up: 0x10, data: 0 },
  middle: { down: 0x20, up: 0x40, data: 0 },
  back: { down: 0x80, up: 0x100, data: 1 },
  forward: { down: 0x80, up: 0x100, data: 2 },
};
const METRIC = { left: 76, top: 77, width: 78, height: 79 } as const;
const VK = { shift: 0x10, control: 0x11, alt: 0x12, capsLock: 0x14, meta: 0x5b, numLock: 0x90 } as const;
const MODIFIER_VK: Record<Modifier, number> = { Alt: VK.alt, Shift: VK.shift, Control: VK.control, Meta: VK.meta };

/** Virtual key codes of the ControlKey names (session §1.7). */
const NAMED: Record<string, number> = {
  Alt: 0x12, Backspace: 0x08, CapsLock: 0x14, Control: 0x11, Delete: 0x2e, DownArrow: 0x28, End: 0x23, Escape: 0x1b,
  F1: 0x70, F2: 0x71, F3: 0x72, F4: 0x73, F5: 0x74, F6: 0x75, F7: 0x76, F8: 0x77, F9: 0x78, F10: 0x79, F11: 0x7a,
  F12: 0x7b, Home: 0x24, LeftArrow: 0x25, Meta: 0x5b, Option: 0x12, PageDown: 0x22, PageUp: 0x21, Return: 0x0d,
  RightArrow: 0x27, Shift: 0x10, Space: 0x20, Tab: 0x09, UpArrow: 0x26, Numpad0: 0x60, Numpad1: 0x61, Numpad2: 0x62,
  Numpad3: 0x63, Numpad4: 0x64, Numpad5: 0x65, Numpad6: 0x66, Numpad7: 0x67, Numpad8: 0x68, Numpad9: 0x69,
  Cancel: 0x03, Clear: 0x0c, Menu: 0x5d, Pause: 0x13, Kana: 0x15, Hangul: 0x15, Junja: 0x17, Final: 0x18, Hanja: 0x19,
  Kanji: 0x19, Convert: 0x1c, Select: 0x29, Print: 0x2a, Execute: 0x2b, Snapshot: 0x2c, Insert: 0x2d, Help: 0x2f,
  Sleep: 0x5f, Separator: 0x6c, Scroll: 0x91, NumLock: 0x90, RWin: 0x5c, Apps: 0x5d, Multiply: 0x6a, Add: 0x6b,
  Subtract: 0x6d, Decimal: 0x6e, Divide: 0x6f, Equals: 0x92, NumpadEnter: 0x0d, RShift: 0xa1, RControl: 0xa3,
  RAlt: 0xa5, VolumeMute: 0xad, VolumeUp: 0xaf, VolumeDown: 0xae,
};
/** Virtual keys that exist twice; these are the ones with the extended bit. */
const EXTENDED = new Set([0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x2d, 0x2e, 0x5b, 0x5c, 0x5d, 0x6f, 0x90, 0xa3, 0xa5]);

interface User32 {
  sendInput(inputs: Buffer, count: number): void;
  metric(index: number): number;
  keyState(vk: number): number;
  keyScan(unit: number): number;
  lock(): void;
}

function bindUser32(): User32 {
  if (process.arch !== 'x64' && process.arch !== 'arm64') throw new Error('input needs a 64-bit program');
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load('user32.dll');
  const sendInput = library.func('uint32_t __stdcall SendInput(uint32_t count, const void *inputs, int size)');
  const lock = library.func('bool __stdcall LockWorkStation()');
  return {
    sendInput: (inputs, count) => void sendInput(count, inputs, INPUT_BYTES),
    metric: library.func('int __stdcall GetSystemMetrics(int index)') as (index: number) => number,
    keyState: library.func('int16_t __stdcall GetKeyState(int vk)') as (vk: number) => number,
    keyScan: library.func('int16_t __stdcall VkKeyScanW(uint16_t unit)') as (unit: number) => number,
    lock: () => void lock(),
  };
}

/** A key as it went down: a scan code or a virtual key. */
interface Key {
  readonly vk: number;
  readonly scan: number;
  readonly extended: boolean;
}

class WindowsInjector implements PlatformInjector {
  readonly #user32: User32;
  readonly #keys = new Map<string, Key>();
  readonly #buttons = new Set<MouseButton>();

  constructor(user32: User32) {
    this.#user32 = user32;
  }

  inject(event: InputEvent): void {
    switch (event.type) {
      case 'move': {
        const { metric } = this.#user32;
        const scale = (value: number, origin: number, size: number): number =>
          Math.round(((value - origin) * 65_535) / Math.max(1, size - 1));
        const x = scale(event.x, metric(METRIC.left), metric(METRIC.width));
        const y = scale(event.y, metric(METRIC.top), metric(METRIC.height));
        this.#mouse(x, y, 0, MOUSE.move | MOUSE.absolute | MOUSE.virtualDesk);
        return;
      }
      case 'move-relative':
        this.#mouse(Math.round(event.dx), Math.round(event.dy), 0, MOUSE.move);
        return;
      case 'button':
        this.#button(event.button, event.down);
        return;
      case 'wheel': {
        const unit = event.fine ? 1 : NOTCH;
        if (event.dy !== 0) this.#mouse(0, 0, Math.round(event.dy * unit), MOUSE.wheel);
        // The wire counts left as positive, Windows right.
        if (event.dx !== 0) this.#mouse(0, 0, Math.round(-event.dx * unit), MOUSE.hwheel);
        return;
      }
      case 'keycode': {
        if (event.down && event.locks) this.#setLocks(event.locks);
        const { keycode } = event;
        this.#key(`scan:${keycode}`, { vk: 0, scan: keycode & 0xff, extended: keycode >> 8 === 0xe0 }, event.down);
        return;
      }
      case 'named':
        this.#named(event.key, event.action);
        return;
      case 'character':
        this.#character(event.character, event.action);
        return;
      case 'modifiers':
        for (const modifier of ['Alt', 'Shift', 'Control', 'Meta'] as const) this.#hold(modifier, event.held.includes(modifier));
        return;
      case 'text':
        this.#type(event.text);
    }
  }

  releaseAll(): void {
    for (const button of this.#buttons) this.#button(button, false);
    for (const [name, key] of [...this.#keys]) this.#key(name, key, false);
  }

  close(): void {
    this.releaseAll();
  }

  #mouse(dx: number, dy: number, data: number, flags: number): void {
    const input = Buffer.alloc(INPUT_BYTES);
    input.writeUInt32LE(TYPE.mouse, 0);
    input.writeInt32LE(dx, 8);
    input.writeInt32LE(dy, 12);
    input.writeInt32LE(data, 16);
    input.writeUInt32LE(flags, 20);
    this.#user32.sendInput(input, 1);
  }

  #keyboard(vk: number, scan: number, flags: number): void {
    const input = Buffer.alloc(INPUT_BYTES);
    input.writeUInt32LE(TYPE.keyboard, 0);
    input.writeUInt16LE(vk, 8);
    input.writeUInt16LE(scan, 10);
    input.writeUInt32LE(flags, 12);
    this.#user32.sendInput(input, 1);
  }

  #button(button: MouseButton, down: boolean): void {
    if (down) this.#buttons.add(button);
    else if (!this.#buttons.delete(button)) return;
    const { data, ...flags } = BUTTONS[button];
    this.#mouse(0, 0, data, down ? flags.down : flags.up);
  }

  #key(name: string, key: Key, down: boolean): void {
    if (down) this.#keys.set(name, key);
    else this.#keys.delete(name);
    const flags = (key.scan ? KEY.scanCode : 0) | (key.extended ? KEY.extended : 0) | (down ? 0 : KEY.up);
    this.#keyboard(key.vk, key.scan, flags);
  }

  #named(name: string, action: 'down' | 'up' | 'press'): void {
    if (name === 'LockScreen') {
      this.#user32.lock();
      return;
    }
    // Ctrl+Alt+Del is reserved for services by the system.
    const vk = NAMED[name];
    if (vk === undefined) return;
    const key: Key = { vk, scan: 0, extended: EXTENDED.has(vk) || name === 'NumpadEnter' };
    if (action !== 'up') this.#key(`named:${name}`, key, true);
    if (action !== 'down') this.#key(`named:${name}`, key, false);
  }

  #character(character: string, action: 'down' | 'up' | 'press'): void {
    const scan = character.length === 1 ? this.#user32.keyScan(character.charCodeAt(0)) : -1;
    if (scan === -1) {
      if (action !== 'up') this.#type(character);
      return;
    }
    const key: Key = { vk: scan & 0xff, scan: 0, extended: false };
    const shift = (scan & 0x100) !== 0 && !this.#keys.has('hold:Shift');
    if (shift) this.#keyboard(VK.shift, 0, 0);
    if (action !== 'up') this.#key(`chr:${character}`, key, true);
    if (action !== 'down') this.#key(`chr:${character}`, key, false);
    if (shift) this.#keyboard(VK.shift, 0, KEY.up);
  }

  #hold(modifier: Modifier, down: boolean): void {
    const name = `hold:${modifier}`;
    if (down !== this.#keys.has(name)) this.#key(name, { vk: MODIFIER_VK[modifier], scan: 0, extended: modifier === 'Meta' }, down);
  }

  #type(text: string): void {
    for (const unit of text.replaceAll('\r\n', '\n').replaceAll('\n', '\r').split('')) {
      this.#keyboard(0, unit.charCodeAt(0), KEY.unicode);
      this.#keyboard(0, unit.charCodeAt(0), KEY.unicode | KEY.up);
    }
  }

  #setLocks(locks: { caps?: boolean; num?: boolean }): void {
    const toggle = (wanted: boolean | undefined, vk: number): void => {
      if (wanted === undefined || wanted === ((this.#user32.keyState(vk) & 1) !== 0)) return;
      this.#keyboard(vk, 0, 0);
      this.#keyboard(vk, 0, KEY.up);
    };
    toggle(locks.caps, VK.capsLock);
    toggle(locks.num, VK.numLock);
  }
}

export function createWindowsInjector(): PlatformInjector {
  return new WindowsInjector(bindUser32());
}
