// Builds what is out of date: wire code from proto/, the app into out/main|preload|renderer, the CLI into out/cli/litedesk.js.
// Usage: build.mjs [--cli-only] [--force]. Quiet unless it does something; everything goes to stderr, stdout stays free
// for the command that asked for the build. Runs on Node 20 and later.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'out');
const stampFile = join(out, '.stamp');
/** How long to wait for another build in this tree; one takes seconds, so a minute means that it hangs. */
const LOCK_WAIT_MS = 60_000;

/** Layers of src/ that the CLI bundle cannot reach (docs/architecture.md), so that a UI change does not rebuild it. */
const APP_ONLY = new Set(['main', 'preload', 'renderer']);

function* walk(dir, skip = () => false) {
  if (!existsSync(dir)) return;
  for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(dir, entry.name);
    if (skip(path)) continue;
    if (entry.isDirectory()) yield* walk(path, skip);
    else if (!/\.test\.tsx?$/.test(entry.name)) yield path;
  }
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    if (!existsSync(file)) continue;
    hash.update(`${relative(root, file)}\0`).update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

const generated = join(root, 'src', 'core', 'wire', 'generated');
const shared = () => [
  ...['package-lock.json', 'tsconfig.json', 'scripts/build.mjs', 'scripts/proto.mjs'].map((f) => join(root, f)),
  ...walk(join(root, 'proto')),
];

function inputs(part) {
  const skip = (path) =>
    path === generated || (part === 'cli' && APP_ONLY.has(relative(join(root, 'src'), path)));
  const files = [...shared(), ...walk(join(root, 'src'), skip)];
  if (part === 'app') files.push(join(root, 'electron.vite.config.ts'), ...walk(join(root, 'resources')));
  return hashOf(files);
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return {};
  }
}

/** Runs a tool of node_modules on this very Node; its output is shown only when it fails. */
function run(what, args) {
  const done = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (done.status === 0) return;
  process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}`);
  throw new Error(`${what} failed${done.signal ? ` (${done.signal})` : ''}`);
}

function runProto() {
  const script = join(root, 'scripts', 'proto.mjs');
  if (existsSync(script)) run('generating the wire code', [script]);
}

async function buildCli() {
  const { build } = await import('vite');
  // Bundled aside and renamed, so that a command which starts meanwhile reads a whole file.
  const temporary = join(out, `.cli-${process.pid}`);
  try {
    await build({
      root,
      configFile: false,
      logLevel: 'error',
      publicDir: false,
      define: { 'process.env.NODE_ENV': '"production"' },
      // `ssr.noExternal` bundles the packages too: the command must run from its one file.
      ssr: { target: 'node', noExternal: true, external: ['bufferutil', 'utf-8-validate', 'sodium-native', 'koffi'] },
      build: {
        ssr: join(root, 'src', 'cli', 'main.ts'),
        outDir: temporary,
        emptyOutDir: true,
        target: 'node20',
        minify: false,
        sourcemap: false,
        reportCompressedSize: false,
        rollupOptions: {
          // node:sqlite is unknown to Node 20, whose list of builtin modules the bundler would otherwise trust.
          external: [/^node:/, 'bufferutil', 'utf-8-validate', 'sodium-native', 'koffi'],
          output: {
            ...{ format: 'es', entryFileNames: 'litedesk.js', codeSplitting: false, banner: '' },
            // Spaces and comments are two fifths of the text and a seventh of the time to start; names stay, for stack traces.
            minify: { compress: false, mangle: false, codegen: true },
          },
          onwarn: () => {},
        },
      },
    });
    const file = join(temporary, 'litedesk.js');
    const text = readFileSync(file, 'utf8').replace(/^#!.*\n/, '');
    writeFileSync(file, `#!/usr/bin/env node\n${text}`);
    chmodSync(file, 0o755);
    mkdirSync(join(out, 'cli'), { recursive: true });
    renameSync(file, join(out, 'cli', 'litedesk.js'));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function buildApp() {
  run('building the app', [join(root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js'), 'build', '--logLevel', 'warn']);
}

const PARTS = {
  cli: {
    product: join(out, 'cli', 'litedesk.js'),
    source: join(root, 'src', 'cli', 'main.ts'),
    build: buildCli,
    title: 'command',
  },
  app: {
    product: join(out, 'main', 'index.js'),
    source: join(root, 'electron.vite.config.ts'),
    build: buildApp,
    title: 'app',
  },
};

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function withLock(work) {
  mkdirSync(out, { recursive: true });
  const lock = join(out, '.lock');
  const until = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const owner = Number(existsSync(lock) ? readFileSync(lock, 'utf8') : 0);
      // An owner of 0 is a lock just being written or removed: look again rather than break it.
      if (owner > 0 && !alive(owner)) rmSync(lock, { force: true });
      else if (Date.now() > until) throw new Error(`another build (process ${owner}) holds ${lock}`, { cause: error });
      else await new Promise((done) => setTimeout(done, 100));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/**
 * Builds the named parts that are stale; a part whose source is absent is left out.
 * Resolves to the names of the parts that were built anew; throws when a part does not build.
 */
export async function buildStale({ parts = ['cli', 'app'], force = false } = {}) {
  const wanted = parts.filter((name) => existsSync(PARTS[name].source));
  const stale = () => {
    const stamp = readStamp();
    return wanted.filter((name) => force || !existsSync(PARTS[name].product) || stamp[name] !== inputs(name));
  };
  if (stale().length === 0) return [];
  return withLock(async () => {
    const todo = stale();
    if (todo.length === 0) return [];
    runProto();
    for (const name of todo) {
      const startedMs = Date.now();
      // Taken before the build: a file changed while it runs must count as stale afterwards.
      const hash = inputs(name);
      await PARTS[name].build();
      writeFileSync(stampFile, JSON.stringify({ ...readStamp(), [name]: hash }));
      process.stderr.write(`built the ${PARTS[name].title} in ${((Date.now() - startedMs) / 1000).toFixed(1)} s\n`);
    }
    return todo;
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  try {
    await buildStale({
      parts: args.includes('--cli-only') ? ['cli'] : ['cli', 'app'],
      force: args.includes('--force'),
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  }
}
