import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JsonRequests, type LabHost } from '../natlab/index.ts';
import type { Screen } from './screen.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/**
 * For root, Chromium has no sandbox; an ordinary user's run keeps it. A virtual screen has no GPU: left to find out by
 * itself, Chromium now and then loses its GPU process at the start, and with it input or the whole launch.
 */
const CHROMIUM_ARGS: readonly string[] = [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu'];

/**
 * Holds the app back until Playwright has attached. Playwright adds it by itself only when it finds Electron on its own;
 * without it, a window that opens while it attaches makes the launch hang now and then.
 */
const PLAYWRIGHT_LOADER = join(ROOT, 'node_modules', 'playwright-core', 'lib', 'server', 'electron', 'loader.js');

export type WindowKind = 'home' | 'session' | 'accept' | 'host-bar' | 'capture';

export interface ElectronFound {
  readonly executable: string;
  readonly reason: string;
  readonly version: string;
}

/** Builds the app when it is stale and finds an Electron for it; throws with the reason when there is none. */
export function prepareApp(): ElectronFound {
  const built = spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`the app does not build: ${built.stderr}`);
  const find = `import('${join(ROOT, 'scripts', 'electron-runtime.mjs')}').then((m) => m.findElectron((line) => console.error(line))).then((found) => console.log(JSON.stringify(found)))`;
  const found = spawnSync(process.execPath, ['-e', find], { encoding: 'utf8', cwd: ROOT });
  if (found.status !== 0) throw new Error(`there is no Electron: ${found.stderr}`);
  const answer = JSON.parse(found.stdout.trim().split('\n').at(-1) ?? '') as { executable: string; dist: string; reason: string };
  const versionFile = join(answer.dist, 'version');
  return { ...answer, version: existsSync(versionFile) ? readFileSync(versionFile, 'utf8').trim() : 'of unknown version' };
}

interface Program {
  readonly executable: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Record<string, string>;
}

/** A running LiteDesk app on a host of the lab, on a screen of its own, driven through its windows. */
export class App {
  readonly #driver: ChildProcess;
  readonly #program: Program;
  readonly #requests: JsonRequests;

  private constructor(host: LabHost, program: Program) {
    this.#program = program;
    this.#driver = host.spawn(process.execPath, [join(import.meta.dirname, 'app-driver.mjs')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#requests = new JsonRequests(this.#driver);
  }

  /** Starts the app with its data in `dataDir`. */
  static async launch(options: { host: LabHost; screen: Screen; electron: ElectronFound; dataDir: string }): Promise<App> {
    const program = {
      executable: options.electron.executable,
      cwd: ROOT,
      args: [...CHROMIUM_ARGS, ROOT, '--data', options.dataDir],
      env: { ...options.screen.env, LANG: 'en_US.UTF-8', LANGUAGE: 'en' },
    };
    const app = new App(options.host, program);
    await app.#requests.ask('launch', { ...program, args: ['-r', PLAYWRIGHT_LOADER, ...program.args], timeoutMs: 60_000 });
    return app;
  }

  /** Closes a window as its user does. */
  async closeWindow(kind: WindowKind): Promise<void> {
    await this.#requests.ask('closeWindow', { kind });
  }

  /** Starts the program once more with the same data, and waits until that process has handed over and ended. */
  async startAgain(): Promise<void> {
    await this.#requests.ask('startAgain', this.#program);
  }

  text(kind: WindowKind, testId: string, timeoutMs = 30_000): Promise<string> {
    return this.#requests.ask('text', { kind, selector: byTestId(testId), timeoutMs }) as Promise<string>;
  }

  attribute(kind: WindowKind, testId: string, name: string, timeoutMs = 30_000): Promise<string | null> {
    return this.#requests.ask('attribute', { kind, selector: byTestId(testId), name, timeoutMs }) as Promise<string | null>;
  }

  /** Waits until the element is shown; `extra` is a further CSS condition on it, for example `[data-state="ready"]`. */
  async waitFor(kind: WindowKind, testId: string, options: { extra?: string; timeoutMs?: number; state?: 'visible' | 'detached' } = {}): Promise<void> {
    const { extra = '', timeoutMs = 30_000, state = 'visible' } = options;
    await this.#requests.ask('waitFor', { kind, selector: `${byTestId(testId)}${extra}`, state, timeoutMs });
  }

  async click(kind: WindowKind, testId: string): Promise<void> {
    await this.#requests.ask('click', { kind, selector: byTestId(testId) });
  }

  async fill(kind: WindowKind, testId: string, value: string): Promise<void> {
    await this.#requests.ask('fill', { kind, selector: byTestId(testId), value });
  }

  async select(kind: WindowKind, testId: string, value: string): Promise<void> {
    await this.#requests.ask('select', { kind, selector: byTestId(testId), value });
  }

  async box(kind: WindowKind, testId: string): Promise<{ x: number; y: number; width: number; height: number }> {
    return (await this.#requests.ask('box', { kind, selector: byTestId(testId) })) as { x: number; y: number; width: number; height: number };
  }

  async mouse(kind: WindowKind, x: number, y: number): Promise<void> {
    await this.#requests.ask('mouse', { kind, x, y });
  }

  async type(kind: WindowKind, text: string, delayMs = 15): Promise<void> {
    await this.#requests.ask('type', { kind, text, delayMs, timeoutMs: 60_000 });
  }

  async press(kind: WindowKind, key: string): Promise<void> {
    await this.#requests.ask('press', { kind, key });
  }

  /** Runs a script in every window that opens from now on, before the window's own. */
  async prepareWindows(script: string): Promise<void> {
    await this.#requests.ask('prepareWindows', { script });
  }

  evaluate(kind: WindowKind, expression: string): Promise<unknown> {
    return this.#requests.ask('evaluate', { kind, expression });
  }

  async screenshot(kind: WindowKind, file: string): Promise<void> {
    await this.#requests.ask('screenshot', { kind, file });
  }

  /** The last of what the app wrote to its standard streams. */
  log(): Promise<string> {
    return this.#requests.ask('log', {}) as Promise<string>;
  }

  /** Closes the app as a user closes it, and waits for its end. */
  async close(): Promise<void> {
    if (this.#driver.exitCode !== null || this.#driver.signalCode !== null) return;
    const gone = once(this.#driver, 'exit');
    this.#driver.stdin?.end();
    await gone;
  }
}

function byTestId(testId: string): string {
  return `[data-testid="${testId}"]`;
}
