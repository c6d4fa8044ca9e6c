import { spawnSync } from 'node:child_process';

/** Debian keeps ip and nft where a user's PATH does not look. */
export const LAB_PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** Runs a shell script that must succeed; returns its stdout. Throws with its stderr when a line of it fails. */
export function sh(script: string): string {
  const done = spawnSync('sh', ['-e'], {
    input: script,
    encoding: 'utf8',
    env: { ...process.env, PATH: LAB_PATH, LC_ALL: 'C' },
    timeout: 60_000,
  });
  if (done.status !== 0) throw new Error(`the lab's shell script failed: ${done.stderr}\n${script}`);
  return done.stdout;
}

/** Like {@link sh}, for what may fail: returns null then. */
export function trySh(script: string): string | null {
  const done = spawnSync('sh', ['-e'], {
    input: script,
    encoding: 'utf8',
    env: { ...process.env, PATH: LAB_PATH, LC_ALL: 'C' },
    timeout: 60_000,
  });
  return done.status === 0 ? done.stdout : null;
}
