/**
 * What a session needs from the machine it runs on, and what it gives to whoever shows it. No I/O and no Electron here:
 * src/main implements DesktopHost with screen capture and input injection, tests implement it with arrays.
 */
import type { ErrorData } from '../errors.ts';

export type VideoCodec = 'vp8' | 'vp9' | 'av1' | 'h264' | 'h265';
/** Session §2.5: the platform names of the wire, with the blank in `Mac OS`. */
export type PlatformName = 'Windows' | 'Linux' | 'Mac OS' | 'Android' | 'iOS';

export interface Size {
  width: number;
  height: number;
}

/** One monitor: place in the virtual desktop and pixel size of its video (§2.9). */
export interface Display extends Size {
  x: number;
  y: number;
  name: string;
  scale: number;
}

/** One encoded picture (§3.1). `ptsMs` counts from the start of the encoder. */
export interface EncodedFrame {
  display: number;
  codec: VideoCodec;
  key: boolean;
  ptsMs: number;
  data: Uint8Array;
}

/** A pointer shape (§3.9): RGBA, straight alpha, top-down. */
export interface CursorShape extends Size {
  id: number;
  hotX: number;
  hotY: number;
  rgba: Uint8Array;
}

export type MouseButton = 'left' | 'right' | 'middle' | 'back' | 'forward';
export type Modifier = 'Alt' | 'Shift' | 'Control' | 'Meta';

/**
 * Input as the injector understands it: the three keyboard modes of §4.2 are reduced to these by core/session.
 * `keycode` is in the numbering of the host's platform (X11 key code, set-1 scan code, macOS virtual key code).
 * `named` is a ControlKey name of §1.7 (`Return`, `F5`, `CtrlAltDel` …). `character` is a Unicode character to be
 * produced by a key of the current layout where there is one (Legacy `chr`), `text` is typed as it stands.
 * `wheel` has the signs of the wire (§4.1): dy > 0 is away from the user, dx > 0 is left; notches, or with `fine` pixels.
 * `modifiers` names exactly the modifiers that are to be down from now on.
 */
export type InputEvent =
  | { type: 'move'; x: number; y: number }
  | { type: 'move-relative'; dx: number; dy: number }
  | { type: 'button'; button: MouseButton; down: boolean }
  | { type: 'wheel'; dx: number; dy: number; fine: boolean }
  | { type: 'keycode'; keycode: number; down: boolean; locks?: { caps?: boolean; num?: boolean } }
  | { type: 'named'; key: string; action: 'down' | 'up' | 'press' }
  | { type: 'character'; character: string; action: 'down' | 'up' | 'press' }
  | { type: 'modifiers'; held: Modifier[] }
  | { type: 'text'; text: string };

/** Injects input on this machine. Every key and button that went down is up again after `releaseAll`. */
export interface InputInjector {
  inject(event: InputEvent): void;
  releaseAll(): void;
}

export interface VideoRequest {
  display: number;
  codec: VideoCodec;
  /** Cap on frames per second, 1…120. */
  maxFps: number;
  /** Bits per second to aim for. */
  bitrateBps: number;
  /** Bits per second that may be spent while pictures cost more than the encoder was told, at least `bitrateBps`. */
  peakBps: number;
}

export interface VideoSink {
  /** False: the sink is full; the source drops until `resume` and then starts with a key frame if it dropped deltas. */
  onFrame(frame: EncodedFrame): boolean;
  /** The captured size changed; frames of the new size follow, starting with a key frame. */
  onGeometry(display: number, geometry: Display): void;
  onError(error: ErrorData): void;
}

/** One running capture. The first frame, and the first after `requestKeyFrame` or a codec change, is a key frame. */
export interface VideoStream {
  requestKeyFrame(): void;
  reconfigure(change: Partial<Omit<VideoRequest, 'display'>>): void;
  /** The sink has room again after it had answered false. */
  resume(): void;
  stop(): void;
}

export interface CursorSink {
  onShape(shape: CursorShape): void;
  onPosition(x: number, y: number): void;
}

/** The desktop of this machine as a host session uses it. Absent (null) on a machine without a display. */
export interface DesktopHost {
  readonly platform: PlatformName;
  readonly injector: InputInjector;
  /** What it can encode, best choice first; always contains vp9. */
  readonly codecs: readonly VideoCodec[];
  displays(): Display[];
  startVideo(request: VideoRequest, sink: VideoSink): VideoStream;
  /** Somebody is about to log in: has the first picture ready sooner. The returned function lets go of it. */
  prepareVideo?(): () => void;
  /** Watches the pointer; the returned function ends it. Absent: the pointer is painted into the video. */
  watchCursor?(sink: CursorSink): () => void;
  /** PNG of one display, for ScreenshotRequest (§8.9). */
  screenshot?(display: number): Promise<Uint8Array>;
  /** Sets the clipboard text; `watchClipboard` reports changes made here. */
  setClipboardText?(text: string): void;
  watchClipboard?(onText: (text: string) => void): () => void;
}

/** §8: what a viewer may do; a host announces the ones that are off. */
export interface SessionPermissions {
  keyboard: boolean;
  clipboard: boolean;
  audio: boolean;
  file: boolean;
  restart: boolean;
  recording: boolean;
  blockInput: boolean;
  privacyMode: boolean;
}

export type SessionKind = 'desktop' | 'file-transfer' | 'port-forward' | 'view-camera' | 'terminal' | 'tunnel';
