/**
 * The frames of a mux, one in each frame of the link (docs/tunnels.md, "On the wire"). All numbers are big-endian.
 *
 *     0 hello    u8 version
 *     1 open     u32 id, target
 *     2 opened   u32 id, text (the address that was reached; may be empty)
 *     3 data     u32 id, bytes
 *     4 close    u32 id
 *     5 reset    u32 id, u16 code, text
 *     6 credit   u32 id (0: the link), u32 bytes
 *     7 ping     u32 nonce
 *     8 pong     u32 nonce
 *     9 goaway   u16 code, text
 *    10 group    frames, each behind its length as u16; from version 2 on
 */
import { WireError } from '../errors.ts';
import { type StreamCode, STREAM_CODES, streamCode } from './codes.ts';
import { GROUP_BYTES, MAX_FRAME_BYTES, MAX_REASON_BYTES } from './limits.ts';
import { decodeTarget, encodeTarget, type StreamTarget } from './target.ts';

export const MUX_VERSION = 2;
/** Whoever said so much in its hello reads groups. */
export const GROUP_VERSION = 2;

const HELLO = 0;
const OPEN = 1;
const OPENED = 2;
const DATA = 3;
const CLOSE = 4;
const RESET = 5;
const CREDIT = 6;
const PING = 7;
const PONG = 8;
const GOAWAY = 9;
const GROUP = 10;
/** Frames from this number on are extensions: who does not know one skips it. */
const FIRST_OPTIONAL = 0x80;

export const DATA_HEADER_BYTES = 5;
/** What a frame takes in a group beside its own bytes. */
export const GROUP_COST_BYTES = 2;

export type MuxFrame =
  | { readonly type: 'hello'; readonly version: number }
  /** `target` is null when it cannot be read, which is no reason to give up the other streams. */
  | { readonly type: 'open'; readonly id: number; readonly target: StreamTarget | null }
  | { readonly type: 'opened'; readonly id: number; readonly address: string }
  | { readonly type: 'data'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'close'; readonly id: number }
  | { readonly type: 'reset'; readonly id: number; readonly code: StreamCode; readonly reason: string }
  | { readonly type: 'credit'; readonly id: number; readonly bytes: number }
  | { readonly type: 'ping'; readonly nonce: number }
  | { readonly type: 'pong'; readonly nonce: number }
  | { readonly type: 'goaway'; readonly code: StreamCode; readonly reason: string }
  /** Each with memory of its own, and none of them a group. */
  | { readonly type: 'group'; readonly frames: readonly Uint8Array[] };

const utf8 = new TextEncoder();
const lenient = new TextDecoder();

/** Bytes of a frame. Data is better written in place, behind `writeDataHeader`. */
export function encodeFrame(frame: MuxFrame): Uint8Array {
  switch (frame.type) {
    case 'hello':
      return Uint8Array.of(HELLO, frame.version);
    case 'open':
      return numbered(OPEN, frame.id, frame.target ? encodeTarget(frame.target) : new Uint8Array());
    case 'opened':
      return numbered(OPENED, frame.id, reasonBytes(frame.address));
    case 'data':
      return numbered(DATA, frame.id, frame.bytes);
    case 'close':
      return numbered(CLOSE, frame.id);
    case 'reset': {
      const text = reasonBytes(frame.reason);
      const out = numbered(RESET, frame.id, new Uint8Array(2 + text.length));
      new DataView(out.buffer).setUint16(5, STREAM_CODES[frame.code]);
      out.set(text, 7);
      return out;
    }
    case 'credit': {
      const out = numbered(CREDIT, frame.id, new Uint8Array(4));
      new DataView(out.buffer).setUint32(5, frame.bytes);
      return out;
    }
    case 'ping':
      return numbered(PING, frame.nonce);
    case 'pong':
      return numbered(PONG, frame.nonce);
    case 'goaway': {
      const text = reasonBytes(frame.reason);
      const out = new Uint8Array(3 + text.length);
      out[0] = GOAWAY;
      new DataView(out.buffer).setUint16(1, STREAM_CODES[frame.code]);
      out.set(text, 3);
      return out;
    }
    case 'group':
      return encodeGroup(frame.frames.map((each) => [each]));
  }
}

