/** What enrolment remembers over a restart, as one file with its owner's rights only (docs/protocol-server.md). */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LiteDeskError } from '../../core/errors.ts';
import { replacePrivateFile } from '../../net/private-file.ts';

const FILE = 'enrolment.json';
/** Tokens that are kept; those that are spent or over go first. */
export const MAX_TOKENS = 2_000;
/** Decisions of the operator about single computers. */
export const MAX_DECISIONS = 20_000;

export const tokenSchema = z.object({
  /** 16 hex digits. */
  name: z.string().regex(/^[0-9a-f]{16}$/),
  /** Public half of the token's key pair, base64: checks proofs, makes none. */
  verifier: z.string().max(64),
  note: z.string().max(200),
  /** Unix ms. */
  createdAt: z.number(),
  /** Unix ms; null: never. */
  expiresAt: z.number().nullable(),
  /** Computers that may enrol with it; null: any number. */
  maxUses: z.number().int().nullable(),
  uses: z.number().int(),
  revokedAt: z.number().nullable(),
});
export type StoredToken = z.infer<typeof tokenSchema>;

export const decisionSchema = z.object({
  id: z.string().max(300),
  /** SHA-256 over machine uuid and device key, hex: the approval of one computer is not for another with its id. */
  device: z.string().max(64),
  verdict: z.enum(['approved', 'denied']),
  /** Unix ms. */
  at: z.number(),
});
export type Decision = z.infer<typeof decisionSchema>;

const stateSchema = z.object({
  tokens: z.array(tokenSchema).max(MAX_TOKENS),
  decisions: z.array(decisionSchema).max(MAX_DECISIONS),
});
export type EnrolmentState = z.infer<typeof stateSchema>;

/** Where the state is kept. Several processes of one host may share it. */
export interface EnrolmentStore {
  load(): EnrolmentState;
  /** Whether somebody else has changed it since it was last read or written here. */
  changed(): boolean;
  /**
   * Changes what is kept now, which others may have changed meanwhile, and answers what is kept then. On return it is on
   * disk. @throws LiteDeskError ENROLMENT_NOT_SAVED
   */
  update(change: (state: EnrolmentState) => EnrolmentState): EnrolmentState;
}

/** ms that a change by another process may take, and after which its lock is one that it left behind. */
const LOCK_WAIT_MS = 1_000;
const LOCK_STALE_MS = 5_000;

export class EnrolmentFile implements EnrolmentStore {
  readonly #path: string;
  #seen = '';

  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    this.#path = join(dataDir, FILE);
  }

  changed(): boolean {
    return this.#stamp() !== this.#seen;
  }

  /** @throws LiteDeskError ENROLMENT_FILE_BROKEN: an empty one would let revoked invitations be forgotten */
  load(): EnrolmentState {
    this.#seen = this.#stamp();
    if (!existsSync(this.#path)) return { tokens: [], decisions: [] };
    try {
      return stateSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch (cause) {
      throw new LiteDeskError(
        {
          code: 'ENROLMENT_FILE_BROKEN',
          stage: 'server',
          message: `The list of invitations cannot be read from ${this.#path}.`,
          hint: 'Restore the file from a backup, or remove it: all open invitations and approvals are lost then, enrolled computers stay.',
        },
        { cause },
      );
    }
  }

  update(change: (state: EnrolmentState) => EnrolmentState): EnrolmentState {
    try {
      const unlock = this.#lock();
      try {
        const before = this.load();
        const state = change(before);
        if (state === before) return state;
        replacePrivateFile(this.#path, `${JSON.stringify(state)}\n`);
        this.#seen = this.#stamp();
        return state;
      } finally {
        unlock();
      }
    } catch (cause) {
      if (cause instanceof LiteDeskError) throw cause;
      throw new LiteDeskError(
        {
          code: 'ENROLMENT_NOT_SAVED',
          stage: 'server',
          message: `The list of invitations cannot be written to ${this.#path}; nothing was changed.`,
          hint: 'Check that the folder is writable and the disk is not full.',
        },
        { cause },
      );
    }
  }

  /** Held for the milliseconds of one change; the processes of `--workers` change one file. */
  #lock(): () => void {
    const path = `${this.#path}.lock`;
    const until = Date.now() + LOCK_WAIT_MS;
    for (;;) {
      try {
        closeSync(openSync(path, 'wx', 0o600));
        return () => rmSync(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (ageMs(path) > LOCK_STALE_MS) rmSync(path, { force: true });
        else if (Date.now() > until) throw error;
        else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
      }
    }
  }

  #stamp(): string {
    try {
      const { ino, size, mtimeMs } = statSync(this.#path);
      return `${ino} ${size} ${mtimeMs}`;
    } catch {
      return '';
    }
  }
}

function ageMs(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
