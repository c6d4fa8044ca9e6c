/**
 * Physical keys: the DOM `code` against the three numberings of Map mode (session §4.2). Windows is the set-1 scan
 * code (extended keys 0xE0nn), Linux the X11 key code, macOS the virtual key code.
 */
export type KeyPlatform = 'windows' | 'linux' | 'macos';

// code, Windows (hex), X11 (decimal), macOS (hex); `-` = no such code.
const TABLE = `
KeyA 1E 38 00|KeyB 30 56 0B|KeyC 2E 54 08|KeyD 20 40 02|KeyE 12 26 0E|KeyF 21 41 03|KeyG 22 42 05|KeyH 23 43 04
KeyI 17 31 22|KeyJ 24 44 26|KeyK 25 45 28|KeyL 26 46 25|KeyM 32 58 2E|KeyN 31 57 2D|KeyO 18 32 1F|KeyP 19 33 23
KeyQ 10 24 0C|KeyR 13 27 0F|KeyS 1F 39 01|KeyT 14 28 11|KeyU 16 30 20|KeyV 2F 55 09|KeyW 11 25 0D|KeyX 2D 53 07
KeyY 15 29 10|KeyZ 2C 52 06
Digit1 02 10 12|Digit2 03 11 13|Digit3 04 12 14|Digit4 05 13 15|Digit5 06 14 17|Digit6 07 15 16|Digit7 08 16 1A
Digit8 09 17 1C|Digit9 0A 18 19|Digit0 0B 19 1D
Enter 1C 36 24|Escape 01 9 35|Backspace 0E 22 33|Tab 0F 23 30|Space 39 65 31|Minus 0C 20 1B|Equal 0D 21 18
BracketLeft 1A 34 21|BracketRight 1B 35 1E|Backslash 2B 51 2A|Semicolon 27 47 29|Quote 28 48 27|Backquote 29 49 32
Comma 33 59 2B|Period 34 60 2F|Slash 35 61 2C|IntlBackslash 56 94 0A|CapsLock 3A 66 39
F1 3B 67 7A|F2 3C 68 78|F3 3D 69 63|F4 3E 70 76|F5 3F 71 60|F6 40 72 61|F7 41 73 62|F8 42 74 64|F9 43 75 65
F10 44 76 6D|F11 57 95 67|F12 58 96 6F
PrintScreen E037 107 -|ScrollLock 46 78 -|Pause - 127 -|Insert E052 118 72|Home E047 110 73|PageUp E049 112 74
Delete E053 119 75|End E04F 115 77|PageDown E051 117 79|ArrowRight E04D 114 7C|ArrowLeft E04B 113 7B
ArrowDown E050 116 7D|ArrowUp E048 111 7E
NumLock 45 77 47|NumpadDivide E035 106 4B|NumpadMultiply 37 63 43|NumpadSubtract 4A 82 4E|NumpadAdd 4E 86 45
NumpadEnter E01C 104 4C|NumpadDecimal 53 91 41|Numpad0 52 90 52|Numpad1 4F 87 53|Numpad2 50 88 54|Numpad3 51 89 55
Numpad4 4B 83 56|Numpad5 4C 84 57|Numpad6 4D 85 58|Numpad7 47 79 59|Numpad8 48 80 5B|Numpad9 49 81 5C
ControlLeft 1D 37 3B|ShiftLeft 2A 50 38|AltLeft 38 64 3A|MetaLeft E05B 133 37|ControlRight E01D 105 3E
ShiftRight 36 62 3C|AltRight E038 108 3D|MetaRight E05C 134 36|ContextMenu E05D 135 6E`;

const forward: Record<KeyPlatform, Map<string, number>> = {
  windows: new Map(),
  linux: new Map(),
  macos: new Map(),
};
const backward: Record<KeyPlatform, Map<number, string>> = {
  windows: new Map(),
  linux: new Map(),
  macos: new Map(),
};

