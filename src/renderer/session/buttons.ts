import type { SessionPortCommand } from '../../shared/ipc.ts';
import type { Point } from './geometry.ts';

type Button = Extract<SessionPortCommand, { kind: 'button' }>['button'];

/** Bits of `PointerEvent.buttons`. */
const BITS: readonly (readonly [bit: number, button: Button])[] = [
  [1, 'left'],
  [2, 'right'],
  [4, 'middle'],
  [8, 'back'],
  [16, 'forward'],
];

/**
 * Turns `PointerEvent.buttons` into edges. Pointer events tell of a second button only in a move, so the bit mask is
 * the truth and not the type of the event.
 */
export class ButtonTracker {
  #held = 0;

  get anyHeld(): boolean {
    return this.#held !== 0;
  }

  update(buttons: number, at: Point): SessionPortCommand[] {
    const commands: SessionPortCommand[] = [];
    for (const [bit, button] of BITS) {
      const down = (buttons & bit) !== 0;
      if (down === ((this.#held & bit) !== 0)) continue;
      this.#held ^= bit;
      commands.push({ type: 'mouse', kind: 'button', button, down, x: at.x, y: at.y });
    }
    return commands;
  }

  /** Ups for all that is held: the pointer was lost. */
  release(at: Point): SessionPortCommand[] {
    return this.update(0, at);
  }
}
