import { hbb } from '../wire/proto.ts';
import type { InputEvent, InputInjector, Modifier, MouseButton, PlatformName } from './contract.ts';
import { isCapsKey, isNumpadKey, keycodeToCode, keyPlatform, modifierOfCode } from './keymap.ts';
import * as limits from './limits.ts';

const BUTTONS = new Map<number, MouseButton>([
  [1, 'left'],
  [2, 'right'],
  [4, 'middle'],
  [8, 'back'],
  [16, 'forward'],
]);

const MODIFIERS: Record<string, Modifier> = {
  Alt: 'Alt',
  RAlt: 'Alt',
  Option: 'Alt',
  Shift: 'Shift',
  RShift: 'Shift',
  Control: 'Control',
  RControl: 'Control',
  Meta: 'Meta',
  RWin: 'Meta',
};

/** Reduces mouse and keyboard messages in all their modes (session §4) to what an injector understands. */
export class HostInput {
  readonly #injector: InputInjector;
  readonly #platform: PlatformName;
  /** Modifiers that are down because a key event said so; by key, since left and right count separately. */
  readonly #held = new Map<string, Modifier>();
  /** Set while something is down that `releaseAll` must lift. */
  #touched = false;
  /** Modifiers that were set for one click or key only. */
  #borrowed = false;

  constructor(injector: InputInjector, platform: PlatformName) {
    this.#injector = injector;
    this.#platform = platform;
  }

  mouse(event: hbb.IMouseEvent): void {
    const mask = event.mask ?? 0;
    const x = event.x ?? 0;
    const y = event.y ?? 0;
    switch (mask & 7) {
      case 0:
        this.#inject({ type: 'move', x, y });
        break;
      case 1:
      case 2: {
        const button = BUTTONS.get(mask >> 3);
        if (!button) return;
        const down = (mask & 7) === 1;
        if (down) this.#syncModifiers(event.modifiers ?? []);
        this.#inject({ type: 'button', button, down });
        if (!down) this.#restoreModifiers();
        break;
      }
      case 3:
        this.#wheel(x, y, false, limits.WHEEL_LIMIT);
        break;
      case 4:
        this.#wheel(x, y, true, limits.WHEEL_FINE_LIMIT);
        break;
      case 5: {
        const max = limits.RELATIVE_MOVE_LIMIT;
        this.#inject({ type: 'move-relative', dx: clamp(x, max), dy: clamp(y, max) });
        break;
      }
      default:
        break;
    }
  }

  key(event: hbb.KeyEvent): void {
    const map = event.mode === hbb.KeyboardMode.Map;
    const translate = event.mode === hbb.KeyboardMode.Translate;
    switch (event.union) {
      case 'seq': {
        // In Translate mode text comes with the press and must not come again with a release (session §4.2).
        const text = (event.seq ?? '').slice(0, limits.TYPED_TEXT_LENGTH);
        if (text && (!translate || event.down || event.press)) this.#inject({ type: 'text', text });
        break;
      }
      case 'unicode': {
        const text = character(event.unicode ?? 0);
        if (text) this.#inject({ type: 'text', text });
        break;
      }
      case 'chr':
        if (map || translate) this.#keycode(event);
        else this.#character(event);
        break;
      case 'controlKey':
        this.#named(event);
        break;
      case 'win2winHotkey': {
        const text = character((event.win2winHotkey ?? 0) & 0xffff);
        if (text) this.#inject({ type: 'character', character: text, action: action(event) });
        break;
      }
      default:
        break;
    }
  }

  /** Lifts every key and button that is down. */
  release(): void {
    this.#held.clear();
    this.#borrowed = false;
    if (!this.#touched) return;
    this.#touched = false;
    this.#injector.releaseAll();
  }

  #keycode(event: hbb.KeyEvent): void {
    const keycode = event.chr ?? 0;
    const platform = keyPlatform(this.#platform);
    if (!platform || !validKeycode(platform, keycode)) return;
    const code = keycodeToCode(platform, keycode);
    const modifier = code ? modifierOfCode(code) : undefined;
    const locks = this.#locks(event, code);
    const edges = event.press ? [true, false] : [event.down];
    for (const down of edges) {
      if (modifier) this.#hold(code ?? '', modifier, down);
      this.#inject(
        locks && down ? { type: 'keycode', keycode, down, locks } : { type: 'keycode', keycode, down },
      );
    }
  }

