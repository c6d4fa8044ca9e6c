/**
 * 64-bit fields of the schema (uint64 session_id, cursor id, file sizes, int64 times) are `bigint`, exact over the whole
 * range. These helpers go to and from `number` where a value is known to be small, such as a size or a time.
 */
import { WireError } from '../errors.ts';

/** @throws WireError BAD_INTEGER when `value` is not a whole number. */
export function toBigInt(value: bigint | number): bigint {
  if (typeof value === 'bigint') return value;
  if (!Number.isSafeInteger(value))
    throw new WireError('BAD_INTEGER', `${value} is not an exact whole number`);
  return BigInt(value);
}

/** The same value as a number. @throws WireError BAD_INTEGER beyond ±(2^53 - 1), where a number would not be exact. */
export function fromBigInt(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new WireError('BAD_INTEGER', `${value} does not fit an exact number`);
  return number;
}

/** A random uint64, for session ids (session §2.5). */
export function randomUint64(randomBytes: (count: number) => Uint8Array): bigint {
  return randomBytes(8).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
