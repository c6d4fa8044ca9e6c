/**
 * The thread that commits. A commit waits for the disk, milliseconds as a rule and seconds on a bad day; in the thread of
 * the sockets every peer would wait with it.
 */
import { Worker } from 'node:worker_threads';
import type { PeerRow } from './peer-store.ts';

/** To the thread: rows as five fields behind their lengths of 2 bytes (packRows), or the word to end. */
interface Order {
  readonly rows: Uint8Array | null;
}
/** From it: null for a commit that is on disk, else what went wrong. */
interface Outcome {
  readonly failure: string | null;
}

export class SqliteWriter {
  readonly #file: string;
  readonly #setup: string;
  readonly #insert: string;
  #worker: Worker | null = null;
  #settle: ((failure: Error | null) => void) | null = null;

  /**
   * @param setup statements for the fresh connection
   * @param insert takes guid, id, uuid, pk, info
   */
  constructor(file: string, setup: string, insert: string) {
    this.#file = file;
    this.#setup = setup;
    this.#insert = insert;
  }

  /** Commits `rows` in one transaction; one call at a time. @throws (rejects) when they are not on disk, none of them */
  commit(rows: readonly PeerRow[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = (failure) => {
        this.#settle = null;
        if (failure) reject(failure);
        else resolve();
      };
      const packed = packRows(rows);
      this.#thread().postMessage({ rows: packed } satisfies Order, [packed.buffer as ArrayBuffer]);
    });
  }

  /** Ends the thread once it has done what it was told. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    this.#worker = null;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage({ rows: null } satisfies Order);
    await ended;
  }

  /** A thread that failed is replaced with the next commit: the disk may be back. */
  #thread(): Worker {
    if (this.#worker) return this.#worker;
    // From its text: the command is one bundled file, and has no second one that a thread could start from.
    const worker = new Worker(`(${writerThread.toString()})(process, require('node:worker_threads'))`, {
      eval: true,
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
      workerData: { file: this.#file, setup: this.#setup, insert: this.#insert },
      stderr: false,
    });
    // The server's sockets keep the process alive; a commit under way keeps it through them.
    worker.on('message', (outcome: Outcome) =>
      this.#settle?.(outcome.failure === null ? null : new Error(outcome.failure)),
    );
    const lost = (error: Error): void => {
      if (this.#worker === worker) this.#worker = null;
      this.#settle?.(error);
    };
    worker.on('error', lost);
    worker.on('exit', (code) => lost(new Error(`the thread that writes the database ended (${code})`)));
    this.#worker = worker;
    return worker;
  }
}

function packRows(rows: readonly PeerRow[]): Buffer {
  let bytes = 0;
  for (const row of rows)
    bytes += 10 + row.guid.length + Buffer.byteLength(row.id) + row.uuid.length + row.pk.length + Buffer.byteLength(row.ip);
  // Not from the pool: the memory is handed over.
  const out = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  const put = (field: Uint8Array): void => {
    out.writeUInt16LE(field.length, at);
    out.set(field, at + 2);
    at += 2 + field.length;
  };
  const putText = (text: string): void => {
    const length = out.write(text, at + 2);
    out.writeUInt16LE(length, at);
    at += 2 + length;
  };
  for (const row of rows) {
    put(row.guid);
    putText(row.id);
    put(row.uuid);
    put(row.pk);
    putText(row.ip);
  }
  return out;
}

/**
 * Runs in the thread, from its text: it may use nothing but its parameters and what the runtime has.
 * @throws (ends the thread) when the database cannot be opened
 */
function writerThread(
  runtime: NodeJS.Process,
  { parentPort, workerData }: Pick<typeof import('node:worker_threads'), 'parentPort' | 'workerData'>,
): void {
  const emitWarning = runtime.emitWarning;
  runtime.emitWarning = () => {};
  const { DatabaseSync } = runtime.getBuiltinModule('node:sqlite');
  runtime.emitWarning = emitWarning;
  const { file, setup, insert } = workerData as { file: string; setup: string; insert: string };
  const db = new DatabaseSync(file);
  db.exec(setup);
  const statement = db.prepare(insert);
  const write = (packed: Buffer): void => {
    let at = 0;
    const next = (): Buffer => {
      const length = packed.readUInt16LE(at);
      const field = packed.subarray(at + 2, at + 2 + length);
      at += 2 + length;
      return field;
    };
    while (at < packed.length) {
      const [guid, id, uuid, pk, ip] = [next(), next().toString(), next(), next(), next().toString()];
      statement.run(guid, id, uuid, pk, JSON.stringify({ ip }));
    }
  };
  const commit = (rows: Uint8Array): string | null => {
    try {
      db.exec('begin immediate');
      try {
        write(Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength));
        db.exec('commit');
      } catch (error) {
        // A full disk may have rolled back by itself.
        if (db.isTransaction !== false) db.exec('rollback');
        throw error;
      }
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  parentPort?.on('message', ({ rows }: { rows: Uint8Array | null }) => {
    if (rows) return parentPort.postMessage({ failure: commit(rows) });
    db.close();
    parentPort.close();
  });
}
