import { expect, test } from 'vitest';
import { codecString, coversCodec, PROBE_CODECS } from './codec.ts';

test('VP9 says its profile in the first byte', () => {
  expect(codecString('vp9', Uint8Array.of(0x82, 0x49, 0x83, 0x42))).toBe('vp09.00.10.08');
  expect(codecString('vp9', Uint8Array.of(0xa2, 0x49, 0x83, 0x42))).toBe('vp09.01.10.08');
  expect(codecString('vp9', new Uint8Array())).toBe('vp09.00.10.08');
});

test('AV1 says it in the sequence header, behind a temporal delimiter', () => {
  const delimiter = [0x12, 0x00];
  expect(codecString('av1', Uint8Array.of(...delimiter, 0x0a, 0x0b, 0x00, 0x00))).toBe('av01.0.08M.08');
  expect(codecString('av1', Uint8Array.of(...delimiter, 0x0a, 0x0b, 0x20, 0x00))).toBe('av01.1.08M.08');
  expect(codecString('av1', Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff))).toBe('av01.0.08M.08');
});

test('H.264 says it in the parameter set', () => {
  const sps = Uint8Array.of(0, 0, 0, 1, 0x09, 0xf0, 0, 0, 0, 1, 0x67, 0x64, 0x00, 0x28, 0xac);
  expect(codecString('h264', sps)).toBe('avc1.640028');
  expect(codecString('h264', Uint8Array.of(0, 0, 1, 0x67))).toBe(PROBE_CODECS.h264);
});

test('the others are what they are', () => {
  expect(codecString('vp8', new Uint8Array(4))).toBe('vp8');
  expect(codecString('h265', new Uint8Array(4))).toBe(PROBE_CODECS.h265);
});

test('a decoder takes its own codec, and of H.264 every lower level of its profile', () => {
  expect(coversCodec('vp8', 'vp8')).toBe(true);
  expect(coversCodec(PROBE_CODECS.h264, 'avc1.640C28')).toBe(true);
  for (const wanted of ['avc1.640034', 'avc1.42E028', 'vp8', '']) expect(coversCodec(PROBE_CODECS.h264, wanted)).toBe(false);
  expect(coversCodec('vp8', 'vp09.00.10.08')).toBe(false);
});
