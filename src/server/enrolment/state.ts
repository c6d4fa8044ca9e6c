/** What enrolment remembers over a restart, as one file with its owner's rights only (docs/protocol-server.md). */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LiteDeskError } from '../../core/errors.ts';
import { replacePrivateFile } from '../private-file.ts';

const FILE = 'enrolment.json';
/** Tokens that are kept; those that are spent or over go first. */
export const MAX_TOKENS = 2_000;
/** Decisions of the operator about single computers. */
export const MAX_DECISIONS = 20_000;

const tokenSchema = z.object({
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

const decisionSchema = z.object({
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

/** Where the state is kept. Nodes that share a store share this too. */
export interface EnrolmentStore {
  load(): EnrolmentState;
  /** On return it is kept. @throws LiteDeskError ENROLMENT_NOT_SAVED */
  save(state: EnrolmentState): void;
}

export class EnrolmentFile implements EnrolmentStore {
  readonly #path: string;

  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    this.#path = join(dataDir, FILE);
  }

  /** @throws LiteDeskError ENROLMENT_FILE_BROKEN: an empty one would let revoked invitations be forgotten */
  load(): EnrolmentState {
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

  save(state: EnrolmentState): void {
    try {
      replacePrivateFile(this.#path, `${JSON.stringify(state)}\n`);
    } catch (cause) {
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
}
