// `npm run demo`: installs what is missing, builds what is stale and shows the main job on this machine, with no display
// and nobody's help. The network namespaces want root; another user gets them inside a user namespace where allowed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildStale } from './build.mjs';
import { DISPLAY_PACKAGES, ELECTRON_PACKAGES, ensureDebianPackages } from './lib/deps.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const bundledNode = join(root, 'node_modules', 'node', 'bin', 'node');
const node = existsSync(bundledNode) ? bundledNode : process.execPath;
const PACKAGES = ['iproute2', 'nftables', 'xterm', 'x11-utils', 'x11-xserver-utils', 'imagemagick', 'fonts-dejavu-core', 'tcpdump'];

if (process.platform !== 'linux') {
  console.error('The demo builds two networks inside this machine, which only Linux can do.');
  process.exit(1);
}
try {
  ensureDebianPackages([...PACKAGES, ...DISPLAY_PACKAGES, ...ELECTRON_PACKAGES], 'npm run demo');
  await buildStale();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const command = [node, join(root, 'e2e', 'demo', 'run.ts')];
if (process.getuid() !== 0) {
  if (spawnSync('unshare', ['-Urnm', 'true']).status !== 0) {
    console.error('The demo needs root, or user namespaces, for its two networks. Try: sudo npm run demo');
    process.exit(1);
  }
  // `ip netns` keeps its names under /run, which inside the namespace is ours.
  command.unshift('unshare', '-Urnm', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$0" "$@"');
}
const child = spawn(command[0], command.slice(1), { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
child.on('exit', (code) => process.exit(code ?? 1));
