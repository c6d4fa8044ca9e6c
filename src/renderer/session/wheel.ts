/** What a wheel event tells, as far as it is used here. `wheelDelta*` are Chromium's: 120 for one notch of a mouse. */
export interface WheelInput {
  deltaX: number;
  deltaY: number;
  /** 0 pixels, 1 lines, 2 pages. */
  deltaMode: number;
  wheelDeltaX?: number;
  wheelDeltaY?: number;
}

/** In the signs of the wire (session §4.1): dy > 0 is up, dx > 0 is left. */
export interface WheelOutput {
  dx: number;
  dy: number;
  fine: boolean;
}

/** Of one notch in `wheelDelta`; the value every platform agrees on. */
const NOTCH = 120;
/** Trackpad pixels that count as one notch where the host knows notches only: about a line and a half of text. */
const PIXELS_PER_NOTCH = 40;
const LINES_PER_NOTCH = 3;
/** The most that one event scrolls, so that a wild device cannot flood the host. */
const MAX_NOTCHES = 10;
const MAX_FINE = 1200;

/** Collects what is smaller than a step, so that slow scrolling of a trackpad arrives too. */
export class WheelAccumulator {
  #x = 0;
  #y = 0;
  #fine = false;

  /** Null when nothing has come together yet. `fineAllowed`: the host understands pixel-like units. */
  add(input: WheelInput, fineAllowed: boolean): WheelOutput | null {
    const notched = isNotched(input);
    const fine = fineAllowed && !notched;
    if (fine !== this.#fine) this.reset();
    this.#fine = fine;
    this.#x = pile(this.#x, fine ? -pixels(input, input.deltaX) : notches(input, 'x', notched));
    this.#y = pile(this.#y, fine ? -pixels(input, input.deltaY) : notches(input, 'y', notched));
    const limit = fine ? MAX_FINE : MAX_NOTCHES;
    const dx = whole(this.#x);
    const dy = whole(this.#y);
    if (dx === 0 && dy === 0) return null;
    this.#x -= dx;
    this.#y -= dy;
    return { dx: clamp(dx, limit), dy: clamp(dy, limit), fine };
  }

  reset(): void {
    this.#x = 0;
    this.#y = 0;
  }
}

function isNotched(input: WheelInput): boolean {
  if (input.deltaMode !== 0) return true;
  const { wheelDeltaX = 0, wheelDeltaY = 0 } = input;
  return (wheelDeltaX !== 0 || wheelDeltaY !== 0) && wheelDeltaX % NOTCH === 0 && wheelDeltaY % NOTCH === 0;
}

function notches(input: WheelInput, axis: 'x' | 'y', notched: boolean): number {
  const delta = axis === 'x' ? input.deltaX : input.deltaY;
  if (input.deltaMode === 1) return -delta / LINES_PER_NOTCH;
  if (input.deltaMode === 2) return -delta * MAX_NOTCHES;
  if (notched) return ((axis === 'x' ? input.wheelDeltaX : input.wheelDeltaY) ?? 0) / NOTCH;
  return -delta / PIXELS_PER_NOTCH;
}

function pixels(input: WheelInput, delta: number): number {
  return input.deltaMode === 0 ? delta : delta * PIXELS_PER_NOTCH;
}

/** A change of direction starts anew: a rest of the other direction would swallow the first step. */
function pile(rest: number, delta: number): number {
  if (!Number.isFinite(delta)) return rest;
  return rest * delta < 0 ? delta : rest + delta;
}

/** Towards zero, never −0; a hair below a step counts as the step (a third three times). */
function whole(value: number): number {
  return Math.trunc(value + Math.sign(value) * 1e-9) + 0;
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}