  /** The lock state travels with the keys it matters for, and with no others (session §4.2). */
  #locks(event: hbb.KeyEvent, code: string | undefined): { caps?: boolean; num?: boolean } | undefined {
    if (!code) return undefined;
    const names = event.modifiers ?? [];
    if (isCapsKey(code)) return { caps: names.includes(hbb.ControlKey.CapsLock) };
    if (isNumpadKey(code)) return { num: names.includes(hbb.ControlKey.NumLock) };
    return undefined;
  }

  #character(event: hbb.KeyEvent): void {
    const text = character(event.chr ?? 0);
    if (!text) return;
    this.#syncModifiers(event.modifiers ?? []);
    this.#inject({ type: 'character', character: text, action: action(event) });
    if (action(event) !== 'down') this.#restoreModifiers();
  }

  #named(event: hbb.KeyEvent): void {
    const key = hbb.ControlKey[event.controlKey ?? 0];
    if (!key || key === 'Unknown') return;
    if (key === 'CtrlAltDel' || key === 'LockScreen') {
      // Commands, not keys: they act once, on the press (session §4.2).
      if (event.down || event.press) this.#inject({ type: 'named', key, action: 'press' });
      return;
    }
    const modifier = MODIFIERS[key];
    if (modifier && !event.press) {
      this.#hold(key, modifier, event.down);
      this.#inject({ type: 'named', key, action: action(event) });
      return;
    }
    this.#syncModifiers(event.modifiers ?? []);
    this.#inject({ type: 'named', key, action: action(event) });
    if (action(event) !== 'down') this.#restoreModifiers();
  }

  #wheel(dx: number, dy: number, fine: boolean, limit: number): void {
    if (dx === 0 && dy === 0) return;
    this.#inject({ type: 'wheel', dx: clamp(dx, limit), dy: clamp(dy, limit), fine });
  }

  #hold(key: string, modifier: Modifier, down: boolean): void {
    if (down) this.#held.set(key, modifier);
    else this.#held.delete(key);
  }

  /** Makes the modifiers those of the event, for its duration (session §4.1, §4.2 Legacy). */
  #syncModifiers(keys: readonly hbb.ControlKey[]): void {
    const wanted = new Set<Modifier>();
    for (const key of keys.slice(0, 16)) {
      const modifier = MODIFIERS[hbb.ControlKey[key] ?? ''];
      if (modifier) wanted.add(modifier);
    }
    const held = new Set(this.#held.values());
    if (!this.#borrowed && wanted.size === held.size && [...wanted].every((modifier) => held.has(modifier)))
      return;
    this.#borrowed = true;
    this.#inject({ type: 'modifiers', held: [...wanted] });
  }

  #restoreModifiers(): void {
    if (!this.#borrowed) return;
    this.#borrowed = false;
    this.#inject({ type: 'modifiers', held: [...new Set(this.#held.values())] });
  }

  #inject(event: InputEvent): void {
    if (event.type !== 'move' && event.type !== 'move-relative') this.#touched = true;
    this.#injector.inject(event);
  }
}

function action(event: hbb.KeyEvent): 'down' | 'up' | 'press' {
  return event.press ? 'press' : event.down ? 'down' : 'up';
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

/** One Unicode character, or '' for what is none. */
function character(code: number): string {
  if (code <= 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '';
  return String.fromCodePoint(code);
}

function validKeycode(platform: 'windows' | 'linux' | 'macos', keycode: number): boolean {
  if (platform === 'linux') return keycode >= 8 && keycode <= 255;
  if (platform === 'macos') return keycode >= 0 && keycode <= 0x7f;
  return (keycode > 0 && keycode <= 0x7f) || (keycode >= 0xe001 && keycode <= 0xe07f);
}
