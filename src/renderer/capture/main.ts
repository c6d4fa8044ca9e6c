/** The hidden window that captures the screen. It has one port to the main process and nothing else. */
import { CAPTURE_PORT } from '../../shared/channels.ts';
import { captureCommandSchema } from '../../shared/capture-schemas.ts';
import type { CaptureCommand, CaptureMessage } from '../../shared/capture-schemas.ts';
import { usableCodecs } from './codecs.ts';
import type { Codec } from './codecs.ts';
import { Encoder } from './encoder.ts';
import { EncoderStream } from './encoder-stream.ts';
import { Primer } from './primer.ts';
import { captureScreen } from './screen-capture.ts';
import { ScreenSource } from './screen-source.ts';

/** Of an encoder that is made ready for a viewer whose bit rate is not known yet. */
const READY_BPS = 2_200_000;

class CapturePage {
  readonly #port: MessagePort;
  readonly #sources = new Map<number, { source: ScreenSource; opening: Promise<void> }>();
  readonly #streams = new Map<number, { display: number; encoder: EncoderStream | null }>();
  /** The monitor that is captured for somebody who is about to log in. */
  #prepared: number | null = null;
  #primer: Primer | null = null;
  #ready: Promise<Encoder | null> = Promise.resolve(null);
  #readySize: { readonly width: number; readonly height: number } | null = null;
  /** What the next viewer probably takes. */
  #codec: Codec | null = null;
  /** Display requests one after the other: the main process answers each for the monitor it granted last. */
  #turn: Promise<unknown> = Promise.resolve();
  #granted: ((display: number) => void) | null = null;

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }) => {
      const parsed = captureCommandSchema.safeParse(data);
      if (parsed.success) this.#handle(parsed.data);
    };
    void usableCodecs().then((codecs) => {
      this.#send({ type: 'codecs', codecs });
      this.#codec = codecs[0] ?? null;
    });
  }

  // Cloned, not transferred: Electron loses the contents of a transferred buffer on the way to its main process.
  readonly #send = (message: CaptureMessage): void => this.#port.postMessage(message);

  #handle(command: CaptureCommand): void {
    switch (command.type) {
      case 'granted':
        this.#granted?.(command.display);
        return;
      case 'start':
        void this.#start(command);
        return;
      case 'reconfigure': {
        const { stream: _stream, type: _type, codec, ...rest } = command;
        const change = codec === undefined || codec === 'h265' ? rest : { ...rest, codec: codec as Codec };
        this.#streams.get(command.stream)?.encoder?.reconfigure(change);
        return;
      }
      case 'key-frame':
        this.#streams.get(command.stream)?.encoder?.requestKeyFrame();
        return;
      case 'taken':
        this.#streams.get(command.stream)?.encoder?.taken();
        return;
      case 'changed':
        for (const { source } of this.#sources.values()) source.changed();
        return;
      case 'keep-ready':
        this.#keepReady(command);
        return;
      case 'prepare':
        this.#prepare(command);
        return;
      case 'unprepare':
        this.#unprepare();
        return;
      case 'ungated':
        for (const { source } of this.#sources.values()) source.ungate();
        return;
      case 'stop':
        this.#stop(command.stream);
    }
  }

  async #start(command: Extract<CaptureCommand, { type: 'start' }>): Promise<void> {
    const { stream, display, maxFps, bitrateBps, peakBps, codec } = command;
    const entry: { display: number; encoder: EncoderStream | null } = { display, encoder: null };
    this.#streams.set(stream, entry);
    try {
      if (codec === 'h265') throw new Error('H.265 is not encoded here');
      const source = await this.#open(display);
      // Stopped while the capture was opening.
      if (this.#streams.get(stream) !== entry) return this.#release(display);
      this.#codec = codec;
      this.#endPrimer();
      const ready = await this.#takeReady();
      if (this.#streams.get(stream) !== entry) {
        ready?.close();
        return this.#release(display);
      }
      entry.encoder = new EncoderStream({ stream, display, codec, maxFps, bitrateBps, peakBps }, source, ready, this.#send);
    } catch (error) {
      this.#streams.delete(stream);
      this.#release(display);
      this.#send({ type: 'error', stream, message: error instanceof Error ? error.message : String(error) });
    }
  }

  async #open(display: number): Promise<ScreenSource> {
    let entry = this.#sources.get(display);
    if (!entry) {
      const source = new ScreenSource(() => captureScreen(() => this.#grant(display)));
      const opening = this.#turn.then(() => source.open());
      this.#turn = opening.catch(() => {});
      entry = { source, opening };
      this.#sources.set(display, entry);
    }
    await entry.opening;
    return entry.source;
  }

  async #grant(display: number): Promise<void> {
    const granted = new Promise((resolve) => (this.#granted = resolve));
    this.#send({ type: 'request', display });
    await granted;
  }

  #stop(stream: number): void {
    const entry = this.#streams.get(stream);
    if (!entry) return;
    this.#streams.delete(stream);
    entry.encoder?.close();
    this.#release(entry.display);
    if (this.#streams.size === 0 && this.#readySize) this.#keepReady(this.#readySize);
  }

  #prepare({ display, width, height }: Extract<CaptureCommand, { type: 'prepare' }>): void {
    this.#prepared = display;
    this.#keepReady({ width, height });
    this.#open(display).then(
      (source) => {
        // A viewer who is there already has the encoder.
        if (this.#prepared === display && this.#streams.size === 0) this.#primer ??= new Primer(source, this.#ready);
      },
      () => this.#unprepare(),
    );
  }

  #unprepare(): void {
    const display = this.#prepared;
    this.#prepared = null;
    this.#endPrimer();
    if (display !== null) this.#release(display);
  }

  #endPrimer(): void {
    this.#primer?.close();
    this.#primer = null;
  }

  /** Has an encoder for pictures of this size at hand from now on, for one viewer at a time. */
  #keepReady(size: { readonly width: number; readonly height: number }): void {
    this.#readySize = size;
    if (this.#codec === null) return;
    const settings = { codec: this.#codec, ...size, bitrateBps: READY_BPS, maxFps: 30 };
    const before = this.#takeReady();
    this.#ready = before.then(async (encoder) => {
      if (encoder?.fits(settings)) return encoder;
      encoder?.close();
      return await Encoder.createWarm(settings).catch(() => null);
    });
  }

  #takeReady(): Promise<Encoder | null> {
    const ready = this.#ready;
    this.#ready = Promise.resolve(null);
    return ready;
  }

  /** Nobody looks at this monitor any more: stop capturing it. */
  #release(display: number): void {
    if (display === this.#prepared) return;
    if ([...this.#streams.values()].some((entry) => entry.display === display)) return;
    this.#sources.get(display)?.source.close();
    this.#sources.delete(display);
  }
}

window.addEventListener('message', (event) => {
  const [port] = event.ports;
  if (event.source === window && event.data === CAPTURE_PORT && port) new CapturePage(port);
});