/** Several frames as one; each comes in its pieces. */
export function encodeGroup(frames: readonly (readonly Uint8Array[])[]): Uint8Array {
  let length = 1;
  for (const parts of frames) length += GROUP_COST_BYTES + lengthOf(parts);
  const out = new Uint8Array(length);
  out[0] = GROUP;
  let at = 1;
  for (const parts of frames) {
    const bytes = lengthOf(parts);
    out[at] = bytes >>> 8;
    out[at + 1] = bytes;
    at += GROUP_COST_BYTES;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
  }
  return out;
}

/** Writes what stands before the bytes of a data frame into the first DATA_HEADER_BYTES of `out`. */
export function writeDataHeader(out: Uint8Array, id: number): void {
  out[0] = DATA;
  writeId(out, id);
}

/** Null for an extension that this version does not know. Throws WireError BAD_MUX_FRAME. */
export function decodeFrame(bytes: Uint8Array): MuxFrame | null {
  const type = bytes[0];
  if (type === undefined) throw bad('an empty frame');
  if (bytes.length > MAX_FRAME_BYTES) throw bad('a frame is too long');
  if (type >= FIRST_OPTIONAL) return null;
  switch (type) {
    case HELLO:
      if (bytes.length < 2) throw bad('a hello without version');
      return { type: 'hello', version: bytes[1] as number };
    case OPEN:
      return { type: 'open', id: readId(bytes), target: readTarget(bytes.subarray(5)) };
    case OPENED:
      return { type: 'opened', id: readId(bytes), address: readText(bytes, 5) };
    case DATA:
      return { type: 'data', id: readId(bytes), bytes: bytes.subarray(DATA_HEADER_BYTES) };
    case CLOSE:
      return { type: 'close', id: readId(bytes) };
    case RESET:
      return { type: 'reset', id: readId(bytes), code: readCode(bytes, 5), reason: readText(bytes, 7) };
    case CREDIT:
      return { type: 'credit', id: readNumber(bytes, 1), bytes: readNumber(bytes, 5) };
    case PING:
      return { type: 'ping', nonce: readNumber(bytes, 1) };
    case PONG:
      return { type: 'pong', nonce: readNumber(bytes, 1) };
    case GOAWAY:
      return { type: 'goaway', code: readCode(bytes, 1), reason: readText(bytes, 3) };
    case GROUP:
      return { type: 'group', frames: readGroup(bytes) };
    default:
      throw bad(`a frame of type ${type}`);
  }
}

/** Copies: what one stream keeps unread must not keep the memory of all. */
function readGroup(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length > GROUP_BYTES) throw bad('a group is too long');
  const frames: Uint8Array[] = [];
  for (let at = 1; at < bytes.length; ) {
    const length = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    at += GROUP_COST_BYTES;
    if (length === 0 || at + length > bytes.length) throw bad('a group that is cut short');
    if (bytes[at] === GROUP) throw bad('a group in a group');
    frames.push(new Uint8Array(bytes.subarray(at, at + length)));
    at += length;
  }
  return frames;
}

/** Of all parts. */
export function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

function numbered(type: number, id: number, rest: Uint8Array = new Uint8Array()): Uint8Array {
  const out = new Uint8Array(5 + rest.length);
  out[0] = type;
  writeId(out, id);
  out.set(rest, 5);
  return out;
}

function writeId(out: Uint8Array, id: number): void {
  out[1] = id >>> 24;
  out[2] = id >>> 16;
  out[3] = id >>> 8;
  out[4] = id;
}

function readNumber(bytes: Uint8Array, at: number): number {
  if (bytes.length < at + 4) throw bad('a frame that is cut short');
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

function readId(bytes: Uint8Array): number {
  const id = readNumber(bytes, 1);
  if (id === 0) throw bad('stream 0, which does not exist');
  return id;
}

function readCode(bytes: Uint8Array, at: number): StreamCode {
  if (bytes.length < at + 2) throw bad('a frame that is cut short');
  return streamCode(((bytes[at] as number) << 8) | (bytes[at + 1] as number));
}

function readTarget(bytes: Uint8Array): StreamTarget | null {
  try {
    return decodeTarget(bytes);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

/** Shown to people and written to logs, so without line breaks and the like. */
function readText(bytes: Uint8Array, at: number): string {
  return lenient.decode(bytes.subarray(at, at + MAX_REASON_BYTES)).replace(/[\p{Cc}\p{Cf}\u{fffd}]+/gu, ' ').trim();
}

function reasonBytes(text: string): Uint8Array {
  return utf8.encode(text).subarray(0, MAX_REASON_BYTES);
}

function bad(what: string): WireError {
  return new WireError('BAD_MUX_FRAME', what);
}
