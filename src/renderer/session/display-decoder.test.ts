import { describe, expect, test } from 'vitest';
import {
  type DecoderLike,
  DisplayDecoder,
  HOST_COLORS,
  MAX_DECODE_QUEUE,
  MAX_FAILURES,
  type Picture,
  REFRESH_INTERVAL_MS,
} from './display-decoder.ts';

class FakeDecoder implements DecoderLike {
  decodeQueueSize = 0;
  state = 'unconfigured';
  readonly decoded: string[] = [];
  readonly configs: string[] = [];
  readonly init: VideoDecoderInit;

  constructor(init: VideoDecoderInit) {
    this.init = init;
  }
  configure(config: VideoDecoderConfig): void {
    this.state = 'configured';
    this.configs.push(config.codec);
    expect(config).toMatchObject({ optimizeForLatency: true, colorSpace: HOST_COLORS });
  }
  decode(chunk: EncodedVideoChunk): void {
    if (this.state !== 'configured') throw new Error('not configured');
    this.decoded.push(chunk.type);
  }
  close(): void {
    this.state = 'closed';
  }
  fail(): void {
    this.state = 'closed';
    this.init.error(new DOMException('broken'));
  }
}

function setUp() {
  const decoders: FakeDecoder[] = [];
  const log = { refreshes: 0, frames: 0, closedFrames: 0, unsupported: [] as string[] };
  let now = 0;
  const decoder = new DisplayDecoder(
    {
      onFrame: () => {
        log.frames += 1;
      },
      onRefresh: () => {
        log.refreshes += 1;
      },
      onUnsupported: (codec) => log.unsupported.push(codec),
    },
    {
      decoder: (init) => {
        const made = new FakeDecoder(init);
        decoders.push(made);
        return made;
      },
      chunk: (init) => ({ type: init.type, timestamp: init.timestamp }) as EncodedVideoChunk,
      now: () => now,
    },
  );
  const push = (key: boolean, codec: Picture['codec'] = 'vp9') =>
    decoder.push({ codec, key, data: new ArrayBuffer(8) });
  const frame = () =>
    ({
      close: () => {
        log.closedFrames += 1;
      },
    }) as unknown as VideoFrame;
  const last = () => {
    const made = decoders.at(-1);
    if (made === undefined) throw new Error('no decoder');
    return made;
  };
  return { decoder, decoders, log, push, frame, last, pass: (ms: number) => (now += ms) };
}

describe('DisplayDecoder', () => {
  test('waits for a key frame and asks for one at a bounded pace', () => {
    const { push, decoders, log, pass } = setUp();
    for (let i = 0; i < 10; i++) push(false);
    expect(decoders).toHaveLength(0);
    expect(log.refreshes).toBe(1);
    pass(REFRESH_INTERVAL_MS);
    push(false);
    expect(log.refreshes).toBe(2);
  });

  test('configures once and goes on over later key frames', () => {
    const { push, decoders, last } = setUp();
    for (const key of [true, false, false, true, false]) push(key);
    expect(decoders).toHaveLength(1);
    expect(last().decoded).toEqual(['key', 'delta', 'delta', 'key', 'delta']);
  });

  test('a decoder that was prepared takes the first key frame of its codec', () => {
    const { decoder, push, decoders, last, log } = setUp();
    decoder.prepare('vp9');
    decoder.prepare('vp9');
    push(false);
    expect(log.refreshes).toBe(1);
    push(true);
    push(false);
    expect(decoders).toHaveLength(1);
    expect(last().decoded).toEqual(['key', 'delta']);
  });

  test('one prepared for another codec, or taken back by the browser while it was idle, is replaced', () => {
    for (const takenBack of [true, false]) {
      const { decoder, push, decoders, last, log } = setUp();
      decoder.prepare(takenBack ? 'vp9' : 'h264');
      if (takenBack) last().fail();
      push(true);
      expect(decoders.map((made) => made.state)).toEqual(['closed', 'configured']);
      expect(last().decoded).toEqual(['key']);
      expect(log).toMatchObject({ refreshes: 0, unsupported: [] });
    }
  });

  test('another codec needs its own key frame', () => {
    const { push, decoders, last, log } = setUp();
    push(true, 'vp9');
    push(false, 'vp8');
    expect(log.refreshes).toBe(1);
    push(true, 'vp8');
    expect(decoders.map((made) => made.state)).toEqual(['closed', 'configured']);
    expect(last().configs).toEqual(['vp8']);
  });

  test('after an error it asks, skips deltas, and starts anew with the key frame', () => {
    const { push, decoders, last, log } = setUp();
    push(true);
    last().fail();
    expect(log.refreshes).toBe(1);
    push(false);
    expect(decoders).toHaveLength(1);
    push(true);
    expect(last().decoded).toEqual(['key']);
    expect(decoders).toHaveLength(2);
    expect(log.unsupported).toEqual([]);
  });

  test('failures in a row without a picture: the codec cannot be decoded here', () => {
    const { push, last, log, frame } = setUp();
    for (let i = 0; i < MAX_FAILURES - 1; i++) {
      push(true);
      last().fail();
    }
    push(true);
    last().init.output(frame());
    last().fail();
    expect(log.unsupported).toEqual([]);
    for (let i = 0; i < MAX_FAILURES; i++) {
      push(true);
      last().fail();
    }
    expect(log.unsupported).toEqual(['vp9']);
  });

  test('a decoder that falls behind is dropped and a key frame asked for', () => {
    const { push, decoders, last, log } = setUp();
    push(true);
    last().decodeQueueSize = MAX_DECODE_QUEUE;
    push(false);
    expect(last().state).toBe('closed');
    push(false);
    expect(log.refreshes).toBe(1);
    push(true);
    expect(decoders).toHaveLength(2);
  });

  test('a new geometry starts with a key frame', () => {
    const { decoder, push, decoders, last } = setUp();
    push(true);
    decoder.reset();
    push(false);
    expect(last().decoded).toEqual(['key']);
    push(true);
    expect(decoders).toHaveLength(2);
  });

  test('pictures of a decoder that was given up are closed and not shown', () => {
    const { decoder, push, last, log, frame } = setUp();
    push(true);
    const old = last();
    old.init.output(frame());
    decoder.close();
    old.init.output(frame());
    old.init.error(new DOMException('late'));
    push(true);
    expect(log).toEqual({ refreshes: 0, frames: 1, closedFrames: 1, unsupported: [] });
  });
});
