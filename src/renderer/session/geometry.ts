import type { SessionDisplay } from '../../shared/ipc.ts';

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** Where a picture shown with `object-fit: contain` lies inside its box, in the units of the box. */
export function containedBox(box: Box, picture: { width: number; height: number }): Box {
  if (picture.width <= 0 || picture.height <= 0 || box.width <= 0 || box.height <= 0) return box;
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return {
    left: box.left + (box.width - width) / 2,
    top: box.top + (box.height - height) / 2,
    width,
    height,
  };
}

/**
 * A point of the window as a point of the host's virtual desktop: display origin plus the pixel under the pointer,
 * clamped to the display, whose last pixel is size − 1 (session §4.1).
 */
export function toRemote(point: Point, content: Box, display: SessionDisplay): Point {
  return {
    x: display.x + pixel(point.x - content.left, content.width, display.width),
    y: display.y + pixel(point.y - content.top, content.height, display.height),
  };
}

/** A point of the host's virtual desktop in the units of the content box; outside of it for another display. */
export function fromRemote(point: Point, content: Box, display: SessionDisplay): Point {
  return {
    x: content.left + ((point.x - display.x + 0.5) / Math.max(1, display.width)) * content.width,
    y: content.top + ((point.y - display.y + 0.5) / Math.max(1, display.height)) * content.height,
  };
}

function pixel(offset: number, shown: number, size: number): number {
  if (shown <= 0 || size <= 0) return 0;
  return Math.min(size - 1, Math.max(0, Math.floor((offset / shown) * size)));
}
