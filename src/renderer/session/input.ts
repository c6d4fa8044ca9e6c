import type { SessionDisplay, SessionPortCommand } from '../../shared/ipc.ts';
import { ButtonTracker } from './buttons.ts';
import { containedBox, type Point, toRemote } from './geometry.ts';
import { isLeaveChord, KeyTracker, takenByInputMethod } from './keys.ts';
import { WheelAccumulator } from './wheel.ts';

export interface InputSettings {
  /** False: nothing is sent and the browser does as it likes. */
  active: boolean;
  /** The host scrolls in pixel-like units too. */
  fineWheel: boolean;
  display: SessionDisplay;
  /** The canvas shows its picture with `object-fit: contain`. */
  contain: boolean;
  picture: { width: number; height: number } | null;
  onLeave: () => void;
}

/** The longest text one composition or insertion may be; more than that is no typing. */
const MAX_TEXT = 10_000;

/**
 * Turns the events of the canvas and of the hidden text field into commands, until the returned function is called,
 * which also lets go of everything that is held.
 */
export function attachInput(
  canvas: HTMLCanvasElement,
  keyboard: HTMLTextAreaElement,
  settings: () => InputSettings | null,
  send: (command: SessionPortCommand) => void,
): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  const buttons = new ButtonTracker();
  const keys = new KeyTracker({ isWindows: navigator.userAgent.includes('Windows') });
  const wheel = new WheelAccumulator();
  let last: Point = { x: 0, y: 0 };

  const sendAll = (commands: SessionPortCommand[]) => {
    for (const command of commands) send(command);
  };
  const releaseAll = () => {
    sendAll(buttons.release(last));
    sendAll(keys.releaseAll());
    wheel.reset();
  };
  const locate = (event: { clientX: number; clientY: number }, now: InputSettings): Point => {
    const rect = canvas.getBoundingClientRect();
    const box = { left: rect.left, top: rect.top, width: rect.width, height: rect.height };
    const content = now.contain && now.picture !== null ? containedBox(box, now.picture) : box;
    return toRemote({ x: event.clientX, y: event.clientY }, content, now.display);
  };
  const active = (): InputSettings | null => {
    const now = settings();
    return now?.active === true && now.picture !== null ? now : null;
  };

  const onPointer = (event: PointerEvent) => {
    const now = active();
    if (now === null) return;
    const at = locate(event, now);
    if (at.x !== last.x || at.y !== last.y || event.type === 'pointerdown')
      send({ type: 'mouse', kind: 'move', x: at.x, y: at.y });
    last = at;
    sendAll(buttons.update(event.buttons, at));
  };
  canvas.addEventListener(
    'pointerdown',
    (event) => {
      keyboard.focus({ preventScroll: true });
      if (active() === null) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      onPointer(event);
    },
    { signal },
  );
  canvas.addEventListener('pointermove', onPointer, { signal });
  canvas.addEventListener('pointerup', onPointer, { signal });
  canvas.addEventListener('pointercancel', () => sendAll(buttons.release(last)), { signal });
  canvas.addEventListener('lostpointercapture', () => sendAll(buttons.release(last)), { signal });
  // No autoscroll, no menu, no going back in a history, no selection.
  for (const type of ['mousedown', 'mouseup', 'auxclick', 'contextmenu', 'dragstart'])
    canvas.addEventListener(
      type,
      (event) => {
        if (active() !== null) event.preventDefault();
      },
      { signal },
    );
  canvas.addEventListener('focus', () => keyboard.focus({ preventScroll: true }), { signal });

  canvas.addEventListener(
    'wheel',
    (event) => {
      const now = active();
      if (now === null) return;
      event.preventDefault();
      const legacy = event as WheelEvent & { wheelDeltaX?: number; wheelDeltaY?: number };
      const turned = wheel.add(
        {
          deltaX: event.deltaX,
          deltaY: event.deltaY,
          deltaMode: event.deltaMode,
          wheelDeltaX: legacy.wheelDeltaX,
          wheelDeltaY: legacy.wheelDeltaY,
        },
        now.fineWheel,
      );
      if (turned !== null) send({ type: 'mouse', kind: 'wheel', ...turned });
    },
    { signal, passive: false },
  );

  keyboard.addEventListener(
    'keydown',
    (event) => {
      const now = settings();
      if (now?.active !== true || takenByInputMethod(event)) return;
      event.preventDefault();
      event.stopPropagation();
      if (isLeaveChord(event)) {
        releaseAll();
        now.onLeave();
        return;
      }
      sendAll(keys.down(event));
    },
    { signal },
  );
  keyboard.addEventListener(
    'keyup',
    (event) => {
      event.preventDefault();
      sendAll(keys.up(event));
    },
    { signal },
  );
  // What reaches the field was made by an input method, a dead key or the emoji picker: there is no key to send.
  const takeText = () => {
    const text = keyboard.value.slice(0, MAX_TEXT);
    keyboard.value = '';
    if (text !== '' && settings()?.active === true) send({ type: 'text', text });
  };
  keyboard.addEventListener(
    'input',
    (event) => {
      if (!(event instanceof InputEvent) || !event.isComposing) takeText();
    },
    { signal },
  );
  keyboard.addEventListener('compositionend', takeText, { signal });

  keyboard.addEventListener('blur', releaseAll, { signal });
  window.addEventListener('blur', releaseAll, { signal });
  document.addEventListener('visibilitychange', releaseAll, { signal });
  return () => {
    releaseAll();
    ending.abort();
  };
}
