/**
 * Says when the picture on an X screen changes. Chromium's capture delivers pictures all the time, changed or not; with
 * this the capture can rest while nothing happens. A change is what the server reports (DAMAGE) or a moved pointer,
 * which is painted into the pictures and is no damage.
 */
import { createRequire } from 'node:module';
import type { XClient, XDamage, XDisplay } from 'x11';

/** After a report the next one comes no sooner: a video would else make one for each of its drawings. */
const REPORT_INTERVAL_MS = 30;
const POINTER_INTERVAL_MS = 100;

export class X11Activity {
  readonly #client: XClient;
  readonly #root: number;
  readonly #damage: XDamage;
  readonly #onChange: () => void;
  #id = 0;
  #timer: NodeJS.Timeout | null = null;
  #pointerTimer: NodeJS.Timeout | null = null;
  #pointer = '';
  #dead = false;

  private constructor(display: XDisplay, damage: XDamage, onChange: () => void, onEnd: () => void) {
    this.#client = display.client;
    this.#root = display.screen[0]?.root ?? 0;
    this.#damage = damage;
    this.#onChange = onChange;
    this.#client.on('error', () => {});
    this.#client.on('end', () => {
      this.#dead = true;
      this.stop();
      onEnd();
    });
    this.#client.on('event', (event) => {
      if (event.damage !== undefined && event.damage === this.#id) this.#report();
    });
  }

  /** Rejects where the server has no DAMAGE extension. `onEnd`: the server went away, there will be no more reports. */
  static async open(display: string, onChange: () => void, onEnd: () => void): Promise<X11Activity> {
    const x11 = createRequire(import.meta.url)('x11') as typeof import('x11');
    const connection = await new Promise<XDisplay>((resolve, reject) => {
      const client = x11.createClient({ display }, (error, answer) => (error ? reject(error) : resolve(answer)));
      client.on('error', (error) => reject(new Error(String(error))));
    });
    const damage = await new Promise<XDamage>((resolve, reject) =>
      connection.client.require('damage', (error, extension) => (error ? reject(error) : resolve(extension))),
    );
    return new X11Activity(connection, damage, onChange, onEnd);
  }

  /** False where it runs already. */
  start(): boolean {
    if (this.#id !== 0 || this.#dead) return false;
    this.#id = this.#client.AllocID();
    this.#damage.Create(this.#id, this.#root, this.#damage.ReportLevel.NonEmpty);
    this.#pointerTimer = setInterval(() => this.#lookAtPointer(), POINTER_INTERVAL_MS);
    return true;
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#pointerTimer) clearInterval(this.#pointerTimer);
    this.#timer = null;
    this.#pointerTimer = null;
    if (this.#id !== 0 && !this.#dead) this.#damage.Destroy(this.#id);
    this.#id = 0;
  }

  close(): void {
    this.stop();
    if (!this.#dead) this.#client.terminate();
    this.#dead = true;
  }

  #report(): void {
    this.#onChange();
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      // Until its damage is taken back the server reports no more.
      if (this.#id !== 0 && !this.#dead) this.#damage.Subtract(this.#id, 0, 0);
    }, REPORT_INTERVAL_MS);
  }

  #lookAtPointer(): void {
    this.#client.QueryPointer(this.#root, (error, pointer) => {
      if (error) return;
      const at = `${pointer.rootX},${pointer.rootY}`;
      if (this.#pointer !== '' && at !== this.#pointer) this.#onChange();
      this.#pointer = at;
    });
  }
}
