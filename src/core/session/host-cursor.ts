import type { Clock } from '../clock.ts';
import type { hbb } from '../wire/proto.ts';
import type { CursorShape, DesktopHost } from './contract.ts';
import * as limits from './limits.ts';
import { zstdStore } from './zstd.ts';

/** Positions at most this often (session §3.9). */
const POSITION_INTERVAL_MS = 33;
/** A viewer that moved the pointer itself knows where it is for this long (session §3.9). */
const OWN_MOVE_MS = 300;

export interface HostCursorOptions {
  desktop: DesktopHost;
  clock: Clock;
  send(message: hbb.IMessage): void;
  /** False while the peer does not read. */
  roomy(): boolean;
}

/** Pointer shapes and positions for one viewer: each shape once, then only its id (session §3.9). */
export class HostCursor {
  readonly #o: HostCursorOptions;
  readonly #sent = new Set<number>();
  #unwatch: (() => void) | null = null;
  #allowed = false;
  #position = false;
  #shape: CursorShape | null = null;
  #announced: number | null = null;
  #positionAt = Number.NEGATIVE_INFINITY;
  #movedAt = Number.NEGATIVE_INFINITY;

  constructor(options: HostCursorOptions) {
    this.#o = options;
  }

  start(allowed: boolean): void {
    this.#allowed = allowed;
    this.#unwatch =
      this.#o.desktop.watchCursor?.({
        onShape: (shape) => {
          this.#shape = shape;
          this.#sendShape();
        },
        onPosition: (x, y) => this.#sendPosition(x, y),
      }) ?? null;
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#shape = null;
  }

  /** The viewer may use the mouse. */
  allow(allowed: boolean): void {
    this.#allowed = allowed;
    this.#sendShape();
  }

  showPosition(on: boolean): void {
    this.#position = on;
    this.#sendShape();
  }

  viewerMoved(): void {
    this.#movedAt = this.#o.clock.now();
  }

  #sendShape(): void {
    const shape = this.#shape;
    if (!shape || shape.id === this.#announced || !(this.#allowed || this.#position) || !this.#o.roomy())
      return;
    if (this.#sent.has(shape.id)) {
      this.#announced = shape.id;
      this.#o.send({ cursorId: BigInt(shape.id) });
      return;
    }
    const { width, height } = shape;
    const fits = width > 0 && height > 0 && width <= limits.CURSOR_SIDE && height <= limits.CURSOR_SIDE;
    if (!fits || shape.rgba.length !== width * height * 4 || this.#sent.size >= limits.MAX_CURSORS) return;
    this.#sent.add(shape.id);
    this.#announced = shape.id;
    this.#o.send({
      cursorData: {
        id: BigInt(shape.id),
        hotx: shape.hotX,
        hoty: shape.hotY,
        width,
        height,
        colors: zstdStore(shape.rgba),
      },
    });
  }

  #sendPosition(x: number, y: number): void {
    if (!this.#position || !this.#o.roomy()) return;
    const now = this.#o.clock.now();
    if (now - this.#positionAt < POSITION_INTERVAL_MS || now - this.#movedAt < OWN_MOVE_MS) return;
    this.#positionAt = now;
    this.#o.send({ cursorPosition: { x: Math.round(x), y: Math.round(y) } });
  }
}
