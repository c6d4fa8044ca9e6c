/**
 * The keys by which other computers are known again, in `pins.json` (0600) of the data folder: of hosts, pinned at the first
 * session or set beforehand, and of controllers. An id means a computer at one server, so both name a pin.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fingerprint, isServerKey } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import type { PeerKey } from '../core/native/contract.ts';
import type { PinnedHost } from '../net/index.ts';
import { ensureDataDir, writePrivateFile } from './identity.ts';

/** Of hosts, and again of controllers; the one that was not used for the longest goes first. Nobody knows so many. */
const MAX_PINS = 5_000;

const pinSchema = z.object({
  /** Host name or address of the rendezvous server, in lower case. */
  server: z.string().max(300),
  id: z.string().min(1).max(128),
  /** Ed25519 public key, base64. */
  key: z.string().refine(isServerKey),
  /** Hosts: it spoke the native link, and nothing less is taken from it. */
  native: z.boolean().default(false),
  sinceMs: z.number(),
  usedMs: z.number(),
});
const fileSchema = z.object({
  hosts: z.array(pinSchema).default([]),
  controllers: z.array(pinSchema).default([]),
});

type Pin = z.infer<typeof pinSchema>;
type PinFile = z.infer<typeof fileSchema>;

/** A pin as it is shown. */
export interface PinInfo extends Pin {
  readonly role: 'host' | 'controller';
  readonly fingerprint: string;
}

/**
 * Who a controller is, as far as one can know: `known` under this id by its key; `new`, with a key of which nothing is known;
 * `unproven`, for it only says who it is; `changed`: the id belongs to a computer with another key.
 */
export type ControllerStanding = 'known' | 'new' | 'unproven' | 'changed';

/**
 * Reads the file anew for each question: another process (`litedesk pins`) may have changed it. Everything throws
 * PINS_UNREADABLE for a file that is damaged: without it, nobody would be known again, and nobody would notice.
 */
export class PinStore {
  readonly #path: string;
  readonly #now: () => number;

  /** @param now milliseconds since 1970. */
  constructor(dataDir: string, now: () => number) {
    ensureDataDir(dataDir);
    this.#path = join(dataDir, 'pins.json');
    this.#now = now;
  }

  /** What is known of a host. */
  host(server: string, id: string): PinnedHost | null {
    const pin = find(this.#read().hosts, server, id);
    return pin && { key: Buffer.from(pin.key, 'base64'), native: pin.native };
  }

  /** A session with this host was opened. Its key is kept if none was yet; that it speaks native is never forgotten here. */
  rememberHost(server: string, id: string, host: PinnedHost): void {
    const file = this.#read();
    const key = text(host.key);
    const pin = find(file.hosts, server, id);
    // A key that differs was refused before; whoever forgot the pin meanwhile gets it with the next session.
    if (pin && pin.key !== key) return;
    const native = host.native || pin?.native === true;
    this.#put(file, 'hosts', { server: serverName(server), id, key, native, ...this.#times(pin) });
  }

  /**
   * Pins a host before its first session, from its key (base64) as it shows it. What shows one speaks native.
   * @throws LiteDeskError PIN_KEY_INVALID
   */
  setHost(server: string, id: string, key: string): void {
    if (!isServerKey(key)) throw keyInvalid(key);
    const file = this.#read();
    this.#put(file, 'hosts', { server: serverName(server), id, key, native: true, ...this.#times(null) });
  }

  /** The user says that a host has this key now. How much is taken from it stays as it was. */
  replaceHostKey(server: string, id: string, key: Uint8Array): void {
    const file = this.#read();
    const native = find(file.hosts, server, id)?.native ?? false;
    this.#put(file, 'hosts', { server: serverName(server), id, key: text(key), native, ...this.#times(null) });
  }

  /** Takes the older link from this host again, with the key that is known. Answers false for an id that is not pinned. */
  allowOlderLink(id: string): boolean {
    const file = this.#read();
    const known = file.hosts.filter((pin) => pin.id === id);
    for (const pin of known) pin.native = false;
    if (known.length > 0) this.#write(file);
    return known.length > 0;
  }

  /** @param key the one that it proved to have, or null. */
  controller(server: string, id: string, key: Uint8Array | null): ControllerStanding {
    const pin = find(this.#read().controllers, server, id);
    if (!pin) return key ? 'new' : 'unproven';
    return key && pin.key === text(key) ? 'known' : 'changed';
  }

  /** A session of this controller was opened; call it for those that are not `changed`. */
  rememberController(server: string, peer: PeerKey): void {
    const file = this.#read();
    const pin = find(file.controllers, server, peer.id);
    const key = text(peer.key);
    if (pin && pin.key !== key) return;
    const entry = { server: serverName(server), id: peer.id, key, native: true, ...this.#times(pin) };
    this.#put(file, 'controllers', entry);
  }

  /** Forgets what is known of an id, at every server, as host and as controller. Answers false where that was nothing. */
  forget(id: string): boolean {
    const { hosts, controllers } = this.#read();
    const others = (pins: Pin[]): Pin[] => pins.filter((pin) => pin.id !== id);
    const file = { hosts: others(hosts), controllers: others(controllers) };
    const forgotten = file.hosts.length + file.controllers.length < hosts.length + controllers.length;
    if (forgotten) this.#write(file);
    return forgotten;
  }

  list(): PinInfo[] {
    const { hosts, controllers } = this.#read();
    const shown = (pins: Pin[], role: PinInfo['role']): PinInfo[] =>
      pins.map((pin) => ({ ...pin, role, fingerprint: fingerprint(pin.key) }));
    return [...shown(hosts, 'host'), ...shown(controllers, 'controller')];
  }

  #times(pin: Pin | null): { sinceMs: number; usedMs: number } {
    const usedMs = this.#now();
    return { sinceMs: pin?.sinceMs ?? usedMs, usedMs };
  }

  #put(file: PinFile, list: keyof PinFile, entry: Pin): void {
    const others = file[list].filter((pin) => pin.id !== entry.id || pin.server !== entry.server);
    const kept = [entry, ...others].sort((a, b) => b.usedMs - a.usedMs).slice(0, MAX_PINS);
    this.#write({ ...file, [list]: kept });
  }

  #write(file: PinFile): void {
    writePrivateFile(this.#path, JSON.stringify(file, null, 2));
  }

  #read(): PinFile {
    if (!existsSync(this.#path)) return { hosts: [], controllers: [] };
    try {
      return fileSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }
}

function find(pins: readonly Pin[], server: string, id: string): Pin | null {
  return pins.find((pin) => pin.id === id && pin.server === serverName(server)) ?? null;
}

/** A server is one server on all its ports. */
function serverName(server: string): string {
  return server.toLowerCase();
}

function text(key: Uint8Array): string {
  return Buffer.from(key).toString('base64');
}

function unreadable(path: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'PINS_UNREADABLE',
      stage: 'usage',
      message: `The file ${path} with the keys of known computers is damaged.`,
      hint: 'Restore it from a backup, or move it away: every computer is then taken as new.',
    },
    { cause },
  );
}

function keyInvalid(key: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PIN_KEY_INVALID',
    stage: 'usage',
    message: `"${key.slice(0, 60)}" is not the key of a computer.`,
    hint: 'Copy the whole key (44 characters) that "litedesk pins" shows on the other computer.',
  });
}
