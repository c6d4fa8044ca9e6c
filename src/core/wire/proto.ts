/**
 * The protobuf messages of both protocols (rendezvous §4, session §1), encoded and decoded.
 *
 * - Types and enums are in `hbb`: `hbb.IMessage` is what one writes (all fields optional), `hbb.Message` what one reads
 *   (unset scalars read as their defaults, unset sub-messages as undefined or null). Names are camelCase.
 * - 64-bit fields are `bigint`, in and out, exact (scripts/proto.mjs). Nothing here uses Long.
 * - A `bytes` field of a decoded message is a view of the input, not a copy.
 * - Unknown fields are dropped, unknown enum values are kept as numbers, as proto3 has it. Where unknown fields must
 *   survive there is rewriteRequestRelay().
 */
import $protobuf from 'protobufjs/minimal.js';
import { WireError } from '../errors.ts';
import { hbb } from './generated/proto.js';

export { hbb };

/**
 * Bound on what one message can make us build: fields and packed bytes together. Two bytes of input can stand for an
 * object of a hundred, so a frame of 32 MiB could cost gigabytes. A file list of 100 000 entries has 600 000 fields.
 */
export const MAX_FIELDS = 1_000_000;

/** The same for messages with the server, which strangers send: the largest real one asks for some hundred peers. */
export const MAX_RENDEZVOUS_FIELDS = 20_000;

/** A reader that counts what it reads. Nesting is limited by protobufjs itself (100 levels). */
class BoundedReader extends $protobuf.Reader {
  readonly #limit: number;
  #left: number;

  constructor(bytes: Uint8Array, limit: number) {
    super(bytes);
    this.#limit = this.#left = limit;
  }

  override tag(): number {
    this.#spend(1);
    return super.tag();
  }

  override int32s(array?: number[]): number[] {
    this.#spend(this.#peekSize());
    return super.int32s(array);
  }

  override uint32s(array?: number[]): number[] {
    this.#spend(this.#peekSize());
    return super.uint32s(array);
  }

  #peekSize(): number {
    const at = this.pos;
    const size = this.size();
    this.pos = at;
    return size;
  }

  #spend(count: number): void {
    this.#left -= count;
    if (this.#left < 0)
      throw new WireError('TOO_MANY_FIELDS', `a message has more than ${this.#limit} fields`);
  }
}

interface Decoder<T> {
  decode(reader: $protobuf.Reader): T;
}

interface Encoder<T> {
  encode(message: T): { finish(): Uint8Array };
}

/**
 * Decodes any message class of `hbb`, e.g. `decodeAs(hbb.IdPk, bytes)`.
 * @param maxFields bound on fields and packed bytes together; smaller where the sender is a stranger.
 * @throws WireError BAD_PROTOBUF or TOO_MANY_FIELDS, and nothing else.
 */
export function decodeAs<T>(type: Decoder<T>, bytes: Uint8Array, maxFields: number = MAX_FIELDS): T {
  try {
    // A plain view: a Buffer would make every bytes field a Buffer.
    return type.decode(
      new BoundedReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), maxFields),
    );
  } catch (error) {
    if (error instanceof WireError) throw error;
    throw new WireError('BAD_PROTOBUF', 'the bytes are not the expected message', { cause: error });
  }
}

/** Encodes any message class of `hbb`, e.g. `encodeAs(hbb.IdPk, { id, pk })`. */
export function encodeAs<T>(type: Encoder<T>, message: T): Uint8Array {
  const bytes = type.encode(message).finish();
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One message to or from the rendezvous server or relay, without framing. */
export function encodeRendezvous(message: hbb.IRendezvousMessage): Uint8Array {
  return encodeAs(hbb.RendezvousMessage, message);
}

/** `union` of the result names the member that is set, or is undefined. @throws WireError */
export function decodeRendezvous(bytes: Uint8Array): hbb.RendezvousMessage {
  return decodeAs<hbb.RendezvousMessage>(hbb.RendezvousMessage, bytes, MAX_RENDEZVOUS_FIELDS);
}

/** One message between two peers, without framing or sealing. */
export function encodeMessage(message: hbb.IMessage): Uint8Array {
  return encodeAs(hbb.Message, message);
}

/**
 * `union` of the result names the member that is set, or is undefined (an empty message is legal).
 * @param maxFields pass a small bound for a peer that has not logged in. @throws WireError
 */
export function decodeMessage(bytes: Uint8Array, maxFields?: number): hbb.Message {
  return decodeAs<hbb.Message>(hbb.Message, bytes, maxFields);
}
