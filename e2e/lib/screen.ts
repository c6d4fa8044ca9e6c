import { type ChildProcess, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { LabHost } from '../natlab/index.ts';

/** What is missing to give a computer of the lab a screen, or null. */
export function screenUnavailable(): string | null {
  for (const program of ['Xvfb', 'xterm', 'import', 'convert', 'xsetroot'])
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `${program} is not installed`;
  return null;
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

  /** Starts an X server without a window manager; the number of the display is free on the whole machine. */
  static async start(host: LabHost, width: number, height: number): Promise<Screen> {
    const server = host.spawn(
      'Xvfb',
      ['-displayfd', '3', '-screen', '0', `${width}x${height}x24`, '-nolisten', 'tcp', '-noreset', '-ac'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
    );
    const number = await new Promise<string>((resolve, reject) => {
      let text = '';
      (server.stdio[3] as NodeJS.ReadableStream).on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('\n')) resolve(text.trim());
      });
      server.once('error', reject);
      server.once('exit', () => reject(new Error('Xvfb ended')));
    });
    return new Screen(host, server, `:${number}`, width, height);
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
