import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { LabHost } from '../natlab/index.ts';

/** What is missing to give a computer of the lab a screen, or null. */
export function screenUnavailable(): string | null {
  for (const program of ['Xvfb', 'xterm', 'import', 'convert', 'xsetroot'])
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `${program} is not installed`;
  return null;
}

/** What is missing to give a computer several monitors whose resolution can change, or null. */
export function monitorsUnavailable(): string | null {
  if (spawnSync('sh', ['-c', 'command -v Xorg && command -v xrandr']).status !== 0) return 'Xorg or xrandr is not installed';
  return existsSync('/usr/lib/xorg/modules/drivers/dummy_drv.so') ? null : 'Xorg has no dummy driver';
}

/** A monitor of a virtual desktop. */
export interface Monitor {
  readonly width: number;
  readonly height: number;
}

/** An X server without hardware, whose outputs are added and changed by xrandr. */
const DUMMY_CONFIG = `
Section "ServerFlags"
  Option "AutoAddDevices" "false"
EndSection
Section "Device"
  Identifier "device"
  Driver "dummy"
  VideoRam 65536
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 5-1000
  VertRefresh 5-200
EndSection
Section "Screen"
  Identifier "screen"
  Device "device"
  Monitor "monitor"
  DefaultDepth 24
EndSection
`;

/** Far from the numbers that people's own displays have, and apart for test runs side by side. */
let nextNumber = 100 + (process.pid % 800);
const MAX_TRIES = 20;
const START_MS = 10_000;
const POLL_MS = 25;

/** Waits until the X server takes connections; false when it ended instead, as when its number was taken meanwhile. */
async function answers(server: ChildProcess, socket: string): Promise<boolean> {
  const until = Date.now() + START_MS;
  while (server.exitCode === null && server.signalCode === null && Date.now() < until) {
    const connected = await new Promise<boolean>((resolve) => {
      const probe = connect(socket);
      probe.once('connect', () => {
        probe.destroy();
        resolve(true);
      });
      probe.once('error', () => resolve(false));
    });
    if (connected) return true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  server.kill();
  return false;
}

/** Somebody's display has this number. What servers left that were killed is taken away: they do so with every test. */
function isTaken(number: number, socket: string): boolean {
  const lock = `/tmp/.X${number}-lock`;
  if (!existsSync(lock)) return existsSync(socket);
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') return true;
    for (const left of [lock, socket]) rmSync(left, { force: true });
    return false;
  }
}

/** A virtual screen on a host of the lab. The lab ends it with the host. */
export class Screen {
  readonly display: string;
  readonly width: number;
  readonly height: number;
  readonly #host: LabHost;
  readonly #server: ChildProcess;

  private constructor(host: LabHost, server: ChildProcess, display: string, width: number, height: number) {
    this.#host = host;
    this.#server = server;
    this.display = display;
    this.width = width;
    this.height = height;
  }

  /**
   * Starts an X server without a window manager. The number of its display is chosen here and held by the server's lock
   * file: abstract sockets belong to a network namespace while the socket files are shared, so a server that looks for a
   * free number by itself would take over the socket file of another namespace's display, or of the user's own.
   */
  static async start(host: LabHost, width: number, height: number): Promise<Screen> {
    const args = ['-screen', '0', `${width}x${height}x24`, '-nolisten', 'tcp', '-noreset', '-ac'];
    return Screen.#start(host, { width, height }, 'Xvfb', args);
  }

