/**
 * The pages of an SQLite file as a reader sees them, with what is committed in its write-ahead log. Only reads: SQLite itself
 * would write beside a database that has a log, and many runtimes that the server runs on have no SQLite at all.
 * After the file format's own description (sqlite.org/fileformat2.html).
 */
import { readFileSync, statSync } from 'node:fs';
import { DatabaseError } from './database-error.ts';

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const JOURNAL_MAGIC = Buffer.from('d9d505f920a163d7', 'hex');
/** A row of hbbs takes some 300 bytes: a million peers fit well. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024;
/** Another program may write while we read; a file that changes all the time is not read. */
const READ_TRIES = 3;

export class SqlitePages {
  readonly pageSize: number;
  /** Bytes of a page that hold data. */
  readonly usable: number;
  readonly count: number;
  readonly #main: Buffer;
  readonly #fromWal: ReadonlyMap<number, Buffer>;

  private constructor(main: Buffer, wal: Wal | null) {
    this.#main = main;
    this.#fromWal = wal?.pages ?? new Map<number, Buffer>();
    const header = this.#fromWal.get(1) ?? main;
    if (header.length < HEADER_BYTES || header.toString('latin1', 0, 16) !== MAGIC)
      throw new DatabaseError('it is no SQLite database');
    const size = header.readUInt16BE(16);
    this.pageSize = size === 1 ? 65_536 : size;
    if (this.pageSize < 512 || (this.pageSize & (this.pageSize - 1)) !== 0) throw new DatabaseError('its page size is wrong');
    if (wal && wal.pageSize !== this.pageSize) throw new DatabaseError('its log has another page size');
    this.usable = this.pageSize - (header[20] ?? 0);
    if (header.readUInt32BE(56) > 1) throw new DatabaseError('its text is not UTF-8');
    this.count = wal?.pageCount || Math.floor(main.length / this.pageSize);
  }

  /** @throws DatabaseError when it is none or cannot be read as it stands, or the error of the file system */
  static open(file: string): SqlitePages {
    for (let attempt = 1; ; attempt++) {
      const before = fingerprint(file);
      const main = read(file) ?? Buffer.alloc(0);
      const wal = read(`${file}-wal`);
      if (isHot(read(`${file}-journal`)))
        throw new DatabaseError('its last change was broken off; start the old server on it once more, and stop it');
      if (fingerprint(file) === before) return new SqlitePages(main, wal && readWal(wal));
      if (attempt >= READ_TRIES) throw new DatabaseError('another program writes to it; stop the old server first');
    }
  }

  /** @throws DatabaseError for a page that is not there */
  page(number: number): Buffer {
    const page =
      this.#fromWal.get(number) ?? this.#main.subarray((number - 1) * this.pageSize, number * this.pageSize);
    if (number < 1 || page.length !== this.pageSize) throw new DatabaseError(`page ${number} is missing`);
    return page;
  }
}

/** Size and time of a database and its log, as one text: equal means unchanged. */
export function fingerprint(file: string): string {
  return ['', '-wal']
    .map((suffix) => statSync(file + suffix, { throwIfNoEntry: false }))
    .map((stat) => (stat ? `${stat.size}@${stat.mtimeMs}` : 'none'))
    .join(' ');
}

function read(file: string): Buffer | null {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) return null;
  if (size > MAX_FILE_BYTES) throw new DatabaseError('it is larger than 1 GiB');
  return readFileSync(file);
}

/** Whether a rollback journal still waits to be played back. */
function isHot(journal: Buffer | null): boolean {
  return journal?.subarray(0, JOURNAL_MAGIC.length).equals(JOURNAL_MAGIC) === true;
}

interface Wal {
  readonly pageSize: number;
  /** Pages of the whole database after the last commit; 0: no commit. */
  readonly pageCount: number;
  readonly pages: ReadonlyMap<number, Buffer>;
}

/** The last committed version of each page in the log. Behind the first frame that is not of this log, nothing counts. */
function readWal(wal: Buffer): Wal | null {
  if (wal.length < WAL_HEADER_BYTES) return null;
  const magic = wal.readUInt32BE(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return null;
  const pageSize = wal.readUInt32BE(8);
  const sum = new Checksum((magic & 1) === 1);
  sum.add(wal.subarray(0, 24));
  if (!sum.equals(wal, 24) || pageSize < 512 || pageSize > 65_536) return null;
  const pages = new Map<number, Buffer>();
  let pageCount = 0;
  let uncommitted = new Map<number, Buffer>();
  for (let at = WAL_HEADER_BYTES; at + FRAME_HEADER_BYTES + pageSize <= wal.length; at += FRAME_HEADER_BYTES + pageSize) {
    const page = wal.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + pageSize);
    if (wal.compare(wal, 16, 24, at + 8, at + 16) !== 0) break;
    sum.add(wal.subarray(at, at + 8));
    sum.add(page);
    if (!sum.equals(wal, at + 16)) break;
    uncommitted.set(wal.readUInt32BE(at), page);
    const size = wal.readUInt32BE(at + 4);
    if (size === 0) continue;
    for (const [number, content] of uncommitted) pages.set(number, content);
    uncommitted = new Map();
    pageCount = size;
  }
  return pageCount === 0 ? null : { pageSize, pageCount, pages };
}

/** The running sum over a write-ahead log. */
class Checksum {
  readonly #bigEndian: boolean;
  #a = 0;
  #b = 0;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  /** `bytes.length` is a multiple of 8. */
  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 8) {
      const [x, y] = this.#bigEndian
        ? [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
        : [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
      this.#a = (this.#a + x + this.#b) >>> 0;
      this.#b = (this.#b + y + this.#a) >>> 0;
    }
  }

  equals(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#a && bytes.readUInt32BE(at + 4) === this.#b;
  }
}
