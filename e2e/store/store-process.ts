/**
 * A real `litedesk server` process whose data folder may be on a disk of its own: a small tmpfs in a mount namespace that
 * goes with the process.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from '../../test/lib/ports.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'out', 'cli', 'litedesk.js');
export interface StoreServer {
  readonly process: ChildProcess;
  readonly port: number;
}

/** Why there is no disk of one's own here; null: there is. */
export function diskUnavailable(): string | null {
  const tried = spawnSync('unshare', ['-Urm', 'sh', '-c', 'mount -t tmpfs none /mnt'], { encoding: 'utf8' });
  return tried.status === 0 ? null : `no mount namespaces: ${tried.stderr || tried.error?.message}`;
}

/** @param diskKib size of the disk under `dataDir`; absent: the folder as it is */
export async function startStoreServer(dataDir: string, diskKib?: number): Promise<StoreServer> {
  const port = (await freePorts(5)) + 1;
  const args = [process.execPath, COMMAND, 'server', '--json', '--data', dataDir, '--port', String(port), '--bind', '127.0.0.1'];
  const limits = ['--limit', 'addressBurst=1000000,addressIds=1000000,udpCreditBytes=60000'];
  const command =
    diskKib === undefined
      ? [...args, ...limits]
      : ['unshare', '-Urm', 'sh', '-c', `mount -t tmpfs -o size=${diskKib}k none "$0" && exec "$@"`, dataDir, ...args, ...limits];
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')) as [string];
  const ready = JSON.parse(line) as { event: string; message?: string };
  if (ready.event !== 'ready') throw new Error(`the server does not start: ${line}`);
  return { process: child, port };
}

export async function kill(server: StoreServer): Promise<void> {
  const ended = once(server.process, 'exit');
  server.process.kill('SIGKILL');
  await ended;
}