  /** Starts one with these monitors side by side; ask `monitorsUnavailable()` first. `directory` is for its files. */
  static async startMonitors(host: LabHost, directory: string, monitors: readonly Monitor[]): Promise<Screen> {
    const config = join(directory, 'xorg.conf');
    writeFileSync(config, DUMMY_CONFIG);
    const size = { width: monitors.reduce((sum, { width }) => sum + width, 0), height: Math.max(...monitors.map(({ height }) => height)) };
    // Without a terminal: there is none to take over, and nobody's is to be switched.
    const args = ['-config', config, '-logfile', join(directory, 'xorg.log'), '-nolisten', 'tcp', '-noreset', '-ac', '-novtswitch', '-sharevts', 'vt99'];
    const screen = await Screen.#start(host, size, 'Xorg', args);
    let left = 0;
    for (const [index, { width, height }] of monitors.entries()) {
      const output = `DUMMY${index}`;
      if (index > 0) await screen.run('xrandr', ['--addmode', output, `${width}x${height}`]);
      await screen.run('xrandr', ['--output', output, '--mode', `${width}x${height}`, '--pos', `${left}x0`]);
      left += width;
    }
    await screen.#probeOutputs();
    return screen;
  }

  /** Gives one monitor another resolution. */
  async setResolution(index: number, { width, height }: Monitor): Promise<void> {
    const mode = `${width}x${height}`;
    if (index > 0) await this.run('xrandr', ['--addmode', `DUMMY${index}`, mode]);
    await this.run('xrandr', ['--output', `DUMMY${index}`, '--mode', mode]);
    await this.#probeOutputs();
  }

  /** A dummy output counts as connected from the next time on that somebody makes the server look. */
  async #probeOutputs(): Promise<void> {
    await this.run('xrandr', ['--query']);
  }

  static async #start(host: LabHost, { width, height }: Monitor, program: string, args: readonly string[]): Promise<Screen> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const number = nextNumber++;
      const socket = `/tmp/.X11-unix/X${number}`;
      if (isTaken(number, socket)) continue;
      const server = host.spawn(program, [`:${number}`, ...args], { stdio: 'ignore' });
      if (await answers(server, socket)) return new Screen(host, server, `:${number}`, width, height);
    }
    throw new Error(`no virtual screen came up in ${MAX_TRIES} tries`);
  }

  get env(): Record<string, string> {
    return { DISPLAY: this.display, XAUTHORITY: '/dev/null', WAYLAND_DISPLAY: '' };
  }

  /** Starts a program on this screen. */
  open(command: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
    return this.#host.spawn(command, args, { env: { ...this.env, ...env }, stdio: 'ignore' });
  }

  /** Runs a program on this screen to its end and returns its stdout. */
  async run(command: string, args: readonly string[]): Promise<string> {
    const done = await this.#host.run(command, args, { env: this.env });
    if (done.code !== 0) throw new Error(`${command} failed: ${done.stderr}`);
    return done.stdout;
  }

  /** The keyboard goes to the window under the pointer from now on, as nobody manages windows here. */
  async focusFollowsPointer(): Promise<void> {
    await this.run(process.execPath, [join(import.meta.dirname, 'focus-pointer.mjs')]);
  }

  /** Waits until a window of that title is there. */
  async waitForWindow(title: string, timeoutMs = 15_000): Promise<void> {
    const until = Date.now() + timeoutMs;
    while (!(await this.run('xwininfo', ['-root', '-tree'])).includes(`"${title}"`))
      if (Date.now() > until) throw new Error(`no window ${title} within ${timeoutMs} ms`);
  }

  async screenshot(file: string): Promise<void> {
    await this.run('import', ['-window', 'root', file]);
  }

  stop(): void {
    this.#server.kill();
  }
}

/** The colour of one pixel of a picture, as [red, green, blue]. */
export function pixelOf(file: string, x: number, y: number): [number, number, number] {
  const done = outputOf('convert', [file, '-depth', '8', '-crop', `1x1+${Math.round(x)}+${Math.round(y)}`, 'rgb:-']);
  return [done[0] ?? 0, done[1] ?? 0, done[2] ?? 0];
}

function outputOf(command: string, args: readonly string[]): Buffer {
  const done = spawnSync(command, args);
  if (done.status !== 0) throw new Error(`${command} failed: ${done.stderr.toString()}`);
  return done.stdout;
}
