import type { Display, VideoRequest, VideoSink, VideoStream } from '../../core/session/contract.ts';
import type { CapturedFrame, CaptureWindow } from './capture-window.ts';

/**
 * One stream of a session. The capture window encodes the next picture only when one was acknowledged, so while the sink
 * is full nothing new is encoded, and the few that were on their way wait here: nothing has to be dropped.
 */
export class CaptureStream implements VideoStream {
  readonly #window: CaptureWindow;
  readonly #sink: VideoSink;
  readonly #display: number;
  readonly #geometryOf: () => Display | undefined;
  readonly #stream: number;
  #held: CapturedFrame[] = [];
  #blocked = false;
  #size = '';

  constructor(window: CaptureWindow, request: VideoRequest, sink: VideoSink, geometryOf: () => Display | undefined) {
    this.#window = window;
    this.#sink = sink;
    this.#display = request.display;
    this.#geometryOf = geometryOf;
    const geometry = geometryOf();
    if (geometry) this.#size = `${geometry.width}x${geometry.height}`;
    this.#stream = window.start(
      {
        onFrame: (frame) => {
          this.#held.push(frame);
          if (!this.#blocked) this.#flush();
        },
        onError: (message) =>
          sink.onError({
            code: 'CAPTURE_FAILED',
            stage: 'session',
            message: `The screen cannot be captured: ${message}.`,
            hint: 'Check on the shared computer that screen recording is allowed.',
          }),
      },
      request,
    );
  }

  requestKeyFrame(): void {
    this.#window.command({ type: 'key-frame', stream: this.#stream });
  }

  reconfigure(change: Partial<Omit<VideoRequest, 'display'>>): void {
    this.#window.command({ type: 'reconfigure', stream: this.#stream, ...change });
  }

  resume(): void {
    this.#blocked = false;
    this.#flush();
  }

  stop(): void {
    this.#held = [];
    this.#window.stop(this.#stream);
  }

  #flush(): void {
    while (!this.#blocked) {
      const frame = this.#held.shift();
      if (!frame) return;
      this.#announce(frame);
      const { codec, key, ptsMs, data } = frame;
      const room = this.#sink.onFrame({ display: this.#display, codec, key, ptsMs, data: new Uint8Array(data) });
      if (!room) this.#blocked = true;
      this.#window.command({ type: 'taken', stream: this.#stream });
    }
  }

  /** Tells the new size before its first picture (session §3.8). */
  #announce(frame: CapturedFrame): void {
    const size = `${frame.width}x${frame.height}`;
    if (size === this.#size) return;
    this.#size = size;
    const geometry = this.#geometryOf();
    if (geometry) this.#sink.onGeometry(this.#display, { ...geometry, width: frame.width, height: frame.height });
  }
}
