/**
 * What is open at which gateway, on disk, so that the next run removes what a crash left; and by which protocol it went, so
 * that the next run asks that one first.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { systemCode } from '../errors.ts';
import { replacePrivateFile } from '../private-file.ts';
import { NONCE_BYTES } from './pcp.ts';
import { MAPPING_VIAS, type MappingVia, type MappingWish } from './types.ts';

/** Of several runs that crashed, each with all its ports; more are forgotten, and end by themselves. */
const MAX_ENTRIES = 64;
/** After this long a router has been off, or the computer is another's: what is older is forgotten. */
const MAX_AGE_MS = 7 * 86_400_000;

/** IPv6 ones with their zone. */
const address = z.string().max(64).refine((text) => isIP(text) !== 0);
const port = z.number().int().min(1).max(65_535);
const via = z.enum(MAPPING_VIAS);
const entrySchema = z.object({
  pid: z.number().int().positive(),
  gateway: address,
  localAddress: address,
  via,
  protocol: z.enum(['udp', 'tcp']),
  internalPort: port,
  externalPort: port,
  /** Hex. */
  nonce: z.string().regex(new RegExp(`^[0-9a-f]{${2 * NONCE_BYTES}}$`)),
  /** Unix time. */
  madeMs: z.number(),
});
const fileSchema = z.object({
  preferred: z.object({ gateway: address, via }).nullable().default(null),
  open: z.array(entrySchema).max(MAX_ENTRIES).default([]),
});
type JournalFile = z.infer<typeof fileSchema>;

export interface OpenPort extends MappingWish {
  readonly gateway: string;
  readonly localAddress: string;
  readonly via: MappingVia;
}

export interface JournalOptions {
  /** Null: nothing is kept. */
  readonly path: string | null;
  readonly pid: number;
  /** Whether a process of that number runs. */
  readonly isAlive: (pid: number) => boolean;
  /** Unix time in ms. */
  readonly wallMs: () => number;
  readonly log: (line: string) => void;
}

export class MappingJournal {
  readonly #options: JournalOptions;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  preferred(gateway: string): MappingVia | null {
    const { preferred } = this.#read();
    return preferred?.gateway === gateway ? preferred.via : null;
  }

  /** What runs that are over left open. */
  leftovers(): OpenPort[] {
    return this.#read()
      .open.filter((entry) => !this.#isOfLiving(entry.pid))
      .map(({ nonce, pid: _pid, madeMs: _madeMs, ...entry }) => ({ ...entry, nonce: new Uint8Array(Buffer.from(nonce, 'hex')) }));
  }

  forget(left: readonly OpenPort[]): void {
    const keys = new Set(left.map(keyOf));
    this.#change((file) => ({ ...file, open: file.open.filter((entry) => this.#isOfLiving(entry.pid) || !keys.has(keyOf(entry))) }));
  }

  /** Replaces what is known to be open by this run. `preferred`: what worked; null: no news. */
  write(open: readonly OpenPort[], preferred: { gateway: string; via: MappingVia } | null): void {
    const { pid, wallMs } = this.#options;
    const own = open.map(({ gateway, localAddress, via, protocol, internalPort, externalPort, nonce }) => ({
      ...{ pid, gateway, localAddress, via, protocol, internalPort, externalPort },
      nonce: Buffer.from(nonce).toString('hex'),
      madeMs: wallMs(),
    }));
    this.#change((file) => ({
      preferred: preferred ?? file.preferred,
      open: [...own, ...file.open.filter((entry) => entry.pid !== pid)].slice(0, MAX_ENTRIES),
    }));
  }

  #isOfLiving(pid: number): boolean {
    return pid === this.#options.pid || this.#options.isAlive(pid);
  }

  #read(): JournalFile {
    const empty = fileSchema.parse({});
    const { path, wallMs } = this.#options;
    if (path === null) return empty;
    try {
      const file = fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
      return { ...file, open: file.open.filter(({ madeMs }) => wallMs() - madeMs < MAX_AGE_MS) };
    } catch {
      // None yet, or damaged: then what is open ends by itself.
      return empty;
    }
  }

  #change(change: (file: JournalFile) => JournalFile): void {
    const { path, log } = this.#options;
    if (path === null) return;
    try {
      const before = this.#read();
      const after = change(before);
      if (JSON.stringify(after) !== JSON.stringify(before)) replacePrivateFile(path, JSON.stringify(after, null, 2));
    } catch (error) {
      // Another run may write at this moment; what is lost is only tidiness.
      log(`open ports could not be written down: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function keyOf(entry: { gateway: string; via: string; protocol: string; internalPort: number; externalPort: number }): string {
  return [entry.gateway, entry.via, entry.protocol, entry.internalPort, entry.externalPort].join(' ');
}

/** Whether a process of that number runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