for (const entry of TABLE.trim().split(/[|\n]/)) {
  const [code, windows, linux, macos] = entry.trim().split(' ');
  if (!code) continue;
  const add = (platform: KeyPlatform, text: string | undefined, radix: number): void => {
    if (!text || text === '-') return;
    const value = Number.parseInt(text, radix);
    forward[platform].set(code, value);
    backward[platform].set(value, code);
  };
  add('windows', windows, 16);
  add('linux', linux, 10);
  add('macos', macos, 16);
}

/** All DOM codes of the table. */
export const KEY_CODES: readonly string[] = [...forward.linux.keys()];

/**
 * The table for a platform name of the wire: lower-cased without blanks; anything unknown counts as Linux; null for
 * Android, which has its own numbering that is not listed (session §4.2).
 */
export function keyPlatform(platform: string): KeyPlatform | null {
  const name = platform.toLowerCase().replaceAll(' ', '');
  if (name === 'windows' || name === 'macos') return name;
  return name === 'android' ? null : 'linux';
}

/** Key code in the numbering of `platform`, or undefined when it has none. */
export function codeToKeycode(platform: KeyPlatform, code: string): number | undefined {
  return forward[platform].get(code);
}

/** DOM code of a key code of `platform`, or undefined for keys outside the table. */
export function keycodeToCode(platform: KeyPlatform, keycode: number): string | undefined {
  return backward[platform].get(keycode);
}

/** True when Caps Lock matters for this key, so that its state travels along (session §4.2). */
export function isCapsKey(code: string): boolean {
  return /^Key[A-Z]$/.test(code) || /^(BracketLeft|BracketRight|Semicolon|Quote|Comma|Period)$/.test(code);
}

/** True when Num Lock matters for this key. */
export function isNumpadKey(code: string): boolean {
  return /^Numpad(\d|Decimal)$/.test(code);
}

/** The modifier that a DOM code is, if any. */
export function modifierOfCode(code: string): 'Alt' | 'Shift' | 'Control' | 'Meta' | undefined {
  const match = /^(Alt|Shift|Control|Meta)(Left|Right)$/.exec(code);
  return match?.[1] as 'Alt' | 'Shift' | 'Control' | 'Meta' | undefined;
}

// DOM code → ControlKey name (session §1.7) for Legacy mode; keys that are missing here are sent as characters.
const LEGACY_NAMES: Record<string, string> = {
  Enter: 'Return',
  Escape: 'Escape',
  Backspace: 'Backspace',
  Tab: 'Tab',
  Space: 'Space',
  CapsLock: 'CapsLock',
  PrintScreen: 'Snapshot',
  ScrollLock: 'Scroll',
  Pause: 'Pause',
  Insert: 'Insert',
  Home: 'Home',
  PageUp: 'PageUp',
  Delete: 'Delete',
  End: 'End',
  PageDown: 'PageDown',
  ArrowRight: 'RightArrow',
  ArrowLeft: 'LeftArrow',
  ArrowDown: 'DownArrow',
  ArrowUp: 'UpArrow',
  NumLock: 'NumLock',
  NumpadDivide: 'Divide',
  NumpadMultiply: 'Multiply',
  NumpadSubtract: 'Subtract',
  NumpadAdd: 'Add',
  NumpadEnter: 'NumpadEnter',
  NumpadDecimal: 'Decimal',
  NumpadEqual: 'Equals',
  ControlLeft: 'Control',
  ShiftLeft: 'Shift',
  AltLeft: 'Alt',
  MetaLeft: 'Meta',
  ControlRight: 'RControl',
  ShiftRight: 'RShift',
  AltRight: 'RAlt',
  MetaRight: 'RWin',
  ContextMenu: 'Apps',
  Help: 'Help',
  AudioVolumeMute: 'VolumeMute',
  AudioVolumeUp: 'VolumeUp',
  AudioVolumeDown: 'VolumeDown',
};
for (let n = 1; n <= 12; n++) LEGACY_NAMES[`F${n}`] = `F${n}`;
for (let n = 0; n <= 9; n++) LEGACY_NAMES[`Numpad${n}`] = `Numpad${n}`;

/** ControlKey name of a DOM code for Legacy mode, or undefined for keys that produce characters. */
export function legacyName(code: string): string | undefined {
  return Object.hasOwn(LEGACY_NAMES, code) ? LEGACY_NAMES[code] : undefined;
}
