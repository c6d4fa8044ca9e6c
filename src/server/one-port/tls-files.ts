/** Certificate and key for TLS, read again without a restart when the files change. */
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { LiteDeskError } from '../../core/errors.ts';

/** How often the files are looked at. Watching them would miss links that are swapped, as certbot and containers do. */
const LOOK_MS = 5_000;
/** A certificate chain or key longer than this is another file. */
const MAX_FILE_BYTES = 1024 * 1024;

export interface TlsFilesOptions {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clock: Clock;
  readonly onReloaded: (validTo: string) => void;
  /** The new files cannot be used; the old ones stay in use, and it is tried again when the files change again. */
  readonly onFailed: (error: Error) => void;
}

export class TlsFiles {
  readonly #options: TlsFilesOptions;
  #context: SecureContext;
  #stamp: string;
  #cancel: (() => void) | undefined;
  #closed = false;
  #reading: Promise<void> | null = null;

  private constructor(options: TlsFilesOptions, context: SecureContext, stamp: string) {
    this.#options = options;
    this.#context = context;
    this.#stamp = stamp;
    this.#schedule();
  }

  /** Reads both files. @throws LiteDeskError TLS_FILES_BROKEN */
  static async open(options: TlsFilesOptions): Promise<TlsFiles> {
    try {
      const stamp = await stampOf(options);
      return new TlsFiles(options, (await read(options)).context, stamp);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LiteDeskError(
        {
          code: 'TLS_FILES_BROKEN',
          stage: 'server',
          message: `The certificate ${options.certFile} and the key ${options.keyFile} cannot be used: ${why}`,
          hint: 'Give the full chain and its private key as PEM files that the server may read, for example fullchain.pem and privkey.pem.',
        },
        { cause },
      );
    }
  }

  /** What new connections use. */
  get context(): SecureContext {
    return this.#context;
  }

  /** Reads the files now, changed or not (SIGHUP). */
  async reload(): Promise<void> {
    await this.#reading;
    this.#reading = this.#read();
    await this.#reading;
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.setTimer(LOOK_MS, () => {
      void this.#look().finally(() => this.#schedule());
    });
  }

  async #look(): Promise<void> {
    // While one is replaced it may be missing for a moment: then nothing has changed yet.
    const stamp = await stampOf(this.#options).catch(() => this.#stamp);
    if (stamp !== this.#stamp) await this.reload();
  }

  async #read(): Promise<void> {
    try {
      // Before reading: what changes meanwhile is then seen next time. Certificate and key are two files, and between
      // the two writes they do not fit each other; the second write changes the stamp again.
      this.#stamp = await stampOf(this.#options);
      const { context, validTo } = await read(this.#options);
      if (this.#closed) return;
      this.#context = context;
      this.#options.onReloaded(validTo);
    } catch (error) {
      if (!this.#closed) this.#options.onFailed(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

async function stampOf(options: TlsFilesOptions): Promise<string> {
  const stats = await Promise.all([stat(options.certFile), stat(options.keyFile)]);
  return stats.map(({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`).join(' ');
}

async function read(options: TlsFilesOptions): Promise<{ context: SecureContext; validTo: string }> {
  const [cert, key] = await Promise.all([readBounded(options.certFile), readBounded(options.keyFile)]);
  // Throws when they are not PEM, or do not belong to each other.
  const context = createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  return { context, validTo: new X509Certificate(cert).validTo };
}

async function readBounded(file: string): Promise<Buffer> {
  if ((await stat(file)).size > MAX_FILE_BYTES) throw new Error(`${file} is too long`);
  return await readFile(file);
}
