/** Keysyms: X11's names for what a key means (X protocol, appendix A). */
import type { Modifier } from '../../core/session/contract.ts';

/** ControlKey names of session §1.7. */
export const NAMED_KEYSYMS: Record<string, number> = {
  Alt: 0xffe9, Backspace: 0xff08, CapsLock: 0xffe5, Control: 0xffe3, Delete: 0xffff, DownArrow: 0xff54, End: 0xff57,
  Escape: 0xff1b, F1: 0xffbe, F2: 0xffbf, F3: 0xffc0, F4: 0xffc1, F5: 0xffc2, F6: 0xffc3, F7: 0xffc4, F8: 0xffc5,
  F9: 0xffc6, F10: 0xffc7, F11: 0xffc8, F12: 0xffc9, Home: 0xff50, LeftArrow: 0xff51, Meta: 0xffeb, Option: 0xffe9,
  PageDown: 0xff56, PageUp: 0xff55, Return: 0xff0d, RightArrow: 0xff53, Shift: 0xffe1, Space: 0x20, Tab: 0xff09,
  UpArrow: 0xff52, Numpad0: 0xffb0, Numpad1: 0xffb1, Numpad2: 0xffb2, Numpad3: 0xffb3, Numpad4: 0xffb4,
  Numpad5: 0xffb5, Numpad6: 0xffb6, Numpad7: 0xffb7, Numpad8: 0xffb8, Numpad9: 0xffb9, Cancel: 0xff69, Clear: 0xff0b,
  Menu: 0xff67, Pause: 0xff13, Kana: 0xff2d, Hangul: 0xff31, Junja: 0xff38, Final: 0xff34, Hanja: 0xff34,
  Kanji: 0xff21, Convert: 0xff23, Select: 0xff60, Print: 0xff61, Execute: 0xff62, Snapshot: 0xff61, Insert: 0xff63,
  Help: 0xff6a, Sleep: 0x1008ff2f, Separator: 0xffac, Scroll: 0xff14, NumLock: 0xff7f, RWin: 0xffec, Apps: 0xff67,
  Multiply: 0xffaa, Add: 0xffab, Subtract: 0xffad, Decimal: 0xffae, Divide: 0xffaf, Equals: 0xffbd,
  NumpadEnter: 0xff8d, RShift: 0xffe2, RControl: 0xffe4, RAlt: 0xffea, VolumeMute: 0x1008ff12, VolumeUp: 0x1008ff13,
  VolumeDown: 0x1008ff11, Power: 0x1008ff2a, LockScreen: 0x1008ff2d,
};

/** Keysyms that hold a modifier, the one to press first. */
export const MODIFIER_KEYSYMS: Record<Modifier, readonly number[]> = {
  Alt: [0xffe9, 0xffea, 0xfe03],
  Shift: [0xffe1, 0xffe2],
  Control: [0xffe3, 0xffe4],
  Meta: [0xffeb, 0xffec, 0xffe7, 0xffe8],
};

export const CAPS_LOCK = 0xffe5;
export const NUM_LOCK = 0xff7f;

/** The keysym of a character: Latin-1 as it is, control characters as their keys, everything else as Unicode. */
export function keysymOf(codePoint: number): number | null {
  if (codePoint === 0x0a || codePoint === 0x0d) return 0xff0d;
  if (codePoint === 0x09) return 0xff09;
  if (codePoint === 0x08) return 0xff08;
  if (codePoint === 0x1b) return 0xff1b;
  if ((codePoint >= 0x20 && codePoint <= 0x7e) || (codePoint >= 0xa0 && codePoint <= 0xff)) return codePoint;
  return codePoint < 0x100 ? null : 0x01000000 + codePoint;
}
