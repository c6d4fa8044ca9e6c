// `npm run bench:server`: runs bench/server.ts on Node 24, straight from the sources; options are its own.
// `npm run bench:server -- cluster [workers] [kills]` runs bench/cluster.ts instead.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const bundledNode = join(root, 'node_modules', 'node', 'bin', 'node');
const node = existsSync(bundledNode) ? bundledNode : process.execPath;
const [part, ...rest] = process.argv.slice(2);
const words = part === 'cluster' ? ['cluster.ts', ...rest] : ['server.ts', ...process.argv.slice(2)];
const child = spawn(node, [join(root, 'bench', words[0]), ...words.slice(1)], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
