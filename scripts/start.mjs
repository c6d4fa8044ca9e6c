// npm start: builds what is stale, finds an Electron and a display, and opens the app.
// Options after `--` go to the app: npm start -- --data DIR
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findElectron } from './electron-runtime.mjs';
import { ELECTRON_PACKAGES, ensureDebianPackages, findProgram, isRoot } from './lib/deps.mjs';
import { hasDisplay, startVirtualDisplay } from './lib/display.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const say = (line) => console.log(`litedesk: ${line}`);

function build() {
  const done = spawnSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { cwd: root, stdio: 'inherit' });
  if (done.status !== 0) throw new Error('the build failed');
}

/** True if a shared library that the executable links is missing. */
function librariesMissing(executable) {
  if (process.platform !== 'linux' || findProgram('ldd') === null) return false;
  return spawnSync('ldd', [executable], { encoding: 'utf8' }).stdout.includes('not found');
}

/** Chromium's sandbox needs user namespaces or the setuid helper; without either Electron would just abort. */
function checkSandbox(dist) {
  if (process.platform !== 'linux') return;
  const helper = join(dist, 'chrome-sandbox');
  try {
    const mode = statSync(helper);
    if (mode.uid === 0 && (mode.mode & 0o4000) !== 0) return;
  } catch {
    return;
  }
  if (findProgram('unshare') === null || spawnSync('unshare', ['-Ur', 'true']).status === 0) return;
  throw new Error(
    `this system gives Electron no sandbox (user namespaces are off). Paste this and start again:\n\n  sudo chown root:root ${helper} && sudo chmod 4755 ${helper}\n`,
  );
}

/** Said by libraries inside Chromium at every start: settings that its encoder adjusts, and a D-Bus that is not there. */
const CHROMIUM_NOISE =
  /^\[OpenH264\] .*Warning:|:ERROR:bus\.cc\(\d+\)\] Failed to connect to the bus|:ERROR:object_proxy\.cc\(\d+\)\] Failed to call method: org\.freedesktop\.DBus\./;

async function main() {
  build();
  const electron = await findElectron((line) => say(line));
  const version = (() => {
    try {
      return readFileSync(join(electron.dist, 'version'), 'utf8').trim();
    } catch {
      return '';
    }
  })();
  say(`Electron ${version} at ${electron.executable}, because ${electron.reason}`);
  if (librariesMissing(electron.executable)) ensureDebianPackages(ELECTRON_PACKAGES, 'Electron');

  const args = [root, ...process.argv.slice(2)];
  const env = { ...process.env };
  delete env.ELECTRON_RUN_AS_NODE;
  if (isRoot()) {
    args.unshift('--no-sandbox');
    say('RUNNING AS ROOT: Chromium has no sandbox for root, so the app runs without one. Use an ordinary user for real work.');
  } else checkSandbox(electron.dist);

  let display = null;
  if (!hasDisplay()) {
    display = await startVirtualDisplay();
    Object.assign(env, display.env, { LITEDESK_PRINT_ID: '1' });
    // A virtual screen has no GPU; left to find that out, Chromium now and then loses its GPU process at the start.
    args.unshift('--disable-gpu');
    say(`there is no display; the app runs on a virtual one (${display.display}, 1280x800).`);
  }
  const app = spawn(electron.executable, args, { cwd: root, env, stdio: ['inherit', 'inherit', 'pipe'] });
  // On a machine without a display the ID and the password stand between these lines.
  createInterface({ input: app.stderr }).on('line', (line) => {
    if (!CHROMIUM_NOISE.test(line)) process.stderr.write(`${line}\n`);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => app.kill(signal));
  app.on('error', (error) => {
    say(error.message);
    display?.stop();
    process.exit(1);
  });
  app.on('exit', (code, signal) => {
    display?.stop();
    process.exit(signal ? 1 : (code ?? 1));
  });
}

main().catch((error) => {
  say(error.message);
  process.exit(1);
});
