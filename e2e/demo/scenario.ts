/**
 * The main job from end to end on one machine: a server, two computers behind two NAT routers, the app on both, a
 * session by ID and password, and text typed on one arriving on the other. Shared by `npm run demo` and the e2e test.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, type ElectronFound } from '../lib/app.ts';
import { type Monitor, Screen } from '../lib/screen.ts';
import { World } from '../lib/world.ts';
import type { HostPlace } from '../natlab/index.ts';

/** Colour of the shared desktop, to see that colours arrive as they are. */
export const DESKTOP_COLOUR = [42, 111, 151] as const;
/** Where the terminal stands on the shared desktop. */
const TERMINAL = { x: 660, y: 120, columns: 52, rows: 16 } as const;
const SIZE: ScreenSize = { width: 1280, height: 800 };

export interface ScreenSize {
  readonly width: number;
  readonly height: number;
}

export interface Step {
  readonly title: string;
  readonly detail: string;
  readonly ms: number;
}

export interface ScenarioOptions {
  readonly electron: ElectronFound;
  /** Screenshots go here. */
  readonly output: string;
  readonly places?: { readonly controller: HostPlace; readonly controlled: HostPlace };
  /** Of both screens; default 1280 × 800. */
  readonly size?: ScreenSize;
  /** Of the shared desktop, side by side; default one of `size`. */
  readonly monitors?: readonly Monitor[];
  readonly onStep?: (step: Step) => void;
}

/** The two computers, connected: `here` controls `there`. Whoever made it destroys it. */
export class Scenario {
  readonly world: World;
  readonly here: App;
  readonly there: App;
  readonly thereScreen: Screen;
  readonly output: string;
  readonly typedFile: string;
  readonly #size: ScreenSize;
  readonly #onStep: (step: Step) => void;

  private constructor(parts: { world: World; here: App; there: App; thereScreen: Screen; options: ScenarioOptions }) {
    this.world = parts.world;
    this.here = parts.here;
    this.there = parts.there;
    this.thereScreen = parts.thereScreen;
    this.output = parts.options.output;
    this.typedFile = join(parts.world.lab.directory, 'typed.txt');
    this.#size = parts.options.size ?? SIZE;
    this.#onStep = parts.options.onStep ?? (() => {});
  }

  /** Starts server, screens and both apps; ends with both apps registered. */
  static async start(options: ScenarioOptions): Promise<Scenario> {
    mkdirSync(options.output, { recursive: true });
    const { controller = 'port-restricted', controlled = 'port-restricted' } = options.places ?? {};
    const say = options.onStep ?? (() => {});
    const world = await timed(say, 'Server', async () => {
      const made = await World.create({ there: controlled, here: controller }, ['--publish-ports', '30000-30009']);
      return [made, `listens at ${made.serverAddress}; two computers behind ${named(controller)} and ${named(controlled)} routers`];
    });
    try {
      const [here, there, thereScreen] = await timed(say, 'Two apps', async () => {
        const { width, height } = options.size ?? SIZE;
        const [hereScreen, farScreen] = await Promise.all([
          Screen.start(world.lab.host('here'), width, height),
          options.monitors
            ? Screen.startMonitors(world.lab.host('there'), world.lab.directory, options.monitors)
            : Screen.start(world.lab.host('there'), width, height),
        ]);
        await farScreen.run('xsetroot', ['-solid', `rgb:${DESKTOP_COLOUR.map((part) => part.toString(16).padStart(2, '0')).join('/')}`]);
        const launch = (name: 'here' | 'there', screen: Screen) =>
          App.launch({ host: world.lab.host(name), screen, electron: options.electron, dataDir: join(world.lab.directory, `app-${name}`) });
        const apps = (await Promise.all([launch('here', hereScreen), launch('there', farScreen)])) as [App, App];
        return [[apps[0], apps[1], farScreen] as const, `Electron ${options.electron.version}, each with a screen of its own`];
      });
      const scenario = new Scenario({ world, here, there, thereScreen, options });
      await scenario.#register();
      return scenario;
    } catch (error) {
      await world.lab.destroy();
      throw error;
    }
  }

