// `npm run -s litedesk -- …`: builds the command when it is stale, then runs it. stdout belongs to the command alone.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildStale } from './build.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const command = join(root, 'out', 'cli', 'litedesk.js');
/** The Node that npm installed with us knows node:sqlite; the one on PATH may be older. */
const bundledNode = join(root, 'node_modules', 'node', 'bin', 'node');
const node = existsSync(bundledNode) ? bundledNode : process.execPath;

try {
  await buildStale({ parts: ['cli'] });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
if (!existsSync(command)) {
  process.stderr.write(`there is no command to run: ${command} is missing\n`);
  process.exit(1);
}

const child = spawn(node, [command, ...process.argv.slice(2)], { stdio: 'inherit' });
/**
 * Ctrl-C in a terminal reaches the child by itself, as the two share a process group; a signal sent to this process
 * alone must be handed on. Handing on both is harmless: the command ends on the first.
 */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1);
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
  process.kill(process.pid, signal);
});
