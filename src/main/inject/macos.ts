/**
 * Input on macOS through CGEvent (session §4). NOT TESTED on a real Mac yet; written from the documentation of the
 * interface. The user must allow it under Privacy & Security → Accessibility.
 */
import { createRequire } from 'node:module';
import type { InputEvent, Modifier, MouseButton } from '../../core/session/contract.ts';
import type { PlatformInjector } from './injector.ts';

const FRAMEWORK = '/System/Library/Frameworks/ApplicationServices.framework/ApplicationServices';
const HID_TAP = 0;
const MOVED = 5;
/** CGEventType for down, up and drag, and CGMouseButton. */
const BUTTONS: Record<MouseButton, { down: number; up: number; drag: number; number: number }> = {
  left: { down: 1, up: 2, drag: 6, number: 0 },
  right: { down: 3, up: 4, drag: 7, number: 1 },
  middle: { down: 25, up: 26, drag: 27, number: 2 },
  back: { down: 25, up: 26, drag: 27, number: 3 },
  forward: { down: 25, up: 26, drag: 27, number: 4 },
};
const SCROLL = { pixel: 0, line: 1 } as const;
/** CGEventFlags and the key that holds each. */
const MODIFIERS: Record<Modifier, { flag: number; keycode: number }> = {
  Shift: { flag: 0x20000, keycode: 0x38 },
  Control: { flag: 0x40000, keycode: 0x3b },
  Alt: { flag: 0x80000, keycode: 0x3a },
  Meta: { flag: 0x100000, keycode: 0x37 },
};
const MODIFIER_KEYS = new Map<number, number>([
  [0x38, 0x20000], [0x3c, 0x20000], [0x3b, 0x40000], [0x3e, 0x40000],
  [0x3a, 0x80000], [0x3d, 0x80000], [0x37, 0x100000], [0x36, 0x100000],
]);
/** Virtual key codes of the ControlKey names (session §1.7) that a Mac keyboard has. */
const NAMED: Record<string, number> = {
  Alt: 0x3a, Backspace: 0x33, CapsLock: 0x39, Control: 0x3b, Delete: 0x75, DownArrow: 0x7d, End: 0x77, Escape: 0x35,
  F1: 0x7a, F2: 0x78, F3: 0x63, F4: 0x76, F5: 0x60, F6: 0x61, F7: 0x62, F8: 0x64, F9: 0x65, F10: 0x6d, F11: 0x67,
  F12: 0x6f, Home: 0x73, LeftArrow: 0x7b, Meta: 0x37, Option: 0x3a, PageDown: 0x79, PageUp: 0x74, Return: 0x24,
  RightArrow: 0x7c, Shift: 0x38, Space: 0x31, Tab: 0x30, UpArrow: 0x7e, Numpad0: 0x52, Numpad1: 0x53, Numpad2: 0x54,
  Numpad3: 0x55, Numpad4: 0x56, Numpad5: 0x57, Numpad6: 0x58, Numpad7: 0x59, Numpad8: 0x5b, Numpad9: 0x5c,
  Clear: 0x47, Menu: 0x6e, Apps: 0x6e, Insert: 0x72, Help: 0x72, NumLock: 0x47, RWin: 0x36, Multiply: 0x43, Add: 0x45,
  Subtract: 0x4e, Decimal: 0x41, Divide: 0x4b, Equals: 0x51, NumpadEnter: 0x4c, RShift: 0x3c, RControl: 0x3e,
  RAlt: 0x3d, VolumeMute: 0x4a, VolumeUp: 0x48, VolumeDown: 0x49,
};
const KEY_Q = 0x0c;
/** UTF-16 units that one event carries safely. */
const UNITS_PER_EVENT = 16;

interface Point {
  x: number;
  y: number;
}

interface Quartz {
  mouse(type: number, at: Point, button: number): void;
  scroll(units: number, dy: number, dx: number): void;
  key(keycode: number, down: boolean, flags: number): void;
  text(units: Uint16Array): void;
  pointer(): Point;
}

