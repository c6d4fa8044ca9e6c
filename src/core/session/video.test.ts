import { expect, test } from 'vitest';
import { FakeDesktop, setUpHost, setUpPair } from './fixtures.ts';
import { baseBitrate, customRatio, RateControl } from './quality.ts';
import { chooseCodec } from './codecs.ts';

const WIDE = { x: 320, y: 0, width: 640, height: 480, name: 'second', scale: 1 };
const decoding = { vp8: true, vp9: true, av1: false, h264: false };

test('the first display streams from login on, other displays on demand', () => {
  const first = { x: 0, y: 0, width: 320, height: 240, name: 'screen', scale: 1 };
  const pair = setUpPair({ password: 'secret' }, { desktop: new FakeDesktop([first, WIDE]) });
  expect(pair.desktop.streams.map((stream) => stream.request.display)).toEqual([0]);
  pair.desktop.stream.frame(true, 100, 7);
  expect(pair.controllerEvents.of('video')[0]).toMatchObject({
    display: 0,
    codec: 'vp9',
    key: true,
    ptsMs: 7,
  });

  pair.controller.switchDisplay(1);
  expect(pair.desktop.streams[0]?.stopped).toBe(true);
  expect(pair.desktop.stream.request.display).toBe(1);
  expect(pair.controllerEvents.of('geometry')[0]).toMatchObject({
    display: 1,
    geometry: { x: 320, width: 640 },
  });

  pair.controller.captureDisplays([0, 1]);
  expect(
    pair.desktop.streams.filter((stream) => !stream.stopped).map((stream) => stream.request.display),
  ).toEqual([1, 0]);
  pair.controller.captureDisplays([]);
  expect(pair.desktop.streams.every((stream) => stream.stopped)).toBe(true);
});

test('VP9 is the fallback, a preference wins, and a switch of codec waits for its key frame', () => {
  expect(chooseCodec(['vp8', 'vp9'], null)).toBe('vp9');
  expect(chooseCodec(['h264', 'vp9'], { ...decoding, vp9: false })).toBe('vp9');
  expect(chooseCodec(['h264', 'vp9'], { ...decoding, h264: true })).toBe('h264');
  expect(chooseCodec(['h264', 'vp9', 'vp8'], { ...decoding, h264: true, prefer: 'vp8' })).toBe('vp8');

  const pair = setUpPair({ password: 'secret' });
  const { stream } = pair.desktop;
  stream.frame(true);
  pair.controller.setDecoding({ ...decoding, prefer: 'vp8' });
  expect(stream.request.codec).toBe('vp8');
  stream.frame(false);
  stream.frame(true);
  expect(pair.controllerEvents.of('video').map((frame) => [frame.codec, frame.key])).toEqual([
    ['vp9', true],
    ['vp8', true],
  ]);
});

test('refreshes close together become one, and none is lost', () => {
  const pair = setUpPair({ password: 'secret' });
  for (let count = 0; count < 20; count++) pair.controller.refreshVideo(0);
  expect(pair.desktop.stream.keyRequests).toBe(1);
  pair.clock.advance(200);
  expect(pair.desktop.stream.keyRequests).toBe(2);
  pair.clock.advance(1000);
  expect(pair.desktop.stream.keyRequests).toBe(2);
});

test('geometry goes before the frames of the new size, in the queue of the frames', () => {
  const pair = setUpPair({ password: 'secret' });
  const { stream } = pair.desktop;
  stream.frame(true);
  pair.link.auto = false;
  stream.frame(false);
  stream.sink.onGeometry(0, { x: 0, y: 0, width: 800, height: 600, name: 'screen', scale: 1 });
  // A delta of the old size must not follow the announcement.
  stream.frame(false);
  stream.frame(true);
  pair.link.flush();
  const order = pair.controllerEvents.all
    .filter(({ name }) => name === 'video' || name === 'geometry')
    .map(({ name }) => name);
  expect(order).toEqual(['video', 'video', 'geometry', 'video']);
  expect(pair.controllerEvents.of('geometry')[0]?.geometry.width).toBe(800);
});

test('a full link stops the source and loses deltas up to the next key frame, never more than the queue waits', () => {
  const pair = setUpPair({ password: 'secret' });
  const { stream } = pair.desktop;
  expect(stream.frame(true, 1000)).toBe(true);
  pair.link.auto = false;
  let most = 0;
  for (let count = 0; count < 500; count++) {
    stream.frame(false, 4000);
    most = Math.max(most, pair.link.bufferedBytes);
  }
  expect(most).toBeLessThan(32 * 1024);
  expect(pair.host.stats.framesDropped).toBeGreaterThan(480);
  expect(stream.resumes).toBe(0);

  pair.link.auto = true;
  pair.link.flush();
  pair.clock.advance(10);
  expect(stream.resumes).toBe(1);
  // What was lost makes deltas useless: a key frame is asked for, and only it is sent.
  expect(stream.keyRequests).toBe(1);
  const before = pair.controllerEvents.of('video').length;
  stream.frame(false);
  stream.frame(true);
  stream.frame(false);
  expect(
    pair.controllerEvents
      .of('video')
      .slice(before)
      .map((frame) => frame.key),
  ).toEqual([true, false]);
});

