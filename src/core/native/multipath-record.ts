/**
 * Records of a path (docs/protocol.md, "Several paths"): what one sealed frame of a path holds. Control records have a
 * fixed size and may stand one after the other; DATA and CLOSE take the rest of their frame.
 */
import { WireError } from '../errors.ts';
import { MAX_REASON_BYTES } from './multipath-limits.ts';

/** First byte of each record. */
export const RECORD = { data: 0x01, dataMore: 0x02, ack: 0x03, ping: 0x04, pong: 0x05, use: 0x06, close: 0x07 } as const;

export const DATA_HEADER_BYTES = 8;
export const ACK_BYTES_ON_WIRE = 14;
const PROBE_BYTES = 9;
const USE_BYTES = 1;
const CLOSE_HEADER_BYTES = 2;
/** Control records in one frame: an ack of each channel and some probes. */
const MAX_RECORDS = 32;

/** `code` of a CLOSE: everything was said, or something broke. */
export const CLOSE_CODE = { done: 0, failed: 1 } as const;

export interface RecordHandlers {
  /** One piece of a frame; `more`: the frame goes on in the next record of the channel. */
  onData(channel: number, sequence: number, more: boolean, bytes: Uint8Array): void;
  /** All records below `sequence` have come; those may be sent whose costs sum up to at most `limit`. */
  onAck(channel: number, sequence: number, limit: number): void;
  onPing(nonce: Uint8Array): void;
  onPong(nonce: Uint8Array): void;
  /** The controller uses this path from here on. */
  onUse(): void;
  onClose(code: number, reason: string): void;
}

/** What stands before the bytes of a DATA record. */
export function dataHeader(channel: number, sequence: number, more: boolean): Uint8Array {
  const header = new Uint8Array(DATA_HEADER_BYTES);
  header[0] = more ? RECORD.dataMore : RECORD.data;
  header[1] = channel;
  writeUint48(header, 2, sequence);
  return header;
}

export function writeAck(out: Uint8Array, at: number, channel: number, sequence: number, limit: number): void {
  out[at] = RECORD.ack;
  out[at + 1] = channel;
  writeUint48(out, at + 2, sequence);
  writeUint48(out, at + 8, limit);
}

/** `nonce` has 8 bytes. */
export function encodePing(nonce: Uint8Array): Uint8Array {
  return probe(RECORD.ping, nonce);
}

export function encodePong(nonce: Uint8Array): Uint8Array {
  return probe(RECORD.pong, nonce);
}

export function encodeUse(): Uint8Array {
  return Uint8Array.of(RECORD.use);
}

export function encodeClose(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason).subarray(0, MAX_REASON_BYTES);
  const record = new Uint8Array(CLOSE_HEADER_BYTES + text.length);
  record[0] = RECORD.close;
  record[1] = code;
  record.set(text, CLOSE_HEADER_BYTES);
  return record;
}

/**
 * Reads the records of one frame. A record of an unknown type ends the frame without an error, since its size is not known.
 * Throws WireError BAD_RECORD; what stood before the fault has been handed on by then.
 */
export function readRecords(frame: Uint8Array, handlers: RecordHandlers): void {
  let at = 0;
  for (let count = 0; at < frame.length; count++) {
    if (count === MAX_RECORDS) throw bad('too many records in one frame');
    const left = frame.length - at;
    switch (frame[at]) {
      case RECORD.data:
      case RECORD.dataMore:
        if (left < DATA_HEADER_BYTES) throw bad('DATA is cut short');
        handlers.onData(
          frame[at + 1] as number,
          readUint48(frame, at + 2),
          frame[at] === RECORD.dataMore,
          frame.subarray(at + DATA_HEADER_BYTES),
        );
        return;
      case RECORD.ack:
        if (left < ACK_BYTES_ON_WIRE) throw bad('ACK is cut short');
        handlers.onAck(frame[at + 1] as number, readUint48(frame, at + 2), readUint48(frame, at + 8));
        at += ACK_BYTES_ON_WIRE;
        break;
      case RECORD.ping:
      case RECORD.pong: {
        if (left < PROBE_BYTES) throw bad('a probe is cut short');
        const nonce = frame.subarray(at + 1, at + PROBE_BYTES);
        if (frame[at] === RECORD.ping) handlers.onPing(nonce);
        else handlers.onPong(nonce);
        at += PROBE_BYTES;
        break;
      }
      case RECORD.use:
        handlers.onUse();
        at += USE_BYTES;
        break;
      case RECORD.close: {
        if (left < CLOSE_HEADER_BYTES || left > CLOSE_HEADER_BYTES + MAX_REASON_BYTES) throw bad('CLOSE has a wrong size');
        const text = frame.subarray(at + CLOSE_HEADER_BYTES);
        handlers.onClose(frame[at + 1] as number, new TextDecoder().decode(text));
        return;
      }
      default:
        return;
    }
  }
}

function probe(type: number, nonce: Uint8Array): Uint8Array {
  const record = new Uint8Array(PROBE_BYTES);
  record[0] = type;
  record.set(nonce, 1);
  return record;
}

function bad(message: string): WireError {
  return new WireError('BAD_RECORD', message);
}

function writeUint48(out: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  out[at] = high >>> 8;
  out[at + 1] = high;
  out[at + 2] = value >>> 24;
  out[at + 3] = value >>> 16;
  out[at + 4] = value >>> 8;
  out[at + 5] = value;
}

function readUint48(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  const low =
    (((bytes[at + 2] as number) << 24) |
      ((bytes[at + 3] as number) << 16) |
      ((bytes[at + 4] as number) << 8) |
      (bytes[at + 5] as number)) >>>
    0;
  return high * 0x1_0000_0000 + low;
}
