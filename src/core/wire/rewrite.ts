/** Changes to encoded messages that keep every field the schema does not know. */
import $protobuf from 'protobufjs/minimal.js';
import { WireError } from '../errors.ts';

const REQUEST_RELAY = 18;
const SOCKET_ADDR = 3;
/** Members of the envelope's union; only the one that is rewritten may stay. */
const UNION = { first: 6, last: 28 };
/** A RequestRelay has 11 fields; a datagram full of empty ones has some hundreds. */
const MAX_RAW_FIELDS = 1000;

/** One field as it stands in the encoded bytes. */
export interface RawField {
  readonly number: number;
  /** Tag and value. */
  readonly raw: Uint8Array;
  /** The content of a length-delimited field (bytes, string, message), else null. */
  readonly content: Uint8Array | null;
}

/** Splits an encoded message into its fields, in order, known or not. @throws WireError BAD_PROTOBUF, TOO_MANY_FIELDS */
export function splitFields(bytes: Uint8Array): RawField[] {
  const fields: RawField[] = [];
  const reader = new $protobuf.Reader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  while (reader.pos < reader.len) {
    if (fields.length >= MAX_RAW_FIELDS)
      throw new WireError('TOO_MANY_FIELDS', `a message has more than ${MAX_RAW_FIELDS} fields`);
    const start = reader.pos;
    try {
      const tag = reader.tag();
      const number = tag >>> 3;
      let content: Uint8Array | null = null;
      if ((tag & 7) === 2) content = reader.bytes();
      else reader.skipType(tag & 7, 0, number);
      if (number === 0) throw new RangeError('field number 0');
      fields.push({ number, raw: bytes.subarray(start, reader.pos), content });
    } catch (error) {
      throw new WireError('BAD_PROTOBUF', 'the bytes are not a protobuf message', { cause: error });
    }
  }
  return fields;
}

function bytesField(number: number, content: Uint8Array): Uint8Array {
  return $protobuf.Writer.create()
    .uint32((number << 3) | 2)
    .bytes(content)
    .finish();
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * Puts `socketAddr` (mangled; empty removes it) into an encoded RendezvousMessage that holds a RequestRelay, and leaves
 * everything else as it is, unknown fields included: a server that forwards it must not lose what newer peers put there
 * (rendezvous §4, §6.5).
 * @throws WireError BAD_PROTOBUF, TOO_MANY_FIELDS, or NOT_REQUEST_RELAY.
 */
export function rewriteRequestRelay(bytes: Uint8Array, change: { socketAddr: Uint8Array }): Uint8Array {
  const outer = splitFields(bytes);
  const members = outer.filter((field) => field.number >= UNION.first && field.number <= UNION.last);
  // The last member of a union wins; earlier parts of the same message would be merged with it.
  if (
    members[members.length - 1]?.number !== REQUEST_RELAY ||
    members.some((member) => member.content === null)
  )
    throw new WireError('NOT_REQUEST_RELAY', 'the message is no RequestRelay');
  const inner = splitFields(
    concat(
      members.flatMap((member) =>
        member.number === REQUEST_RELAY && member.content ? [member.content] : [],
      ),
    ),
  ).filter((field) => field.number !== SOCKET_ADDR);
  const parts = inner.map((field) => field.raw);
  if (change.socketAddr.length > 0) {
    const behind = inner.findIndex((field) => field.number > SOCKET_ADDR);
    parts.splice(behind < 0 ? parts.length : behind, 0, bytesField(SOCKET_ADDR, change.socketAddr));
  }
  const others = outer.filter((field) => !members.includes(field)).map((field) => field.raw);
  return concat([bytesField(REQUEST_RELAY, concat(parts)), ...others]);
}