test('a source that stops when told so loses nothing and needs no key frame', () => {
  const pair = setUpPair({ password: 'secret' });
  const { stream } = pair.desktop;
  stream.frame(true, 1000);
  pair.link.auto = false;
  while (stream.frame(false, 4000));
  pair.link.auto = true;
  pair.link.flush();
  pair.clock.advance(10);
  expect(stream.resumes).toBe(1);
  expect(stream.keyRequests).toBe(0);
  expect(pair.host.stats.framesDropped).toBe(0);
});

test('with acknowledgement one frame is under way at a time, for at most three seconds', () => {
  const pair = setUpPair({ password: 'secret', videoAck: true });
  const { stream } = pair.desktop;
  expect(stream.frame(true)).toBe(false);
  pair.clock.advance(100);
  expect(stream.resumes).toBe(0);
  pair.controller.ackVideo();
  expect(stream.resumes).toBe(1);
  expect(stream.frame(false)).toBe(false);
  pair.clock.advance(3000);
  expect(stream.resumes).toBe(2);
  expect(pair.host.stats.framesDropped).toBe(0);
});

test('an echo that is late holds video back until it comes', () => {
  const pair = setUpPair({ password: 'secret' });
  const { stream } = pair.desktop;
  stream.frame(true);
  pair.clock.advance(500);
  pair.controllerLink.auto = false;
  pair.clock.advance(525 + 900);
  expect(stream.frame(false)).toBe(false);
  pair.controllerLink.auto = true;
  pair.controllerLink.flush();
  expect(stream.resumes).toBe(1);
});

test('options of the viewer set frame rate and bitrate', () => {
  const pair = setUpPair({ password: 'secret', options: { fps: 5, quality: 'best' } });
  const { request } = pair.desktop.stream;
  expect(request.maxFps).toBe(5);
  const best = request.bitrateBps;
  pair.controller.setOption({ quality: 'low' });
  expect(request.bitrateBps).toBeLessThan(best);
  pair.controller.setOption({ fps: 60 });
  pair.clock.advance(20_000);
  expect(request.maxFps).toBe(60);
});

test('rate control falls with delay, not below ten frames, and comes back', () => {
  const rate = new RateControl();
  let now = 0;
  const feed = (ms: number, count: number): void => {
    for (let index = 0; index < count; index++) rate.sample(ms, (now += 1000));
  };
  feed(20, 30);
  expect(rate.rate).toEqual({ fps: 30, ratio: 0.67, headroom: 6 });
  feed(900, 60);
  expect(rate.rate).toMatchObject({ fps: 10, headroom: 1 });
  expect(rate.rate.ratio).toBeCloseTo(0.2);
  rate.waiting(2500);
  expect(rate.rate.fps).toBe(2);
  feed(20, 60);
  expect(rate.rate).toEqual({ fps: 30, ratio: 0.67, headroom: 6 });
});

test('bitrates and quality of the wire', () => {
  expect(baseBitrate({ width: 1280, height: 720 })).toBe(1000);
  expect(baseBitrate({ width: 1920, height: 1080 })).toBeCloseTo(2073);
  expect(baseBitrate({ width: 3840, height: 2160 })).toBeCloseTo(5000);
  expect(customRatio(50 << 8)).toBe(1);
  expect(customRatio(1 << 8)).toBe(0.2);
});

test('pointer shapes go once, then by id; broken ones do not go at all', () => {
  const pair = setUpPair({ password: 'secret' });
  const shape = (id: number, fill: number) => ({
    id,
    width: 2,
    height: 2,
    hotX: 1,
    hotY: 0,
    rgba: new Uint8Array(16).fill(fill),
  });
  pair.desktop.cursor?.onShape(shape(70, 1));
  pair.desktop.cursor?.onShape(shape(71, 2));
  pair.desktop.cursor?.onShape(shape(70, 1));
  pair.desktop.cursor?.onShape({ ...shape(72, 3), rgba: new Uint8Array(3) });
  const shapes = pair.controllerEvents.of('cursor');
  expect(shapes.map(({ rgba }) => rgba[0])).toEqual([1, 2]);
  expect(pair.controllerEvents.of('cursor-id')).toEqual([shapes[0]?.id]);
});

test('pointer positions go to a viewer that asked and does not move it itself', () => {
  const pair = setUpPair({ password: 'secret' });
  pair.desktop.cursor?.onPosition(1, 1);
  pair.controller.setOption({ showRemoteCursor: true });
  pair.desktop.cursor?.onPosition(2, 2);
  pair.clock.advance(40);
  pair.controller.mouseMove(9, 9);
  pair.desktop.cursor?.onPosition(3, 3);
  pair.clock.advance(300);
  pair.desktop.cursor?.onPosition(4, 4);
  expect(pair.controllerEvents.of('cursor-position')).toEqual([
    { x: 2, y: 2 },
    { x: 4, y: 4 },
  ]);
});

test('the end of a session stops every stream and watcher', () => {
  const pair = setUpPair({ password: 'secret' });
  pair.controller.close();
  expect(pair.desktop.streams.every((stream) => stream.stopped)).toBe(true);
  expect(pair.desktop.cursor).toBeNull();
  expect(pair.desktop.clipboardWatcher).toBeNull();
  expect(pair.clock.pending).toBe(0);
});

test('the first picture is made ready as soon as somebody connects, and let go of at the end', async () => {
  let prepared = 0;
  const desktop = Object.assign(new FakeDesktop(), { prepareVideo: () => (prepared++, () => void prepared--) });
  const { host } = setUpHost({ desktop });
  expect(prepared).toBe(1);
  host.disconnect();
  expect(prepared).toBe(0);
});
