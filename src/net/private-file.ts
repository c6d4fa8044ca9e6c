/** Files with secrets: mode 0600, and whole or not there at all, whenever the power fails. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes `path` with `text`, or leaves nothing there. @throws what the file system throws; EEXIST when the file is there already
 */
export function createPrivateFile(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    // On a full disk the file is there, but empty.
    rmSync(path, { force: true });
    throw error;
  }
}

/** Replaces `path` by `text`; on return it is on the disk. @throws what the file system throws; the old file is untouched then */
export function replacePrivateFile(path: string, text: string): void {
  const next = `${path}.new`;
  rmSync(next, { force: true });
  createPrivateFile(next, text);
  renameSync(next, path);
  try {
    const dir = openSync(dirname(path), 'r');
    fsyncSync(dir);
    closeSync(dir);
  } catch {
    // Windows knows no such thing; there the rename is what it is.
  }
}
