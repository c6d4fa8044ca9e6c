/** What worked in which network, kept over restarts: `outcomes.json` in the data folder, 0600, since it tells who meets whom. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MAX_PAIRS, Outcomes } from '../core/nat/outcomes.ts';
import { WAYS, type Way } from '../core/nat/plan.ts';
import { networkFingerprint } from '../net/local-addresses.ts';
import { replacePrivateFile } from '../net/private-file.ts';

const schema = z
  .array(z.tuple([z.string().max(64), z.object({ way: z.enum(WAYS), workedAt: z.number(), failures: z.number().int().min(0) })]))
  .max(MAX_PAIRS);

/** The memory of one session's search. */
export interface PairMemory {
  /** What to begin with; null: nothing is known. */
  best(): Way | null;
  worked(way: Way): void;
  failed(): void;
}

export class PathMemory {
  readonly #file: string;
  readonly #now: () => number;
  readonly #log: (line: string) => void;
  #outcomes: Outcomes | null = null;

  /** @param now Unix time in milliseconds */
  constructor(dataDir: string, now: () => number, log: (line: string) => void) {
    this.#file = join(dataDir, 'outcomes.json');
    this.#now = now;
    this.#log = log;
  }

  /** For another computer, seen from whatever network this one is in at that moment. */
  of(peerId: string): PairMemory {
    const pair = (): string => createHash('sha256').update(`${peerId}\n${networkFingerprint()}`).digest('base64url');
    return {
      best: () => this.#known.best(pair(), this.#now()),
      worked: (way) => {
        this.#known.worked(pair(), way, this.#now());
        this.#save();
      },
      failed: () => {
        if (this.#known.failed(pair())) this.#save();
      },
    };
  }

  get #known(): Outcomes {
    this.#outcomes ??= new Outcomes(this.#read());
    return this.#outcomes;
  }

  #read(): z.infer<typeof schema> {
    try {
      return schema.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch {
      // Missing or broken: then nothing is remembered, and the next success writes it anew.
      return [];
    }
  }

  #save(): void {
    try {
      replacePrivateFile(this.#file, `${JSON.stringify(this.#known.entries)}\n`);
    } catch (error) {
      this.#log(`what worked could not be remembered: ${(error as Error).message}`);
    }
  }
}
