// Runs beside the app on a host of the lab and drives it with Playwright: a browser's debugging port can only be reached
// inside its own network namespace. One JSON command a line on stdin, one JSON answer a line on stdout.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { _electron } from 'playwright-core';

let app;
let log = '';

/** The page of the window of that kind (home, session, accept, host-bar), waiting until it is open. */
async function pageOf(kind, timeoutMs) {
  const until = Date.now() + timeoutMs;
  for (;;) {
    for (const page of app.windows()) {
      if (page.isClosed()) continue;
      if (kind === 'capture' && page.url().includes('/capture/')) return page;
      const found = await page.evaluate(() => globalThis.litedesk?.window.kind).catch(() => undefined);
      if (found === kind) return page;
    }
    const leftMs = until - Date.now();
    if (leftMs <= 0) throw new Error(`no ${kind} window within ${timeoutMs} ms`);
    await app.waitForEvent('window', { timeout: Math.min(leftMs, 200) }).catch(() => {});
  }
}

const commands = {
  async launch({ executable, args, env, cwd }) {
    app = await _electron.launch({ executablePath: executable, args, cwd, env: { ...process.env, ...env }, timeout: 60_000 });
    const keep = (chunk) => (log = `${log}${chunk}`.slice(-20_000));
    app.process().stdout?.on('data', keep);
    app.process().stderr?.on('data', keep);
    return { pid: app.process().pid };
  },
  /** Closes the window as its user does. */
  async closeWindow({ kind, timeoutMs }) {
    const window = await app.browserWindow(await pageOf(kind, timeoutMs));
    await window.evaluate((each) => each.close());
  },
  /** Starts the program once more, as somebody who does not see it does; resolves when that process has ended. */
  async startAgain({ executable, args, env, cwd }) {
    const again = spawn(executable, args, { cwd, env: { ...process.env, ...env }, stdio: 'ignore' });
    const [code] = await once(again, 'exit');
    return code;
  },
  /** Runs in every window that opens from now on, before its own scripts. */
  async prepareWindows({ script }) {
    await app.context().addInitScript(script);
  },
  log: () => log,
  async text({ kind, selector, timeoutMs }) {
    return (await pageOf(kind, timeoutMs)).locator(selector).first().innerText({ timeout: timeoutMs });
  },
  async attribute({ kind, selector, name, timeoutMs }) {
    return (await pageOf(kind, timeoutMs)).locator(selector).first().getAttribute(name, { timeout: timeoutMs });
  },
  async waitFor({ kind, selector, state, timeoutMs }) {
    await (await pageOf(kind, timeoutMs)).locator(selector).first().waitFor({ state, timeout: timeoutMs });
  },
  async click({ kind, selector, position, timeoutMs }) {
    await (await pageOf(kind, timeoutMs)).locator(selector).first().click({ timeout: timeoutMs, position });
  },
  async fill({ kind, selector, value, timeoutMs }) {
    await (await pageOf(kind, timeoutMs)).locator(selector).first().fill(value, { timeout: timeoutMs });
  },
  async select({ kind, selector, value, timeoutMs }) {
    await (await pageOf(kind, timeoutMs)).locator(selector).first().selectOption(value, { timeout: timeoutMs });
  },
  async box({ kind, selector, timeoutMs }) {
    return (await pageOf(kind, timeoutMs)).locator(selector).first().boundingBox({ timeout: timeoutMs });
  },
  /** A real click at a place of the window, in CSS pixels. */
  async mouse({ kind, x, y, timeoutMs }) {
    const page = await pageOf(kind, timeoutMs);
    await page.mouse.move(x, y);
    await page.mouse.click(x, y);
  },
  /** Types as on a US keyboard, with Shift held where it must be; other characters come as an input method gives them. */
  async type({ kind, text, delayMs, timeoutMs }) {
    const { keyboard } = await pageOf(kind, timeoutMs);
    for (const character of text) {
      if (/[A-Z~!@#$%^&*()_+{}|:"<>?]/.test(character)) {
        await keyboard.down('Shift');
        await keyboard.press(character, { delay: delayMs });
        await keyboard.up('Shift');
      } else await keyboard.type(character, { delay: delayMs });
    }
  },
  async press({ kind, key, timeoutMs }) {
    await (await pageOf(kind, timeoutMs)).keyboard.press(key);
  },
  async evaluate({ kind, expression, timeoutMs }) {
    return (await pageOf(kind, timeoutMs)).evaluate(expression);
  },
  async screenshot({ kind, file, timeoutMs }) {
    await (await pageOf(kind, timeoutMs)).screenshot({ path: file, timeout: timeoutMs });
  },
  async windows() {
    return app.windows().filter((page) => !page.isClosed()).length;
  },
  async close() {
    await app?.close();
  },
};

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const { serial, command, ...args } = JSON.parse(line);
  let answer;
  try {
    answer = { serial, value: (await commands[command]({ timeoutMs: 30_000, ...args })) ?? null };
  } catch (error) {
    answer = { serial, error: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
lines.on('close', async () => {
  await app?.close().catch(() => {});
  process.exit(0);
});
