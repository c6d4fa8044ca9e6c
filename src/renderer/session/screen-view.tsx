import {
  type ClipboardEvent,
  type CSSProperties,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
} from 'react';
import type { SessionDisplay } from '../../shared/ipc.ts';
import { type Box, containedBox, fromRemote, type Point } from './geometry.ts';
import { attachInput, type InputSettings } from './input.ts';
import type { SessionMedia } from './session-media.ts';
import styles from './session.module.css';
import type { ViewMode } from './session-window.tsx';

interface ScreenViewProps {
  media: SessionMedia;
  display: SessionDisplay;
  /** Size of the last picture painted; null before the first. */
  picture: { width: number; height: number } | null;
  mode: ViewMode;
  cursor: string;
  remoteCursor: Point | null;
  /** Input goes to the other computer. */
  active: boolean;
  fineWheel: boolean;
  label: string;
  onLeave: () => void;
}

/** The other computer's screen. A hidden text field over it holds the focus, so that input methods work. */
export function ScreenView(props: ScreenViewProps) {
  const { media, picture, mode, active } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const keyboard = useRef<HTMLTextAreaElement>(null);
  const settings = useRef<InputSettings>(null);
  useLayoutEffect(() => {
    settings.current = {
      active,
      fineWheel: props.fineWheel,
      display: props.display,
      contain: mode === 'fit',
      picture,
      onLeave: props.onLeave,
    };
  });
  const setCanvas = useCallback(
    (element: HTMLCanvasElement | null) => {
      canvas.current = element;
      media.attach(element);
    },
    [media],
  );
  useEffect(() => {
    if (canvas.current === null || keyboard.current === null) return;
    return attachInput(
      canvas.current,
      keyboard.current,
      () => settings.current,
      (command) => media.send(command),
    );
  }, [media]);
  useEffect(() => {
    if (active) keyboard.current?.focus({ preventScroll: true });
    else media.send({ type: 'release-keys' });
  }, [active, media]);

  const style: CSSProperties = { cursor: active ? props.cursor : 'default' };
  if (mode === 'actual' && picture !== null) {
    style.width = `${picture.width / devicePixelRatio}px`;
    style.height = `${picture.height / devicePixelRatio}px`;
  }
  return (
    <div className={styles.screen} data-mode={mode}>
      <div className={styles.stage}>
        <canvas
          ref={setCanvas}
          className={styles.canvas}
          style={style}
          data-empty={picture === null}
          role="img"
          aria-label={props.label}
          tabIndex={-1}
          data-testid="session-canvas"
        />
        <RemoteCursor canvas={canvas} {...props} />
      </div>
      <textarea
        ref={keyboard}
        className={styles.keyboard}
        aria-label={props.label}
        autoComplete="off"
        autoCorrect="off"
        autoCapitalize="off"
        spellCheck={false}
        onPaste={(event: ClipboardEvent) => event.preventDefault()}
        data-testid="session-keyboard"
      />
    </div>
  );
}

/** Time after which a pointer that does not move is not worth showing. */
const REMOTE_CURSOR_MS = 3000;

/** Where somebody else moves the pointer (session §3.9). */
function RemoteCursor({
  canvas,
  display,
  picture,
  mode,
  remoteCursor,
}: Pick<ScreenViewProps, 'display' | 'picture' | 'mode' | 'remoteCursor'> & {
  canvas: { readonly current: HTMLCanvasElement | null };
}) {
  const mark = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const element = canvas.current;
    const shown = mark.current;
    if (element === null || shown === null || picture === null || remoteCursor === null) return;
    const box: Box = {
      left: element.offsetLeft,
      top: element.offsetTop,
      width: element.offsetWidth,
      height: element.offsetHeight,
    };
    const at = fromRemote(remoteCursor, mode === 'fit' ? containedBox(box, picture) : box, display);
    shown.style.transform = `translate(${at.x}px, ${at.y}px)`;
    shown.hidden = false;
    const timer = setTimeout(() => {
      shown.hidden = true;
    }, REMOTE_CURSOR_MS);
    return () => clearTimeout(timer);
  }, [canvas, display, picture, mode, remoteCursor]);
  return <span ref={mark} className={styles.remoteCursor} aria-hidden="true" hidden />;
}
