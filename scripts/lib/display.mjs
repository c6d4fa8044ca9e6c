// A virtual X display for machines without one. Only this user can open it: it has its own cookie.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DISPLAY_PACKAGES, ensureDebianPackages, findProgram } from './deps.mjs';

/** How long Xvfb may take to come up; it needs well under a second. */
const START_TIMEOUT_MS = 15_000;
/** Small managers that make windows take the focus, in order of preference. None is needed. */
const WINDOW_MANAGERS = [['openbox'], ['matchbox-window-manager'], ['xfwm4'], ['twm'], ['icewm']];

/** True if programs started from here would find a desktop of their own. */
export function hasDisplay() {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/** An Xauthority file for one cookie that fits every display number. */
function writeCookie(path) {
  const text = (value) => Buffer.concat([Buffer.from([0, value.length]), value]);
  const entry = Buffer.concat([
    Buffer.from([0xff, 0xff]), // FamilyWild
    text(Buffer.alloc(0)),
    text(Buffer.alloc(0)),
    text(Buffer.from('MIT-MAGIC-COOKIE-1')),
    text(randomBytes(16)),
  ]);
  writeFileSync(path, entry, { mode: 0o600 });
}

/**
 * Starts Xvfb on a free display number and, where one is installed, a small window manager.
 * Returns `{ display, env, stop() }`: `env` is DISPLAY and XAUTHORITY for children, `stop` ends both programs.
 * `size` is `WIDTHxHEIGHTxDEPTH`; with `{ number }` that display number is taken.
 */
export async function startVirtualDisplay({ size = '1280x800x24', number, windowManager = true } = {}) {
  ensureDebianPackages(DISPLAY_PACKAGES, 'a virtual display');
  const dir = mkdtempSync(join(tmpdir(), 'litedesk-display-'));
  const authority = join(dir, 'xauthority');
  writeCookie(authority);
  const args = ['-screen', '0', size, '-nolisten', 'tcp', '-auth', authority, '-displayfd', '3', '-noreset'];
  if (number !== undefined) args.unshift(`:${number}`);
  // Its own process group: Ctrl+C in the terminal must reach the app first, and the display must outlive it.
  const server = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], detached: true });
  const children = [server];
  let errors = '';
  server.stderr.on('data', (chunk) => (errors = `${errors}${chunk}`.slice(-2000)));
  const stop = () => {
    for (const child of children.reverse()) if (child.exitCode === null) child.kill();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const display = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`Xvfb did not start: ${errors}`)), START_TIMEOUT_MS);
      const done = (act) => (value) => {
        clearTimeout(timer);
        act(value);
      };
      let text = '';
      server.stdio[3].on('data', (chunk) => {
        text += chunk;
        if (text.includes('\n')) done(resolve)(`:${text.trim()}`);
      });
      server.once('error', done(reject));
      server.once('exit', () => done(reject)(new Error(`Xvfb ended: ${errors}`)));
    });
    const env = { DISPLAY: display, XAUTHORITY: authority };
    const manager = windowManager ? WINDOW_MANAGERS.find(([name]) => findProgram(name)) : undefined;
    if (manager) {
      const child = spawn(manager[0], manager.slice(1), { env: { ...process.env, ...env }, stdio: 'ignore', detached: true });
      child.on('error', () => {});
      children.push(child);
    }
    server.unref();
    server.stdio[3].destroy();
    return { display, env, stop };
  } catch (error) {
    stop();
    throw error;
  }
}
