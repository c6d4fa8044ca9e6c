/** One monitor's pictures as they change, shared by all streams of that monitor. */

/** Newer than the type library: a track as a stream of pictures. */
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack; maxBufferSize?: number });
  readonly readable: ReadableStream<VideoFrame>;
}

export interface ScreenListener {
  onPicture(): void;
  onEnd(message: string): void;
}

export class ScreenSource {
  readonly #listeners = new Map<ScreenListener, number>();
  #stream: MediaStream | null = null;
  #reader: ReadableStreamDefaultReader<VideoFrame> | null = null;
  #last: VideoFrame | null = null;
  #count = 0;
  #closed = false;

  /** Opens the capture; `grant` must have been obtained from the main process, which chooses the monitor. */
  async open(maxFps: number): Promise<void> {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      audio: false,
      video: { frameRate: { ideal: maxFps, max: maxFps } },
    });
    const [track] = stream.getVideoTracks();
    if (!track || this.#closed) {
      for (const each of stream.getTracks()) each.stop();
      if (!track) throw new Error('no picture came');
      return;
    }
    this.#stream = stream;
    track.onended = () => this.#end('the monitor went away');
    // Two: one being encoded, one newer. The reader below always moves on to the newest.
    this.#reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 2 }).readable.getReader();
    void this.#read(this.#reader);
  }

  /** Number of the newest picture, counted from 1; 0 while there is none. */
  get count(): number {
    return this.#count;
  }

  /** The newest picture; it stays the property of the source. */
  get picture(): VideoFrame | null {
    return this.#last;
  }

  get used(): boolean {
    return this.#listeners.size > 0;
  }

  add(listener: ScreenListener, maxFps: number): void {
    this.#listeners.set(listener, maxFps);
    this.#applyRate();
  }

  remove(listener: ScreenListener): void {
    this.#listeners.delete(listener);
    this.#applyRate();
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    void this.#reader?.cancel().catch(() => {});
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#last?.close();
    this.#last = null;
  }

  /** Capturing faster than anybody wants would only cost. */
  #applyRate(): void {
    const [track] = this.#stream?.getVideoTracks() ?? [];
    if (!track || this.#listeners.size === 0) return;
    const frameRate = Math.max(...this.#listeners.values());
    void track.applyConstraints({ frameRate: { ideal: frameRate, max: frameRate } }).catch(() => {});
  }

  async #read(reader: ReadableStreamDefaultReader<VideoFrame>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        if (this.#closed) {
          value.close();
          return;
        }
        this.#last?.close();
        this.#last = value;
        this.#count++;
        for (const listener of [...this.#listeners.keys()]) listener.onPicture();
      }
      this.#end('the capture ended');
    } catch (error) {
      this.#end(String(error));
    }
  }

  #end(message: string): void {
    if (this.#closed) return;
    const listeners = [...this.#listeners.keys()];
    this.close();
    for (const listener of listeners) listener.onEnd(message);
  }
}
