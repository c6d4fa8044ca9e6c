/** Input on X11 through the XTEST extension (session §4). Needs no privileges, works on any X server of this user. */
import { createRequire } from 'node:module';
import type { XClient, XDisplay, XTest } from 'x11';
import type { InputEvent, Modifier, MouseButton } from '../../core/session/contract.ts';
import type { PlatformInjector } from './injector.ts';
import { CAPS_LOCK, keysymOf, MODIFIER_KEYSYMS, NAMED_KEYSYMS, NUM_LOCK } from './x11-keysyms.ts';
import { X11Keymap } from './x11-keymap.ts';
import type { KeyPlace } from './x11-keymap.ts';

/** X button numbers (session §4.1). */
const BUTTONS: Record<MouseButton, number> = { left: 1, middle: 2, right: 3, back: 8, forward: 9 };
const WHEEL = { up: 4, down: 5, left: 6, right: 7 } as const;
/** Wheel clicks for one event; a hostile or broken peer must not make millions. */
const MAX_WHEEL_CLICKS = 50;
/** Fine wheel units that make one notch, as a wheel of a browser page scrolls about so many pixels. */
const FINE_PER_NOTCH = 40;
/** Events that wait while a key is being lent. More is a paste that nobody can stop any more. */
const MAX_QUEUED = 20_000;
/** Lent keys go back after this time without use. */
const RESTORE_AFTER_MS = 2_000;
const LOCK_MASK = 2;

export class X11Injector implements PlatformInjector {
  readonly #client: XClient;
  readonly #xtest: XTest;
  readonly #root: number;
  readonly #keymap: X11Keymap;
  readonly #keysDown = new Set<number>();
  readonly #buttonsDown = new Set<number>();
  /** Which key a character or name went down with, to lift the same one. */
  readonly #named = new Map<string, number>();
  #queue: InputEvent[] = [];
  #running = false;
  #fine = { x: 0, y: 0 };
  #numMask = 0x10;
  #dead = false;
  #mapChanged = false;
  #ownChanges = 0;
  #restoreTimer: NodeJS.Timeout | null = null;
  /** Resolves when the connection to the X server is gone. */
  readonly ended: Promise<void>;

  private constructor(display: XDisplay, xtest: XTest, keymap: X11Keymap) {
    this.#client = display.client;
    this.#xtest = xtest;
    this.#root = display.screen[0]?.root ?? 0;
    this.#keymap = keymap;
    this.ended = new Promise((resolve) => display.client.on('end', () => resolve()));
  }

