import { hbb } from '../wire/proto.ts';
import type { MouseButton } from './contract.ts';
import type { Locks } from './controller-types.ts';
import { codeToKeycode, isCapsKey, isNumpadKey, keyPlatform, legacyName, modifierOfCode } from './keymap.ts';
import * as limits from './limits.ts';
import { versionAtLeast } from './version.ts';

const BUTTON_BITS: Record<MouseButton, number> = { left: 1, right: 2, middle: 4, back: 8, forward: 16 };
const MODIFIER_KEYS = {
  Alt: hbb.ControlKey.Alt,
  Shift: hbb.ControlKey.Shift,
  Control: hbb.ControlKey.Control,
  Meta: hbb.ControlKey.Meta,
} as const;

export interface ControllerInputTarget {
  /** Platform and version of the host. */
  platform: string;
  version: string;
}

/** Turns keys and pointer of this side into messages, and remembers what is down so that nothing stays down (§4). */
export class ControllerInput {
  readonly #send: (message: hbb.IMessage) => void;
  /** The message that lifts each held key, by DOM code. */
  readonly #held = new Map<string, { up: hbb.IKeyEvent; legacy: boolean }>();
  readonly #buttons = new Set<MouseButton>();
  #target: ControllerInputTarget = { platform: '', version: '' };
  #x = Number.NaN;
  #y = Number.NaN;

  constructor(send: (message: hbb.IMessage) => void) {
    this.#send = send;
  }

  setTarget(target: ControllerInputTarget): void {
    this.#target = target;
  }

  /** Absolute coordinates of the host's virtual desktop. */
  move(x: number, y: number): void {
    this.#x = Math.round(x);
    this.#y = Math.round(y);
    this.#mouse(0, this.#x, this.#y);
  }

  moveRelative(dx: number, dy: number): void {
    if (!versionAtLeast(this.#target.version, '1.4.5')) return;
    const max = limits.RELATIVE_MOVE_LIMIT;
    const clamp = (value: number): number => Math.max(-max, Math.min(max, Math.round(value)));
    this.#x = Number.NaN;
    this.#mouse(5, clamp(dx), clamp(dy));
  }

  /** With a place, the pointer is moved there first: hosts click where the pointer is (session §4.1). */
  button(button: MouseButton, down: boolean, at?: { x: number; y: number }): void {
    if (at && (Math.round(at.x) !== this.#x || Math.round(at.y) !== this.#y)) this.move(at.x, at.y);
    if (down) this.#buttons.add(button);
    else this.#buttons.delete(button);
    this.#mouse((BUTTON_BITS[button] << 3) | (down ? 1 : 2), 0, 0);
  }

  /** Wire signs: dy > 0 is away from the user, dx > 0 is left; notches, or with `fine` about pixels (session §4.1). */
  wheel(dx: number, dy: number, fine: boolean): void {
    const x = Math.round(dx);
    const y = Math.round(dy);
    if (x !== 0 || y !== 0) this.#mouse(fine ? 4 : 3, x, y);
  }

  key(code: string, key: string, down: boolean, locks: Locks): void {
    if (!down) {
      const held = this.#held.get(code);
      if (!held) return;
      this.#held.delete(code);
      this.#key(held.legacy ? { ...held.up, modifiers: this.#modifiers(code) } : held.up);
      return;
    }
    // Repeats come as further downs of a key that is held; only new keys count against the bound.
    if (!this.#held.has(code) && this.#held.size >= limits.MAX_HELD_KEYS) return;
    const mapped = this.#mapped(code);
    if (mapped !== undefined) {
      const event: hbb.IKeyEvent = { chr: mapped, mode: hbb.KeyboardMode.Map };
      const modifiers = lockKeys(code, locks);
      if (modifiers.length > 0) event.modifiers = modifiers;
      this.#held.set(code, { up: { ...event, down: false }, legacy: false });
      this.#key({ ...event, down: true });
      return;
    }
    this.#legacy(code, key);
  }

  /** Types text as it stands, whatever the layouts (session §4.2). */
  text(text: string): void {
    for (let at = 0; at < text.length; ) {
      let end = Math.min(text.length, at + limits.TYPED_TEXT_LENGTH);
      // Not through the middle of a surrogate pair.
      const unit = text.charCodeAt(end - 1);
      if (end < text.length && unit >= 0xd800 && unit <= 0xdbff) end--;
      this.#key({ seq: text.slice(at, end) });
      at = end;
    }
  }

  ctrlAltDel(): void {
    if (keyPlatform(this.#target.platform) === 'windows')
      this.#key({ controlKey: hbb.ControlKey.CtrlAltDel, down: true });
    else
      this.#key({
        controlKey: hbb.ControlKey.Delete,
        modifiers: [hbb.ControlKey.Alt, hbb.ControlKey.Control],
        press: true,
      });
  }

  lockScreen(): void {
    this.#key({ controlKey: hbb.ControlKey.LockScreen, down: true });
  }

  /** Lifts everything that is down; to be called when the window loses the keyboard. */
  releaseAll(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const [, { up }] of held) this.#key(up);
    const alt = held.find(([code]) => modifierOfCode(code) === 'Alt');
    if (alt) {
      // Alt+Tab leaves Alt alone down and up, which opens menus on the host; a second tap closes them (session §4.2).
      const [, { up, legacy }] = alt;
      if (legacy) this.#key({ ...up, press: true });
      else {
        this.#key({ ...up, down: true });
        this.#key(up);
      }
    }
    for (const button of [...this.#buttons]) this.button(button, false);
  }

  #mapped(code: string): number | undefined {
    const platform = keyPlatform(this.#target.platform);
    if (!platform || !versionAtLeast(this.#target.version, '1.2.0')) return undefined;
    return codeToKeycode(platform, code);
  }

  #legacy(code: string, key: string): void {
    const name = legacyName(code);
    const modifiers = this.#modifiers(code);
    let event: hbb.IKeyEvent;
    if (name) event = { controlKey: hbb.ControlKey[name as keyof typeof hbb.ControlKey], modifiers };
    else {
      const point = key.codePointAt(0);
      // `key` is a name such as "Unidentified" unless it is exactly one character.
      if (point === undefined || String.fromCodePoint(point) !== key) return;
      event = { chr: point, modifiers };
    }
    // Locks are not sent in Legacy mode: the host has its own (session §4.2).
    if (name === 'CapsLock' || name === 'NumLock' || name === 'Scroll') return;
    if (name === 'Pause') {
      this.#key({ ...event, press: true });
      return;
    }
    this.#held.set(code, { up: { ...event, down: false }, legacy: true });
    this.#key({ ...event, down: true });
  }

  /** Held modifiers except the key itself. */
  #modifiers(except?: string): hbb.ControlKey[] {
    const result = new Set<hbb.ControlKey>();
    for (const code of this.#held.keys()) {
      const modifier = code === except ? undefined : modifierOfCode(code);
      if (modifier) result.add(MODIFIER_KEYS[modifier]);
    }
    return [...result];
  }

  #mouse(mask: number, x: number, y: number): void {
    const modifiers = this.#modifiers();
    this.#send({ mouseEvent: modifiers.length > 0 ? { mask, x, y, modifiers } : { mask, x, y } });
  }

  #key(event: hbb.IKeyEvent): void {
    this.#send({ keyEvent: event });
  }
}

function lockKeys(code: string, locks: Locks): hbb.ControlKey[] {
  if (locks.caps && isCapsKey(code)) return [hbb.ControlKey.CapsLock];
  if (locks.num && isNumpadKey(code)) return [hbb.ControlKey.NumLock];
  return [];
}
