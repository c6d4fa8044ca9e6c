/** Peers in an append-only text file, for runtimes without SQLite: one JSON row a line, the last line of a guid counts. */
import { closeSync, copyFileSync, fsync, fsyncSync, ftruncateSync, openSync, readFileSync, renameSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { CommitGroup } from './commit-group.ts';
import type { PeerRow, PeerStore } from './peer-store.ts';

const writeLater = promisify(write);
const fsyncLater = promisify(fsync);

/** The file is rewritten when it has this many lines and fewer than a third of them count. */
const COMPACT_ABOVE_LINES = 1_000;

export class JournalStore implements PeerStore {
  readonly kind = 'journal';
  readonly #file: string;
  readonly #rows = new Map<string, PeerRow>();
  readonly #group: CommitGroup;
  #fd: number;
  #lines = 0;
  #bytes = 0;

  /** @throws when the file cannot be read or written */
  constructor(file: string, maxQueuedRows: number) {
    this.#file = file;
    const { rows, damaged } = readLines(file);
    // It is written anew below, without the lines that cannot be read.
    if (damaged) copyFileSync(file, `${file}.damaged`);
    for (const row of rows) {
      this.#rows.set(row.id, row);
      this.#lines++;
    }
    this.#fd = openSync(file, 'a', 0o600);
    this.#group = new CommitGroup(maxQueuedRows, (rows) => this.#commit(rows));
    // Also drops the half line that a kill in the middle of a write leaves.
    this.#compact();
  }

  get(id: string): PeerRow | null {
    return this.#rows.get(id) ?? null;
  }

  save(row: PeerRow, done: (error: Error | null) => void): void {
    this.#group.add(row, done);
  }

  importRows(rows: readonly PeerRow[], known: 'keep' | 'replace'): number {
    const guids = new Set([...this.#rows.values()].map((row) => hex(row.guid)));
    const wanted = known === 'replace' ? rows : rows.filter((row) => !this.#rows.has(row.id) && !guids.has(hex(row.guid)));
    if (wanted.length === 0) return 0;
    for (const row of wanted) this.#rows.set(row.id, row);
    // All or nothing: the file is written anew beside the old one.
    this.#compact();
    return wanted.length;
  }

  list(start: number, count: number): PeerRow[] {
    const ids = [...this.#rows.keys()].sort().slice(start, start + count);
    return ids.flatMap((id) => this.#rows.get(id) ?? []);
  }

  remove(id: string): Promise<boolean> {
    const row = this.#rows.get(id);
    if (!row) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      this.#group.add({ ...row, removed: true }, (error) => (error ? reject(error) : resolve(true)));
    });
  }

  count(): number {
    return this.#rows.size;
  }

  async close(): Promise<void> {
    await this.#group.idle();
    closeSync(this.#fd);
  }

  async #commit(rows: readonly PeerRow[]): Promise<void> {
    const data = Buffer.from(rows.map(line).join(''));
    try {
      // Not in this thread: every peer would wait for the disk.
      for (let at = 0; at < data.length; ) at += (await writeLater(this.#fd, data, at)).bytesWritten;
      await fsyncLater(this.#fd);
    } catch (error) {
      // Nothing of a failed group may stay: a half line would swallow the next good one.
      ftruncateSync(this.#fd, this.#bytes);
      throw error;
    }
    this.#bytes += data.length;
    for (const row of rows) {
      if (row.formerId !== undefined) this.#rows.delete(row.formerId);
      if (row.removed) this.#rows.delete(row.id);
      else this.#rows.set(row.id, row);
    }
    this.#lines += rows.length;
    if (this.#lines <= COMPACT_ABOVE_LINES || this.#lines <= this.#rows.size * 3) return;
    try {
      this.#compact();
    } catch {
      // The rows are on disk; a longer file is no reason to say otherwise. The next group tries again.
    }
  }

  #compact(): void {
    const temporary = `${this.#file}.new`;
    const fd = openSync(temporary, 'w', 0o600);
    const data = Buffer.from([...this.#rows.values()].map(line).join(''));
    try {
      writeAll(fd, data);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, this.#file);
    closeSync(this.#fd);
    this.#fd = openSync(this.#file, 'a', 0o600);
    this.#lines = this.#rows.size;
    this.#bytes = data.length;
  }
}

/** The last readable row of each guid of a journal; none when there is no file. Broken lines are skipped. */
export function readJournal(file: string): PeerRow[] {
  return readLines(file).rows;
}

/** `damaged`: lines are broken beside the last one, which a kill in the middle of a write leaves. */
function readLines(file: string): { rows: PeerRow[]; damaged: boolean } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { rows: [], damaged: false };
    throw error;
  }
  const rows = new Map<string, PeerRow>();
  let damaged = false;
  let broken = false;
  for (const entry of text.split('\n')) {
    damaged ||= broken;
    const row = parseLine(entry);
    broken = row === null && entry !== '';
    // An id may have changed since: the last line of a guid counts.
    if (row?.removed) rows.delete(hex(row.guid));
    else if (row) rows.set(hex(row.guid), row);
  }
  return { rows: [...rows.values()], damaged };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function line(row: PeerRow): string {
  const [guid, uuid, pk] = [row.guid, row.uuid, row.pk].map((bytes) => Buffer.from(bytes).toString('base64'));
  return `${JSON.stringify({ guid, id: row.id, uuid, pk, ip: row.ip, ...(row.removed ? { removed: true } : {}) })}\n`;
}

function parseLine(text: string): PeerRow | null {
  if (text === '') return null;
  try {
    const { guid, id, uuid, pk, ip, removed } = JSON.parse(text) as Record<string, unknown>;
    if ([guid, id, uuid, pk, ip].some((field) => typeof field !== 'string')) return null;
    const bytes = (field: unknown): Uint8Array => new Uint8Array(Buffer.from(field as string, 'base64'));
    const row = { guid: bytes(guid), id: id as string, uuid: bytes(uuid), pk: bytes(pk), ip: ip as string };
    return removed === true ? { ...row, removed } : row;
  } catch {
    return null;
  }
}

function writeAll(fd: number, data: Buffer): void {
  for (let at = 0; at < data.length; ) at += writeSync(fd, data, at);
}