  /** Connects to the X server `display` (`:0`; with XAUTHORITY of the environment). */
  static async open(display: string, log: (line: string) => void): Promise<X11Injector> {
    if (display === '') throw new Error('there is no X display');
    const x11 = createRequire(import.meta.url)('x11') as typeof import('x11');
    const connection = await new Promise<XDisplay>((resolve, reject) => {
      const client = x11.createClient({ display }, (error, answer) => (error ? reject(error) : resolve(answer)));
      client.on('error', (error) => reject(error instanceof Error ? error : new Error(String(error))));
    });
    const { client } = connection;
    const xtest = await new Promise<XTest>((resolve, reject) =>
      client.require('xtest', (error, extension) => (error ? reject(error) : resolve(extension))),
    );
    const keymap = new X11Keymap(client, connection.min_keycode, connection.max_keycode, () => performance.now());
    await keymap.load();
    const injector = new X11Injector(connection, xtest, keymap);
    await injector.#readModifiers();
    client.on('error', (error) => log(`X server: ${String(error)}`));
    client.on('end', () => (injector.#dead = true));
    client.on('event', (event) => {
      // Every client gets this when the user switches the layout, and when we lend a key.
      if (event.name !== 'MappingNotify') return;
      if (injector.#ownChanges > 0) injector.#ownChanges--;
      else injector.#mapChanged = true;
    });
    return injector;
  }

  inject(event: InputEvent): void {
    if (this.#dead) return;
    if (this.#running) {
      if (this.#queue.length < MAX_QUEUED) this.#queue.push(event);
      return;
    }
    const waiting = this.#act(event);
    if (!waiting) return;
    this.#running = true;
    void this.#drain(waiting);
  }

  releaseAll(): void {
    this.#queue = [];
    for (const button of this.#buttonsDown) this.#fake(this.#xtest.ButtonRelease, button);
    for (const keycode of this.#keysDown) this.#fake(this.#xtest.KeyRelease, keycode);
    this.#buttonsDown.clear();
    this.#keysDown.clear();
    this.#named.clear();
  }

  close(): void {
    this.releaseAll();
    if (this.#restoreTimer) clearTimeout(this.#restoreTimer);
    if (this.#dead) return;
    this.#keymap.restore();
    this.#dead = true;
    // Its answer comes after everything above has been carried out.
    this.#client.QueryPointer(this.#root, () => this.#client.terminate());
  }

  /** Resolves when everything that was injected has been carried out by the X server. */
  async settled(): Promise<void> {
    while (this.#running) await new Promise((resolve) => setImmediate(resolve));
    await this.#keyMask();
  }

  /** Modifiers and buttons that are down at the X server, as its own bit mask. */
  mask(): Promise<number> {
    return this.#keyMask();
  }

  async #drain(first: Promise<void>): Promise<void> {
    try {
      await first;
      for (let event = this.#queue.shift(); event; event = this.#queue.shift()) await this.#act(event);
    } finally {
      this.#running = false;
    }
  }

  /** Carries one event out; a promise only where the server has to be asked or a key to be waited for. */
  #act(event: InputEvent): Promise<void> | undefined {
    switch (event.type) {
      case 'move':
        this.#xtest.FakeInput(this.#xtest.MotionNotify, 0, 0, this.#root, clamp16(event.x), clamp16(event.y));
        return undefined;
      case 'move-relative':
        this.#xtest.FakeInput(this.#xtest.MotionNotify, 1, 0, 0, clamp16(event.dx), clamp16(event.dy));
        return undefined;
      case 'button':
        this.#button(BUTTONS[event.button], event.down);
        return undefined;
      case 'wheel':
        this.#wheel(event.dx, event.dy, event.fine);
        return undefined;
      case 'keycode':
        if (event.locks && event.down) return this.#withLocks(event.locks).then(() => this.#key(event.keycode, event.down));
        this.#key(event.keycode, event.down);
        return undefined;
      case 'named':
        return this.#namedKey(event.key, event.action);
      case 'character':
        return this.#character(event.character, event.action);
      case 'modifiers':
        this.#setModifiers(event.held);
        return undefined;
      case 'text':
        return this.#type(event.text);
    }
  }

  #fake(type: number, detail: number): void {
    if (!this.#dead) this.#xtest.FakeInput(type, detail, 0, 0, 0, 0);
  }

  #button(button: number, down: boolean): void {
    if (down) this.#buttonsDown.add(button);
    else if (!this.#buttonsDown.delete(button)) return;
    this.#fake(down ? this.#xtest.ButtonPress : this.#xtest.ButtonRelease, button);
  }

  #wheel(dx: number, dy: number, fine: boolean): void {
    const notches = (axis: 'x' | 'y', delta: number): number => {
      if (!fine) return Math.trunc(delta);
      this.#fine[axis] += delta / FINE_PER_NOTCH;
      const whole = Math.trunc(this.#fine[axis]);
      this.#fine[axis] -= whole;
      return whole;
    };
    const click = (button: number, count: number): void => {
      for (let n = Math.min(Math.abs(count), MAX_WHEEL_CLICKS); n > 0; n--) {
        this.#fake(this.#xtest.ButtonPress, button);
        this.#fake(this.#xtest.ButtonRelease, button);
      }
    };
    const y = notches('y', dy);
    const x = notches('x', dx);
    click(y > 0 ? WHEEL.up : WHEEL.down, y);
    click(x > 0 ? WHEEL.left : WHEEL.right, x);
  }

  #key(keycode: number, down: boolean): void {
    if (keycode < 8 || keycode > 255) return;
    if (down) this.#keysDown.add(keycode);
    else this.#keysDown.delete(keycode);
    this.#fake(down ? this.#xtest.KeyPress : this.#xtest.KeyRelease, keycode);
  }

  #tap(keycode: number): void {
    this.#fake(this.#xtest.KeyPress, keycode);
    this.#fake(this.#xtest.KeyRelease, keycode);
  }

  async #namedKey(name: string, action: 'down' | 'up' | 'press'): Promise<void> {
    if (name === 'CtrlAltDel') {
      for (const key of ['Control', 'Alt', 'Delete']) await this.#namedKey(key, 'down');
      for (const key of ['Delete', 'Alt', 'Control']) await this.#namedKey(key, 'up');
      return;
    }
    const keysym = NAMED_KEYSYMS[name];
    if (keysym === undefined) return;
    await this.#press(`named:${name}`, keysym, action);
  }

  async #character(character: string, action: 'down' | 'up' | 'press'): Promise<void> {
    const keysym = keysymOf(character.codePointAt(0) ?? 0);
    if (keysym !== null) await this.#press(`chr:${character}`, keysym, action);
  }

  /** The key of the current layout; which modifiers are held is the caller's business, but a missing Shift is added. */
  async #press(name: string, keysym: number, action: 'down' | 'up' | 'press'): Promise<void> {
    if (action === 'up') {
      const keycode = this.#named.get(name);
      this.#named.delete(name);
      if (keycode !== undefined) this.#key(keycode, false);
      return;
    }
    const place = await this.#place(keysym);
    if (!place) return;
    const shift = this.#shiftFor(place);
    if (shift) this.#fake(this.#xtest.KeyPress, shift);
    if (action === 'press') this.#tap(place.keycode);
    else {
      this.#named.set(name, place.keycode);
      this.#key(place.keycode, true);
    }
    if (shift) this.#fake(this.#xtest.KeyRelease, shift);
  }

  /** The Shift key, if this place needs one and none is down. */
  #shiftFor(place: KeyPlace): number | null {
    if (!place.shift || this.#modifierDown('Shift').length > 0) return null;
    return this.#keymap.find(MODIFIER_KEYSYMS.Shift[0] ?? 0)?.keycode ?? null;
  }

  async #place(keysym: number): Promise<KeyPlace | null> {
    if (this.#mapChanged) {
      this.#mapChanged = false;
      await this.#keymap.load();
      await this.#readModifiers();
    }
    const found = this.#keymap.find(keysym);
    if (found) return found;
    for (;;) {
      // The server announces a changed map once for each change, to us as well.
      const lent = this.#keymap.lend(keysym);
      if (lent === null) return null;
      if (typeof lent !== 'number') {
        this.#ownChanges++;
        this.#planRestore();
        return lent;
      }
      await new Promise((resolve) => setTimeout(resolve, lent));
    }
  }

  #planRestore(): void {
    if (this.#restoreTimer) clearTimeout(this.#restoreTimer);
    this.#restoreTimer = setTimeout(() => {
      this.#restoreTimer = null;
      if (this.#running || this.#keysDown.size > 0 || performance.now() - this.#keymap.lastLentMs < RESTORE_AFTER_MS)
        return this.#planRestore();
      if (!this.#dead) this.#keymap.restore();
    }, RESTORE_AFTER_MS);
    this.#restoreTimer.unref();
  }

  async #type(text: string): Promise<void> {
    // Held modifiers and Caps Lock would make other characters of the same keys.
    const held = (['Alt', 'Shift', 'Control', 'Meta'] as const).flatMap((modifier) => this.#modifierDown(modifier));
    for (const keycode of held) this.#fake(this.#xtest.KeyRelease, keycode);
    const capsKey = this.#keymap.find(CAPS_LOCK)?.keycode;
    const caps = ((await this.#keyMask()) & LOCK_MASK) !== 0 && capsKey !== undefined;
    if (caps) this.#tap(capsKey);
    for (const character of text.replaceAll('\r\n', '\n')) {
      if (this.#dead) return;
      const keysym = keysymOf(character.codePointAt(0) ?? 0);
      const place = keysym === null ? null : await this.#place(keysym);
      if (!place) continue;
      const shift = place.shift ? this.#keymap.find(MODIFIER_KEYSYMS.Shift[0] ?? 0)?.keycode : undefined;
      if (shift) this.#fake(this.#xtest.KeyPress, shift);
      this.#tap(place.keycode);
      if (shift) this.#fake(this.#xtest.KeyRelease, shift);
    }
    if (caps) this.#tap(capsKey);
    for (const keycode of held) if (this.#keysDown.has(keycode)) this.#fake(this.#xtest.KeyPress, keycode);
  }

  #setModifiers(wanted: readonly Modifier[]): void {
    for (const modifier of ['Alt', 'Shift', 'Control', 'Meta'] as const) {
      const down = this.#modifierDown(modifier);
      if (!wanted.includes(modifier)) for (const keycode of down) this.#key(keycode, false);
      else if (down.length === 0) {
        const place = this.#keymap.find(MODIFIER_KEYSYMS[modifier][0] ?? 0);
        if (place) this.#key(place.keycode, true);
      }
    }
  }

  /** Keys of this modifier that we hold. */
  #modifierDown(modifier: Modifier): number[] {
    return [...this.#keysDown].filter((keycode) => MODIFIER_KEYSYMS[modifier].includes(this.#keymap.keysymAt(keycode)));
  }

  /** Makes the locks here those of the viewer, for keys on which they matter (session §4.2). */
  async #withLocks(locks: { caps?: boolean; num?: boolean }): Promise<void> {
    const mask = await this.#keyMask();
    const toggle = (wanted: boolean | undefined, bit: number, keysym: number): void => {
      if (wanted === undefined || wanted === ((mask & bit) !== 0)) return;
      const place = this.#keymap.find(keysym);
      if (place) this.#tap(place.keycode);
    };
    toggle(locks.caps, LOCK_MASK, CAPS_LOCK);
    toggle(locks.num, this.#numMask, NUM_LOCK);
  }

  #keyMask(): Promise<number> {
    if (this.#dead) return Promise.resolve(0);
    return new Promise((resolve) => this.#client.QueryPointer(this.#root, (error, pointer) => resolve(error ? 0 : pointer.keyMask)));
  }

  /** Which modifier bit Num Lock is on this keyboard. */
  async #readModifiers(): Promise<void> {
    const rows = await new Promise<number[][]>((resolve) =>
      this.#client.GetModifierMapping((error, answer) => resolve(error ? [] : answer)),
    );
    const bit = rows.findIndex((row) => row.some((keycode) => keycode !== 0 && this.#keymap.keysymAt(keycode) === NUM_LOCK));
    if (bit >= 0) this.#numMask = 1 << bit;
  }
}

function clamp16(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value)));
}
