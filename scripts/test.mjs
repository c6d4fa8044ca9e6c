// `npm test`: everything, from a fresh checkout on a fresh Debian machine, with one closing line.
// Usage: test.mjs [--no-deps] [--no-e2e]
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DISPLAY_PACKAGES, ELECTRON_PACKAGES, ensureDebianPackages } from './lib/deps.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const reports = join(root, 'out', 'test-reports');
const args = new Set(process.argv.slice(2));
const tool = (...parts) => join(root, 'node_modules', ...parts);
/** Tests need Node 24 (node_modules/node); npm puts it first on PATH, a direct call may not. */
const node = existsSync(tool('node', 'bin', 'node')) ? tool('node', 'bin', 'node') : process.execPath;
const env = {
  ...process.env,
  PATH: [tool('node', 'bin'), tool('.bin'), process.env.PATH, '/usr/sbin', '/sbin'].join(':'),
};
/** A step that hangs must not hang the machine that runs it. */
const STEP_LIMIT_MS = 15 * 60_000;

/** What the laboratory and the tests of the real app need beside what Electron needs. */
const TEST_PACKAGES = [
  ...['iproute2', 'nftables', 'tcpdump', 'procps', 'util-linux', 'redis-server', 'miniupnpd-nftables'],
  ...['nginx-light', 'libnginx-mod-stream', 'chromium'],
  // Programs for both ends of tunnels.
  ...['curl', 'openssh-server', 'openssh-client', 'iperf3', 'dnsmasq-base', 'bind9-dnsutils', 'postgresql'],
  ...['xauth', 'xterm', 'x11-utils', 'x11-xkb-utils', 'x11-xserver-utils', 'imagemagick', 'fonts-dejavu-core', 'unzip'],
  // A display with several outputs, which Xvfb has not.
  ...['xserver-xorg-core', 'xserver-xorg-video-dummy'],
];

const total = { passed: 0, failed: 0, skipped: 0 };
const skippedNames = [];
const failedNames = [];
const flakyNames = [];
const startedMs = Date.now();

function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Runs one command with its output shown; resolves to true when it ended well. Its process group dies with it. */
function step(title, command, commandArgs, extraEnv = {}) {
  return new Promise((done) => {
    const stepMs = Date.now();
    say(`\n── ${title}`);
    const child = spawn(command, commandArgs, {
      cwd: root,
      env: { ...env, ...extraEnv },
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    const group = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // already gone
      }
    };
    const limit = setTimeout(() => {
      say(`── ${title}: no end after ${STEP_LIMIT_MS / 60_000} minutes, stopped`);
      group('SIGKILL');
    }, STEP_LIMIT_MS);
    const stop = (signal) => {
      group(signal);
      process.exit(1);
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    const finish = (ok) => {
      clearTimeout(limit);
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      say(`── ${title}: ${ok ? 'ok' : 'FAILED'} (${((Date.now() - stepMs) / 1000).toFixed(1)} s)`);
      done(ok);
    };
    child.on('error', (error) => {
      say(error.message);
      finish(false);
    });
    child.on('exit', (code) => finish(code === 0));
  });
}

/** A step that is no test of its own counts only when it fails. */
async function check(title, command, commandArgs) {
  if (await step(title, command, commandArgs)) return true;
  total.failed += 1;
  failedNames.push(title);
  return false;
}

function addReport(file, project, ok) {
  let failedHere = 0;
  if (existsSync(file)) {
    for (const suite of JSON.parse(readFileSync(file, 'utf8')).testResults) {
      for (const test of suite.assertionResults) {
        const name = `${relative(root, suite.name)} › ${test.fullName}`;
        if (test.status === 'passed') total.passed += 1;
        else if (test.status === 'failed') {
          failedHere += 1;
          failedNames.push(name);
        } else {
          total.skipped += 1;
          skippedNames.push(name);
        }
      }
      if (suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed')) {
        failedHere += 1;
        failedNames.push(`${relative(root, suite.name)} (the file itself)`);
      }
    }
  }
  // No report, or an error outside of any test (an unhandled rejection, a crash): never a silent pass.
  if (!ok && failedHere === 0) {
    failedHere = 1;
    failedNames.push(`${project} tests as a whole`);
  }
  total.failed += failedHere;
}

/** A test that fails is tried once more, as the network is a real one; who needed that is named at the end. */
async function vitest(project, parts = [project]) {
  const [file, flaky] = [join(reports, `${project}.json`), join(reports, `${project}-flaky.json`)];
  for (const old of [file, flaky]) rmSync(old, { force: true });
  const ok = await step(
    `${project} tests`,
    node,
    [
      tool('vitest', 'vitest.mjs'),
      ...['run', ...parts.flatMap((part) => ['--project', part]), '--passWithNoTests', '--retry=1'],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
      '--reporter=./scripts/lib/flaky-reporter.mjs',
    ],
    { FLAKY_REPORT: flaky },
  );
  addReport(file, project, ok);
  if (existsSync(flaky)) flakyNames.push(...JSON.parse(readFileSync(flaky, 'utf8')));
}

function debianPackages() {
  if (args.has('--no-deps')) return;
  try {
    ensureDebianPackages([...TEST_PACKAGES, ...DISPLAY_PACKAGES, ...ELECTRON_PACKAGES], 'npm test');
  } catch (error) {
    say(`── ${error.message}\n── going on without; tests that need one of them say so and skip`);
  }
}

mkdirSync(reports, { recursive: true });
debianPackages();
const built = await check('build', node, ['scripts/build.mjs']);
await check('types', node, [tool('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json', '--noEmit']);
await check('lint', node, [tool('oxlint', 'bin', 'oxlint'), '--deny-warnings']);
await check('import rule', node, ['scripts/check-imports.mjs']);
await vitest('unit');
if (args.has('--no-e2e')) say('\n── e2e tests: left out as asked (--no-e2e)');
else if (built) await vitest('e2e', ['e2e', 'e2e-alone']);
else say('\n── e2e tests: not run, as the build failed');

if (skippedNames.length > 0) say(`\nSKIPPED:\n${skippedNames.map((name) => `  ${name}`).join('\n')}`);
if (flakyNames.length > 0) say(`\nFLAKY (failed once, passed when tried again):\n${flakyNames.map((name) => `  ${name}`).join('\n')}`);
if (failedNames.length > 0) say(`\nFAILED:\n${failedNames.map((name) => `  ${name}`).join('\n')}`);
say(`\ntook ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
say(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