  async #register(): Promise<void> {
    await this.step('Invitation', async () => {
      for (const app of [this.here, this.there]) {
        await app.waitFor('home', 'settings-open');
        await app.click('home', 'settings-open');
        await app.fill('home', 'settings-invitation', this.world.invite);
        if (app === this.here) await app.screenshot('home', join(this.output, 'settings.png'));
        await app.click('home', 'settings-save');
      }
      await Promise.all([this.here, this.there].map((app) => app.waitFor('home', 'home-status', { extra: '[data-state="ready"]' })));
      await this.here.screenshot('home', join(this.output, 'home.png'));
      return [undefined, 'the line that the server printed is pasted into both apps; both say Ready'];
    });
  }

  /** Opens the terminal on the shared desktop that writes what is typed into {@link typedFile}. */
  async openTerminal(): Promise<void> {
    const { columns, rows, x, y } = TERMINAL;
    this.thereScreen.open('xterm', [
      ...['-T', 'typed-here', '-geometry', `${columns}x${rows}+${x}+${y}`, '-fa', 'DejaVu Sans Mono', '-fs', '13'],
      ...['-bg', '#fdf6e3', '-fg', '#1b3a4b', '-u8', '-e', 'sh', '-c', 'cat > "$0"', this.typedFile],
      // A fresh machine has no locale set, and without one xterm takes keys for Latin-1.
    ], { LC_ALL: 'C.UTF-8' });
    await this.thereScreen.waitForWindow('typed-here');
  }

  /** Connects by ID and password, until the picture of the other desktop is there. */
  async connect(options: { readonly terminal?: boolean } = {}): Promise<{ path: string }> {
    const id = await this.step('ID and password', async () => {
      const shown = await this.there.text('home', 'home-id');
      return [shown.replaceAll(/\s/g, ''), `the other computer shows the ID ${shown.trim()} and a one-time password`];
    });
    if (options.terminal !== false) await this.openTerminal();
    await this.step('Connect', async () => {
      await this.here.fill('home', 'connect-input', id);
      await this.here.click('home', 'connect-button');
      await this.here.waitFor('session', 'password-input');
      await this.here.screenshot('session', join(this.output, 'password.png'));
      return [undefined, 'found by ID, reached through both routers, and asked for the password'];
    });
    return this.step('Session', async () => {
      await this.here.fill('session', 'password-input', (await this.there.text('home', 'home-password')).trim());
      await this.here.click('session', 'password-submit');
      await this.here.waitFor('session', 'session-bar');
      const path = (await this.here.attribute('session', 'session-path', 'data-value')) ?? '';
      await this.here.waitFor('session', 'session-canvas', { extra: '[data-empty="false"]' });
      return [{ path }, `path ${path}; the other desktop is on the screen`];
    });
  }

  /** Clicks into the terminal through the picture, types a line, and resolves once the file there has it. */
  async typeThere(text: string): Promise<void> {
    await this.step('Typing', async () => {
      await this.thereScreen.focusFollowsPointer();
      const at = await this.toWindow(TERMINAL.x + 200, TERMINAL.y + 120);
      await this.here.mouse('session', at.x, at.y);
      await this.here.type('session', text);
      await this.here.press('session', 'Enter');
      await this.#arrived(`${text}\n`);
      return [undefined, `"${text}" typed here stands in a file there`];
    });
  }

  /** Where a point of the shared desktop is in the session window, in CSS pixels, with the picture fitted into it. */
  async toWindow(x: number, y: number): Promise<{ x: number; y: number }> {
    const box = await this.here.box('session', 'session-canvas');
    const scale = Math.min(box.width / this.#size.width, box.height / this.#size.height);
    return {
      x: box.x + (box.width - this.#size.width * scale) / 2 + x * scale,
      y: box.y + (box.height - this.#size.height * scale) / 2 + y * scale,
    };
  }

  async screenshots(): Promise<void> {
    await this.step('Screenshots', async () => {
      await this.here.screenshot('session', join(this.output, 'session.png'));
      await this.thereScreen.screenshot(join(this.output, 'other-desktop.png'));
      return [undefined, `in ${this.output}`];
    });
  }

  async disconnect(): Promise<void> {
    await this.step('Disconnect', async () => {
      await this.here.click('session', 'session-disconnect');
      return [undefined, 'the session is over'];
    });
  }

  async destroy(): Promise<void> {
    await Promise.all([this.here.close(), this.there.close()]);
    await this.world.lab.destroy();
  }

  step<T>(title: string, work: () => Promise<[T, string]>): Promise<T> {
    return timed(this.#onStep, title, work);
  }

  async #arrived(text: string, timeoutMs = 15_000): Promise<void> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const found = existsSync(this.typedFile) ? readFileSync(this.typedFile, 'utf8') : '';
      if (found.includes(text)) return;
      if (Date.now() > until) throw new Error(`typed ${JSON.stringify(text)}, but the file there holds ${JSON.stringify(found)}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

async function timed<T>(say: (step: Step) => void, title: string, work: () => Promise<[T, string]>): Promise<T> {
  const startedMs = performance.now();
  const [value, detail] = await work();
  say({ title, detail, ms: performance.now() - startedMs });
  return value;
}

function named(place: HostPlace): string {
  if (typeof place === 'string') return place;
  return 'behind' in place ? `the same as ${place.behind}` : `${place.kind} behind a carrier's NAT`;
}
