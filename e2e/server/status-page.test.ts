/** The status page in a real browser: alive, in three languages, on a phone, by token, and safe against what strangers write. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeRendezvous } from '../../src/core/wire/index.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { tcpClient, type TestClient, udpClient } from '../../src/server/test-wire.ts';
import { freePorts } from '../../test/lib/ports.ts';

const program = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));
if (program === undefined) console.warn('SKIPPED, the status page: there is no chromium');

/** What a rude client might call itself. */
const RUDE = '<img src=x onerror=alert(1)>';

describe.skipIf(program === undefined)('the status page', () => {
  let dir: string;
  let server: RunningServer;
  let open: RunningServer;
  let browser: Browser;
  const clients: TestClient[] = [];
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'litedesk-page-'));
    server = await startServer({
      dataDir: join(dir, 'a'),
      ports: { rendezvous: -1 },
      http: { host: '127.0.0.1', port: 0 },
      logIds: true,
      limits: { statusIntervalMs: 200 },
    });
    open = await startServer({ dataDir: join(dir, 'b'), ports: { rendezvous: -1 }, http: { host: '0.0.0.0', port: 0 } });
    await register('123456789');
    await register(RUDE);
    browser = await chromium.launch({ executablePath: program ?? '', args: ['--no-sandbox', '--disable-gpu'] });
  });
  afterAll(async () => {
    await browser?.close();
    for (const client of clients) client.destroy();
    await server?.close();
    await open?.close();
    if (dir) rmSync(dir, { recursive: true });
  });

  async function register(id: string): Promise<void> {
    const client = await udpClient(server.ports.rendezvous);
    clients.push(client);
    client.send(encodeRendezvous({ registerPk: { id, uuid: Buffer.from(`of ${id}`), pk: Buffer.alloc(32, 1) } }));
    await client.inbox.next();
  }

  /** A page, with everything that the browser complained about. */
  async function visit(url: string, options: BrowserContextOptions = {}): Promise<{ page: Page; complaints: string[] }> {
    const context = await browser.newContext({ locale: 'en-GB', ...options });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('dialog', (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(url);
    return { page, complaints };
  }
  const address = (): string => `http://127.0.0.1:${server.ports.metrics}/`;
  const onlineOf = (page: Page): Promise<string | null> => page.locator('.tile .value').first().textContent();

  test('is alive: computers, refusals and the self-test', async () => {
    const { page, complaints } = await visit(address());
    await page.locator('.tile').first().waitFor();
    expect(await onlineOf(page)).toBe('2');
    await page.getByText('ready', { exact: true }).waitFor();
    await page.getByText('Nothing was refused.').waitFor();
    await register('987654321');
    const asker = await tcpClient(server.ports.rendezvous);
    clients.push(asker);
    asker.send(encodeRendezvous({ punchHoleRequest: { id: '123456789', licenceKey: 'another key' } }));
    await page.locator('.bar.refused', { hasText: 'another server key' }).waitFor();
    await page.waitForFunction(() => document.querySelector('.tile .value')?.textContent === '3');
    expect(await page.title()).toContain('3 ·');
    // What a stranger calls himself is text and nothing else.
    await page.locator('td', { hasText: RUDE }).first().waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test.each([
    ['de-DE', 'Rechner online', 'Ablehnungen nach Grund'],
    ['zh-CN', '在线计算机', '按原因统计的拒绝'],
    ['fr-FR', 'Computers online', 'Refusals by reason'],
  ])('speaks the language of the browser: %s', async (locale, ...words) => {
    const { page, complaints } = await visit(address(), { locale });
    for (const word of words) await page.getByText(word).first().waitFor();
    expect(complaints).toEqual([]);
  });

  test('the language and the appearance can be chosen, and are remembered', async () => {
    const { page } = await visit(address(), { colorScheme: 'light' });
    await page.locator('.tile').first().waitFor();
    const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.locator('select').nth(1).selectOption('dark');
    expect(await background()).not.toBe(light);
    await page.locator('select').first().selectOption('de');
    await page.reload();
    await page.getByText('Rechner online').first().waitFor();
    expect(await background()).not.toBe(light);
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
  });

  test('a phone shows it without scrolling sideways', async () => {
    const { page, complaints } = await visit(address(), { viewport: { width: 360, height: 740 }, hasTouch: true });
    await page.locator('.tile').first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    const sizes = await page.locator('select').evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
    for (const height of sizes) expect(height).toBeGreaterThanOrEqual(34);
    expect(complaints).toEqual([]);
  });

  test('asks for the token where others may come, and takes it from a link', async () => {
    const token = readFileSync(join(dir, 'b', 'status_token'), 'utf8').trim();
    const url = `http://127.0.0.1:${open.ports.metrics}/`;
    const { page } = await visit(url);
    await page.locator('input').fill('not the token');
    await page.locator('button').click();
    await page.getByText('That is not the token.').waitFor();
    await page.locator('input').fill(token);
    await page.locator('button').click();
    await page.locator('.tile').first().waitFor();
    const { page: linked } = await visit(`${url}#token=${token}`);
    await linked.locator('.tile').first().waitFor();
    expect(linked.url()).not.toContain(token);
  });

  test('a server that goes is told, and found again', async () => {
    const dataDir = join(dir, 'c');
    const port = await freePorts();
    const first = await startServer({ dataDir, ports: { rendezvous: -1 }, http: { host: '127.0.0.1', port } });
    const { page } = await visit(`http://127.0.0.1:${port}/`);
    await page.getByText('live', { exact: true }).waitFor();
    await first.close();
    await page.getByText('no connection, trying again').waitFor();
    const second = await startServer({ dataDir, ports: { rendezvous: -1 }, http: { host: '127.0.0.1', port } });
    await page.getByText('live', { exact: true }).waitFor();
    await second.close();
  });
});
