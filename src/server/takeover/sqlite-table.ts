/** The rows of one table of an SQLite file, by column name (sqlite.org/fileformat2.html). */
import { DatabaseError } from './database-error.ts';
import type { SqlitePages } from './sqlite-pages.ts';

export type SqliteValue = null | number | bigint | string | Uint8Array;
export type SqliteRow = Readonly<Record<string, SqliteValue>>;

const INDEX_INTERIOR = 2;
const TABLE_INTERIOR = 5;
const INDEX_LEAF = 10;
const TABLE_LEAF = 13;
/** No field of a peer is long; a length beyond this is a damaged file. */
const MAX_RECORD_BYTES = 1024 * 1024;

/** Every row of `table` in the order of its key. @throws DatabaseError when there is no such table, or the file is damaged */
export function* readTable(pages: SqlitePages, table: string): Generator<SqliteRow> {
  for (const record of readTree(pages, 1, new Set())) {
    // sqlite_schema: type, name, tbl_name, rootpage, sql
    const [type, name, , root, sql] = record;
    if (type !== 'table' || typeof name !== 'string' || name.toLowerCase() !== table) continue;
    if (typeof root !== 'number' || typeof sql !== 'string') throw new DatabaseError(`its table ${table} is damaged`);
    const columns = columnsOf(sql);
    for (const values of readTree(pages, root, new Set()))
      yield Object.fromEntries(columns.map((column, i) => [column, values[i] ?? null]));
    return;
  }
  throw new DatabaseError(`it has no table ${table}`);
}

function* readTree(pages: SqlitePages, number: number, seen: Set<number>): Generator<SqliteValue[]> {
  // In a tree each page stands once; a damaged one could lead round and round.
  if (seen.has(number)) throw new DatabaseError('its tree of pages has a loop');
  seen.add(number);
  const page = pages.page(number);
  const header = number === 1 ? 100 : 0;
  const type = page[header];
  const interior = type === INDEX_INTERIOR || type === TABLE_INTERIOR;
  if (!interior && type !== INDEX_LEAF && type !== TABLE_LEAF) throw new DatabaseError(`page ${number} is damaged`);
  const cells = page.readUInt16BE(header + 3);
  const pointers = header + (interior ? 12 : 8);
  if (pointers + cells * 2 > page.length) throw new DatabaseError(`page ${number} is damaged`);
  for (let i = 0; i < cells; i++) {
    const reader = new Reader(page, page.readUInt16BE(pointers + i * 2));
    if (interior) yield* readTree(pages, reader.uint32(), seen);
    if (type === TABLE_INTERIOR) continue;
    const length = reader.varint();
    if (type === TABLE_LEAF) reader.varint(); // the rowid
    yield readRecord(readPayload(pages, reader, length, type === TABLE_LEAF));
  }
  if (interior) yield* readTree(pages, page.readUInt32BE(header + 8), seen);
}

/** A record's bytes: in the page, or begun there and continued in a chain of pages of its own. */
function readPayload(pages: SqlitePages, reader: Reader, length: number, isTable: boolean): Buffer {
  if (length > MAX_RECORD_BYTES) throw new DatabaseError('a row is too long');
  const { usable } = pages;
  const most = isTable ? usable - 35 : Math.floor(((usable - 12) * 64) / 255) - 23;
  if (length <= most) return reader.bytes(length);
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const wanted = least + ((length - least) % (usable - 4));
  const parts = [reader.bytes(wanted <= most ? wanted : least)];
  let left = length - (parts[0]?.length ?? 0);
  for (let next = reader.uint32(); left > 0; ) {
    const page = pages.page(next);
    const part = page.subarray(4, 4 + Math.min(left, usable - 4));
    parts.push(part);
    left -= part.length;
    next = page.readUInt32BE(0);
  }
  return Buffer.concat(parts);
}

function readRecord(payload: Buffer): SqliteValue[] {
  const head = new Reader(payload, 0);
  const headerLength = head.varint();
  const body = new Reader(payload, headerLength);
  const values: SqliteValue[] = [];
  while (head.at < headerLength) values.push(readValue(body, head.varint()));
  return values;
}

/** Bytes of the integer of a serial type. */
const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8] as const;

function readValue(body: Reader, type: number): SqliteValue {
  if (type === 0) return null;
  if (type === 7) return body.bytes(8).readDoubleBE(0);
  if (type === 8 || type === 9) return type - 8;
  const integerBytes = INTEGER_BYTES[type];
  if (integerBytes === 8) return body.bytes(8).readBigInt64BE(0);
  if (integerBytes !== undefined) return body.bytes(integerBytes).readIntBE(0, integerBytes);
  if (type < 12) throw new DatabaseError('a row is damaged');
  const bytes = body.bytes((type - 12) >> 1);
  return type % 2 === 0 ? new Uint8Array(bytes) : bytes.toString('utf8');
}

/** Reads on from a place in a buffer. @throws DatabaseError behind its end */
class Reader {
  readonly #buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.at = at;
  }

  bytes(count: number): Buffer {
    const bytes = this.#buffer.subarray(this.at, this.at + count);
    if (bytes.length !== count) throw new DatabaseError('a row is damaged');
    this.at += count;
    return bytes;
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE(0);
  }

  /** 7 bits a byte, the most significant first; a length beyond 2^53 is a damaged file. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < 9; i++) {
      const byte = this.bytes(1)[0] ?? 0;
      if (i === 8) return value * 256 + byte;
      value = value * 128 + (byte & 0x7f);
      if (byte < 0x80) return value;
    }
    return value;
  }
}

/** Column names in the order of a record: in a table without rowid the key stands first. */
function columnsOf(sql: string): string[] {
  const definitions = splitTopLevel(sql.slice(sql.indexOf('(') + 1, sql.lastIndexOf(')')));
  const columns: string[] = [];
  const keys: string[] = [];
  for (const definition of definitions) {
    const keyOfTable = /^(?:constraint\s+\S+\s+)?primary\s+key\s*\(([^)]*)\)/i.exec(definition);
    if (keyOfTable) keys.push(...(keyOfTable[1] ?? '').split(',').map((key) => nameOf(key.trim())));
    else if (!/^(constraint|unique|check|foreign|primary)\b/i.test(definition)) {
      columns.push(nameOf(definition));
      if (/\bprimary\s+key\b/i.test(definition)) keys.push(nameOf(definition));
    }
  }
  if (!/\bwithout\s+rowid\b/i.test(sql.slice(sql.lastIndexOf(')')))) return columns;
  return [...keys, ...columns.filter((column) => !keys.includes(column))];
}

function nameOf(definition: string): string {
  const match = /^(?:"([^"]+)"|`([^`]+)`|\[([^\]]+)\]|([^\s(]+))/.exec(definition);
  return (match?.slice(1).find((part) => part !== undefined) ?? '').toLowerCase();
}

function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const c of text) {
    if (c === '(') depth++;
    if (c === ')') depth--;
    if (c === ',' && depth === 0) {
      parts.push(part.trim());
      part = '';
    } else part += c;
  }
  parts.push(part.trim());
  return parts.filter((entry) => entry !== '');
}
