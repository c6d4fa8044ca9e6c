/** Where the time from a key to its colour goes. Both ends are on one machine, so that their clocks can be compared. */

/** For the capture window: when each picture went into the encoder, and when it left for the main process. */
export const WATCH_CAPTURE = `(() => {
  const now = () => performance.timeOrigin + performance.now();
  const bench = (globalThis.bench = { frames: [] });
  const started = new Map();
  const encode = VideoEncoder.prototype.encode;
  VideoEncoder.prototype.encode = function (frame, options) {
    started.set(frame.timestamp, now());
    return encode.call(this, frame, options);
  };
  const post = MessagePort.prototype.postMessage;
  MessagePort.prototype.postMessage = function (message, ...rest) {
    if (message?.type === 'frame') {
      const key = Math.round(message.ptsMs * 1000);
      bench.frames.push({ encodeMs: started.get(key) ?? NaN, postedMs: now(), bytes: message.data.byteLength });
      started.delete(key);
    }
    return post.call(this, message, ...rest);
  };
})()`;

/** A picture at the shared computer; ms since the epoch. */
export interface SentFrame {
  readonly encodeMs: number;
  readonly postedMs: number;
  readonly bytes: number;
}

/** A key with the picture that showed its effect; ms since the epoch. */
export interface AnsweredKey {
  readonly keyMs: number;
  readonly decodeMs: number;
  readonly shownMs: number;
  readonly bytes: number;
}

export interface Stage {
  readonly name: string;
  readonly ms: readonly number[];
}

/** The stages of every key whose picture is found at both ends. */
export function stagesOf(keys: readonly AnsweredKey[], frames: readonly SentFrame[]): Stage[] {
  const found = keys.flatMap((key) => {
    const frame = frames.findLast(({ postedMs, bytes }) => postedMs < key.decodeMs && bytes === key.bytes);
    return frame && frame.encodeMs > key.keyMs ? [{ ...key, ...frame }] : [];
  });
  return [
    { name: 'key sent, carried out, its effect drawn and captured', ms: found.map(({ keyMs, encodeMs }) => encodeMs - keyMs) },
    { name: 'picture encoded', ms: found.map(({ encodeMs, postedMs }) => postedMs - encodeMs) },
    { name: 'sealed, sent, received, opened', ms: found.map(({ postedMs, decodeMs }) => decodeMs - postedMs) },
    { name: 'decoded', ms: found.map(({ decodeMs, shownMs }) => shownMs - decodeMs) },
  ];
}
