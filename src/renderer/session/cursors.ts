import type { SessionPortMessage } from '../../shared/ipc.ts';

export type CursorMessage = Extract<SessionPortMessage, { type: 'cursor' }>;

/** Hosts number few shapes; one that counts up without end must not fill the memory. */
const MAX_SHAPES = 256;
/** Chromium shows no larger pointer. */
const MAX_CURSOR_SIZE = 128;
/** No honest pointer is larger, and bigger ones would cost a lot to scale. */
const MAX_SHAPE_SIZE = 512;

/** A small dot: says where the own pointer is while the host paints its pointer into the picture. */
const DOT =
  'data:image/svg+xml;base64,' +
  btoa(
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle cx="4.5" cy="4.5" r="3" fill="#fff" stroke="#000" stroke-opacity=".7"/></svg>',
  );
export const DOT_CURSOR = `url("${DOT}") 4 4, default`;

/** Remembers the pointer shapes of a session, since hosts send each once (session §3.9). */
export class CursorCache {
  readonly #shapes = new Map<number, string>();
  readonly #paint: (message: CursorMessage) => string | null;

  /** `paint` makes an image URL of the pixels, null where there is nothing to see. */
  constructor(paint: (message: CursorMessage) => string | null = paintCursor) {
    this.#paint = paint;
  }

  /** The CSS cursor for a new shape; null for one that makes no sense. */
  add(message: CursorMessage): string | null {
    if (!isSane(message)) return null;
    const url = this.#paint(message);
    const scale = Math.min(1, MAX_CURSOR_SIZE / Math.max(message.width, message.height));
    const hot = (value: number, size: number) =>
      Math.max(0, Math.min(Math.floor(size * scale) - 1, Math.round(value * scale)));
    const css =
      url === null
        ? 'none'
        : `url("${url}") ${hot(message.hotX, message.width)} ${hot(message.hotY, message.height)}, default`;
    this.#shapes.delete(message.id);
    if (this.#shapes.size >= MAX_SHAPES) {
      const oldest = this.#shapes.keys().next();
      if (oldest.done !== true) this.#shapes.delete(oldest.value);
    }
    this.#shapes.set(message.id, css);
    return css;
  }

  get(id: number): string | null {
    return this.#shapes.get(id) ?? null;
  }
}

function isSane(message: CursorMessage): boolean {
  const { width, height } = message;
  return (
    Number.isInteger(width) &&
    Number.isInteger(height) &&
    width > 0 &&
    height > 0 &&
    width <= MAX_SHAPE_SIZE &&
    height <= MAX_SHAPE_SIZE &&
    message.rgba.byteLength === width * height * 4
  );
}

function paintCursor(message: CursorMessage): string | null {
  const pixels = new Uint8ClampedArray(message.rgba);
  if (!pixels.some((value, i) => i % 4 === 3 && value !== 0)) return null;
  const source = document.createElement('canvas');
  source.width = message.width;
  source.height = message.height;
  source.getContext('2d')?.putImageData(new ImageData(pixels, message.width, message.height), 0, 0);
  const scale = Math.min(1, MAX_CURSOR_SIZE / Math.max(message.width, message.height));
  if (scale === 1) return source.toDataURL('image/png');
  const scaled = document.createElement('canvas');
  scaled.width = Math.max(1, Math.floor(message.width * scale));
  scaled.height = Math.max(1, Math.floor(message.height * scale));
  scaled.getContext('2d')?.drawImage(source, 0, 0, scaled.width, scaled.height);
  return scaled.toDataURL('image/png');
}
