/**
 * Turns decoded messages into the form of the recordings and back (README.md, "Format"): spec field names, enum names,
 * defaults absent, bytes in hex. It reads names and types from proto/, so it checks the generated code against the schema.
 */
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { splitFields } from '../../src/core/wire/index.ts';
import type { Decoded } from './load.ts';
import { fromHex, toHex } from './load.ts';

const root = new protobuf.Root();
root.loadSync(
  ['rendezvous', 'message'].map((name) => fileURLToPath(new URL(`../../proto/${name}.proto`, import.meta.url))),
  { keepCase: true },
);
root.resolveAll();

export type Envelope = 'RendezvousMessage' | 'Message';

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The recordings do not say which protocol a step speaks; the name of the union member does. */
export function envelopeOf(decoded: Decoded): Envelope | null {
  const [name] = Object.keys(decoded);
  if (name === undefined) return null;
  if (name in root.lookupType('hbb.RendezvousMessage').fields) return 'RendezvousMessage';
  return name in root.lookupType('hbb.Message').fields ? 'Message' : null;
}

function describeValue(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return describeType(type, value as Record<string, unknown>);
  if (type instanceof protobuf.Enum) return type.valuesById[Number(value)] ?? value;
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value !== 'bigint') return value;
  // As in the recordings: beyond what JSON numbers hold exactly, text.
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

function describeType(type: protobuf.Type, message: Record<string, unknown>): Decoded {
  const out: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const key = camelCase(field.name);
    const value = message[key];
    if (!Object.hasOwn(message, key) || value === null || value === undefined) continue;
    const inUnion = field.partOf !== null;
    if (field.repeated) {
      const list = (value as unknown[]).map((item) => describeValue(field, item));
      if (list.length > 0) out[field.name] = list;
    } else if (inUnion || field.resolvedType instanceof protobuf.Type || !isDefault(value))
      out[field.name] = describeValue(field, value);
  }
  return out;
}

function isDefault(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === 0 || value === 0n || value === '' || value === false;
}

/** A message of our decoder in the form of the recordings. */
export function describe(envelope: Envelope, message: object): Decoded {
  return describeType(root.lookupType(`hbb.${envelope}`), message as Record<string, unknown>);
}

function composeValue(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return composeType(type, value as Decoded);
  if (type instanceof protobuf.Enum) return typeof value === 'string' ? type.values[value] : value;
  if (field.type === 'bytes') return fromHex(typeof value === 'string' ? value : (value as { hex: string }).hex);
  return field.type.endsWith('int64') ? BigInt(value as number | string) : value;
}

function composeType(type: protobuf.Type, decoded: Decoded): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(decoded)) {
    const field = type.fields[name];
    if (!field) throw new Error(`${type.name} has no field ${name}`);
    out[camelCase(name)] = field.repeated
      ? (value as unknown[]).map((item) => composeValue(field, item))
      : composeValue(field, value);
  }
  return out;
}

/** The message that a recording tells, ready for our encoder. @throws Error for a field outside the schema. */
export function compose(envelope: Envelope, decoded: Decoded): object {
  return composeType(root.lookupType(`hbb.${envelope}`), decoded);
}

function sorted(type: protobuf.Type, bytes: Uint8Array): Uint8Array {
  const fields = splitFields(bytes)
    .map(({ number, raw, content }) => {
      const inner = type.fieldsById[number]?.resolvedType;
      if (!content || !(inner instanceof protobuf.Type)) return { number, raw };
      // The length does not change with the order, so neither does what stands before the content.
      const ordered = Uint8Array.from(raw);
      ordered.set(sorted(inner, content), raw.length - content.length);
      return { number, raw: ordered };
    })
    .sort((a, b) => a.number - b.number);
  return Buffer.concat(fields.map((field) => field.raw));
}

/** The same message with the fields of every part in number order; some senders put union members last. */
export function inNumberOrder(envelope: Envelope, bytes: Uint8Array): Uint8Array {
  return sorted(root.lookupType(`hbb.${envelope}`), bytes);
}

/** Reduces `{hex, addr}` and `{hex, verify_key, …}` to their hex, as describe() gives bytes. */
export function plainForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainForm);
  if (typeof value !== 'object' || value === null) return value;
  const record = value as Record<string, unknown>;
  if (typeof record.hex === 'string') return record.hex;
  return Object.fromEntries(Object.entries(record).map(([key, item]) => [key, plainForm(item)]));
}

/** Every `{hex, …}` inside a recorded message. */
export function annotatedBytes(value: unknown): Record<string, string>[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(annotatedBytes);
  const record = value as Record<string, unknown>;
  if (typeof record.hex === 'string') return [record as Record<string, string>];
  return Object.values(record).flatMap(annotatedBytes);
}
