import type { SessionPortCommand } from '../../shared/ipc.ts';

/** A DOM keyboard event as far as it is used here. */
export interface KeyInput {
  code: string;
  key: string;
  isComposing: boolean;
  /** 229 while an input method has taken the key. */
  keyCode: number;
  getModifierState(name: string): boolean;
}

/** A keyboard has fewer keys than this; a page that invents codes gets no further. */
const MAX_HELD = 64;

/** Follows which keys are down at the host, so that none stays down and none goes up that was not down. */
export class KeyTracker {
  readonly #held = new Map<string, string>();
  readonly #isWindows: boolean;

  constructor(options: { isWindows: boolean }) {
    this.#isWindows = options.isWindows;
  }

  get held(): readonly string[] {
    return [...this.#held.keys()];
  }

  /** Commands for a key that went down (or repeats); empty when an input method has taken it. */
  down(input: KeyInput): SessionPortCommand[] {
    if (takenByInputMethod(input) || input.code === '' || input.code === 'Unidentified') return [];
    const commands: SessionPortCommand[] = [];
    // Windows sends a Control before AltGr that nobody pressed; at another host it would turn `@` into Control+Q.
    if (
      this.#isWindows &&
      input.code === 'AltRight' &&
      input.key === 'AltGraph' &&
      this.#held.has('ControlLeft')
    )
      commands.push(this.#release('ControlLeft', input));
    if (!this.#held.has(input.code) && this.#held.size >= MAX_HELD) return commands;
    this.#held.set(input.code, input.key);
    commands.push(command(input.code, input.key, true, input));
    return commands;
  }

  up(input: KeyInput): SessionPortCommand[] {
    // The key that began is the key that ends: the layout or Shift may have changed `key` meanwhile.
    if (!this.#held.has(input.code)) return [];
    const commands = [this.#release(input.code, input)];
    // macOS tells of no key going up while Command is held.
    if (input.code === 'MetaLeft' || input.code === 'MetaRight')
      for (const code of this.held)
        if (!/^(Shift|Control|Alt|Meta)/.test(code)) commands.push(this.#release(code, input));
    return commands;
  }

  /** The keyboard is lost: forget all; empty when nothing was held. */
  releaseAll(): SessionPortCommand[] {
    if (this.#held.size === 0) return [];
    this.#held.clear();
    return [{ type: 'release-keys' }];
  }

  #release(code: string, input: KeyInput): SessionPortCommand {
    const key = this.#held.get(code) ?? input.key;
    this.#held.delete(code);
    return command(code, key, false, input);
  }
}

export function takenByInputMethod(input: Pick<KeyInput, 'isComposing' | 'keyCode' | 'key'>): boolean {
  return input.isComposing || input.keyCode === 229 || input.key === 'Process';
}

/** As remote desktops do it since long: leaves the screen for the bar. */
export function isLeaveChord(input: { code: string; ctrlKey: boolean; altKey: boolean }): boolean {
  return input.code === 'Home' && input.ctrlKey && input.altKey;
}

function command(code: string, key: string, down: boolean, input: KeyInput): SessionPortCommand {
  return {
    type: 'key',
    code,
    key,
    down,
    caps: input.getModifierState('CapsLock'),
    num: input.getModifierState('NumLock'),
  };
}
