/** Where the admin socket of a data folder is. */
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';

const FILE = 'admin.sock';
/** A socket's path has 108 bytes on Linux and 104 on macOS, with the zero at its end. */
const MAX_PATH_BYTES = 103;

export interface AdminAddress {
  /** What to listen on or connect to. */
  readonly path: string;
  /** The file itself, for its mode and its removal; null for a named pipe. */
  readonly file: string | null;
  /** Call when the socket is no longer listened on, or has been connected to. */
  release(): void;
}

/** @throws when the folder cannot be opened */
export function adminAddress(dataDir: string, platform: NodeJS.Platform = process.platform): AdminAddress {
  const file = join(resolve(dataDir), FILE);
  if (platform === 'win32') {
    // Others may read from a pipe that Node made, but not write into it, so they cannot ask for anything.
    const name = createHash('sha256').update(resolve(dataDir).toLowerCase()).digest('hex').slice(0, 32);
    return { path: `\\\\.\\pipe\\litedesk-${name}`, file: null, release: () => {} };
  }
  if (platform !== 'linux' || Buffer.byteLength(file) <= MAX_PATH_BYTES) return { path: file, file, release: () => {} };
  // A deep folder: reached through its descriptor the path is short.
  const fd = openSync(resolve(dataDir), 'r');
  return { path: `/proc/self/fd/${fd}/${FILE}`, file, release: () => closeSync(fd) };
}
