// `npm run bench`: builds what is stale and runs bench/index.ts on Node 24; options are its own.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildStale } from './build.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const bundledNode = join(root, 'node_modules', 'node', 'bin', 'node');
try {
  await buildStale();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const node = existsSync(bundledNode) ? bundledNode : process.execPath;
const child = spawn(node, [join(root, 'bench', 'index.ts'), ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