function bindQuartz(): Quartz {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(FRAMEWORK);
  koffi.struct('CGPoint', { x: 'double', y: 'double' });
  const newEvent = library.func('void *CGEventCreate(void *source)');
  const newMouse = library.func('void *CGEventCreateMouseEvent(void *source, uint32_t type, CGPoint at, uint32_t button)');
  const newKey = library.func('void *CGEventCreateKeyboardEvent(void *source, uint16_t key, bool down)');
  const newScroll = library.func(
    'void *CGEventCreateScrollWheelEvent2(void *source, uint32_t units, uint32_t count, int32_t one, int32_t two, int32_t three)',
  );
  const setFlags = library.func('void CGEventSetFlags(void *event, uint64_t flags)');
  const setText = library.func('void CGEventKeyboardSetUnicodeString(void *event, unsigned long length, const uint16_t *text)');
  const location = library.func('CGPoint CGEventGetLocation(void *event)');
  const postEvent = library.func('void CGEventPost(uint32_t tap, void *event)');
  const release = library.func('void CFRelease(void *object)');
  const post = (event: unknown): void => {
    if (!event) return;
    postEvent(HID_TAP, event);
    release(event);
  };
  return {
    mouse: (type, at, button) => post(newMouse(null, type, at, button)),
    scroll: (units, dy, dx) => post(newScroll(null, units, 2, dy, dx, 0)),
    key: (keycode, down, flags) => {
      const event: unknown = newKey(null, keycode, down);
      if (event) setFlags(event, flags);
      post(event);
    },
    text: (units) => {
      for (const down of [true, false]) {
        const event: unknown = newKey(null, 0, down);
        if (event) {
          setFlags(event, 0);
          setText(event, units.length, units);
        }
        post(event);
      }
    },
    pointer: () => {
      const event: unknown = newEvent(null);
      if (!event) return { x: 0, y: 0 };
      const at = location(event) as Point;
      release(event);
      return at;
    },
  };
}

class MacInjector implements PlatformInjector {
  readonly #quartz: Quartz;
  readonly #keys = new Set<number>();
  readonly #buttons = new Set<MouseButton>();

  constructor(quartz: Quartz) {
    this.#quartz = quartz;
  }

  inject(event: InputEvent): void {
    switch (event.type) {
      case 'move':
        this.#move({ x: event.x, y: event.y });
        return;
      case 'move-relative': {
        const { x, y } = this.#quartz.pointer();
        this.#move({ x: x + event.dx, y: y + event.dy });
        return;
      }
      case 'button':
        this.#button(event.button, event.down);
        return;
      case 'wheel':
        // Signs are those of the wire: up and left are positive.
        this.#quartz.scroll(event.fine ? SCROLL.pixel : SCROLL.line, Math.round(event.dy), Math.round(event.dx));
        return;
      case 'keycode':
        this.#key(event.keycode, event.down);
        return;
      case 'named':
        this.#named(event.key, event.action);
        return;
      case 'character':
        if (event.action !== 'up') this.#character(event.character);
        return;
      case 'modifiers':
        for (const modifier of ['Alt', 'Shift', 'Control', 'Meta'] as const) {
          const { keycode } = MODIFIERS[modifier];
          const wanted = event.held.includes(modifier);
          if (wanted !== this.#keys.has(keycode)) this.#key(keycode, wanted);
        }
        return;
      case 'text':
        this.#type(event.text);
    }
  }

  releaseAll(): void {
    for (const button of [...this.#buttons]) this.#button(button, false);
    for (const keycode of [...this.#keys]) this.#key(keycode, false);
  }

  close(): void {
    this.releaseAll();
  }

  #move(at: Point): void {
    const [held] = this.#buttons;
    this.#quartz.mouse(held ? BUTTONS[held].drag : MOVED, at, held ? BUTTONS[held].number : 0);
  }

  #button(button: MouseButton, down: boolean): void {
    if (down) this.#buttons.add(button);
    else if (!this.#buttons.delete(button)) return;
    const { number, ...types } = BUTTONS[button];
    this.#quartz.mouse(down ? types.down : types.up, this.#quartz.pointer(), number);
  }

  #key(keycode: number, down: boolean): void {
    if (down) this.#keys.add(keycode);
    else this.#keys.delete(keycode);
    let flags = 0;
    for (const held of this.#keys) flags |= MODIFIER_KEYS.get(held) ?? 0;
    this.#quartz.key(keycode, down, flags);
  }

  #named(name: string, action: 'down' | 'up' | 'press'): void {
    if (name === 'LockScreen') {
      this.#quartz.key(KEY_Q, true, MODIFIERS.Control.flag | MODIFIERS.Meta.flag);
      this.#quartz.key(KEY_Q, false, 0);
      return;
    }
    const keycode = NAMED[name];
    if (keycode === undefined) return;
    if (action !== 'up') this.#key(keycode, true);
    if (action !== 'down') this.#key(keycode, false);
  }

  #character(character: string): void {
    this.#type(character);
  }

  #type(text: string): void {
    const normal = text.replaceAll('\r\n', '\n').replaceAll('\n', '\r');
    for (let at = 0; at < normal.length; at += UNITS_PER_EVENT) {
      const part = normal.slice(at, at + UNITS_PER_EVENT);
      this.#quartz.text(Uint16Array.from(part.split('').map((unit) => unit.charCodeAt(0))));
    }
  }
}

export function createMacInjector(): PlatformInjector {
  return new MacInjector(bindQuartz());
}
