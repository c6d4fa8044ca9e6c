/**
 * Pictures of every window in every state: `node src/renderer/dev/shots.ts <browser> <folder> [filter]`.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { serveDevPage } from './serve.ts';

interface Shot {
  name: string;
  query: string;
  size?: [width: number, height: number];
  dark?: boolean;
  languages?: readonly string[];
  act?: (page: Page) => Promise<void>;
}

const ALL = ['en', 'zh-CN', 'de'];
const HOME: [number, number] = [900, 640];
const SESSION: [number, number] = [1180, 780];
const session = (scene: string, more: Partial<Shot> = {}): Shot => ({
  name: `session-${scene}`,
  query: `window=session&scene=${scene}`,
  size: SESSION,
  ...more,
});
const picture = async (page: Page) => {
  await page.locator('[data-testid=session-canvas][data-empty=false]').waitFor();
  await page.getByTestId('session-rtt').getByText('ms').waitFor();
};
const openSettings = async (page: Page) => {
  await page.getByTestId('settings-open').click();
};

const openTunnels = async (page: Page) => {
  await page.getByTestId('nav-tunnels').click();
  await page.getByTestId('tunnel-add').waitFor();
};
const newTunnel = async (page: Page) => {
  await openTunnels(page);
  await page.getByTestId('tunnel-add').click();
};

const SHOTS: readonly Shot[] = [
  { name: 'home-ready', query: '', act: async (page) => page.getByTestId('lan-search').click() },
  { name: 'home-network', query: '', size: [900, 1040], act: async (page) => page.getByTestId('network-facts').locator('summary').click() },
  { name: 'home-dark', query: 'scene=incoming', dark: true, languages: ['en'] },
  { name: 'home-first-run', query: 'scene=first-run' },
  { name: 'home-hosting', query: 'scene=hosting' },
  { name: 'home-offline', query: 'scene=offline' },
  { name: 'home-registering', query: 'scene=registering', languages: ['en'] },
  { name: 'home-off', query: 'scene=off', languages: ['de'] },
  { name: 'home-incoming', query: 'scene=incoming' },
  { name: 'home-loading', query: 'scene=loading', languages: ['en'] },
  { name: 'home-broken', query: 'scene=broken', languages: ['en'] },
  { name: 'home-narrow', query: '', size: [420, 900], languages: ['de'] },
  {
    name: 'home-error',
    query: '',
    languages: ['en'],
    act: async (page) => {
      await page.getByTestId('connect-input').fill('404');
      await page.getByTestId('connect-button').click();
      await page.getByTestId('home-error').waitFor();
    },
  },
  { name: 'settings', query: '', act: openSettings },
  {
    name: 'settings-end',
    query: '',
    act: async (page) => {
      await openSettings(page);
      await page.getByTestId('settings-language').scrollIntoViewIfNeeded();
    },
  },
  { name: 'settings-dark', query: '', dark: true, languages: ['en'], act: openSettings },
  { name: 'tunnels', query: 'scene=tunnels', size: [900, 1320], act: openTunnels },
  { name: 'tunnels-dark', query: 'scene=tunnels', size: [900, 1320], dark: true, languages: ['en'], act: openTunnels },
  { name: 'tunnels-narrow', query: 'scene=tunnels', size: [560, 1400], languages: ['de'], act: openTunnels },
  { name: 'tunnels-empty', query: '', act: openTunnels },
  {
    name: 'tunnels-removed',
    query: 'scene=tunnels',
    languages: ['de'],
    act: async (page) => {
      await openTunnels(page);
      await page.getByTestId('tunnel-remove').first().click();
      await page.getByTestId('tunnel-undo').waitFor();
    },
  },
  { name: 'tunnel-new', query: '', size: [900, 860], act: newTunnel },
  {
    name: 'tunnel-invalid',
    query: '',
    size: [900, 860],
    languages: ['de'],
    act: async (page) => {
      await newTunnel(page);
      await page.getByTestId('tunnel-kind-publish').check({ force: true });
      await page.getByTestId('tunnel-limits').click();
      await page.getByTestId('tunnel-allow').fill('nas.example');
      await page.getByTestId('tunnel-limits').click();
      await page.getByTestId('tunnel-save').click();
      // What is wrong is unfolded.
      await page.getByTestId('tunnel-more').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'tunnel-proxy',
    query: '',
    size: [900, 860],
    dark: true,
    languages: ['en'],
    act: async (page) => {
      await newTunnel(page);
      await page.getByTestId('tunnel-kind-proxy').check({ force: true });
    },
  },
  {
    name: 'rule-new',
    query: 'scene=tunnels',
    languages: ['en', 'de'],
    act: async (page) => {
      await openTunnels(page);
      await page.getByTestId('rule-add').click();
    },
  },
  {
    ...session('connecting'),
    act: async (page) => {
      await page.evaluate(() => {
        const { mock } = window as unknown as { mock: import('./mock.ts').MockControl };
        for (const step of ['punch', 'handshake'] as const)
          mock.setSession({
            state: 'connecting',
            peerId: '401882731',
            progress: { step, detail: '203.0.113.7:49152' },
          });
      });
    },
  },
  session('password'),
  session('password-wrong'),
  session('waiting'),
  session('plaintext'),
  session('open', { act: picture }),
  session('plain-open', { act: picture }),
  session('unverified', { act: picture, languages: ['en'], size: [800, 560] }),
  session('open', { name: 'session-small', act: picture, languages: ['de'], size: [680, 480] }),
  session('open', {
    name: 'session-actual',
    languages: ['en'],
    act: async (page) => {
      await picture(page);
      await page.getByTestId('session-mode').click();
    },
  }),
  session('open', {
    name: 'session-type',
    act: async (page) => {
      await picture(page);
      await page.getByTestId('session-type-text').click();
    },
  }),
  session('open', {
    name: 'session-reconnecting',
    act: async (page) => {
      await picture(page);
      await page.evaluate(() => {
        const { mock } = window as unknown as { mock: import('./mock.ts').MockControl };
        mock.setSession({
          state: 'reconnecting',
          peerId: '401882731',
          error: {
            code: 'SESSION_LINK_LOST',
            stage: 'session',
            message: 'Nothing came from the other side for 10 s.',
            hint: 'Wait; it is tried again by itself.',
          },
          retryInMs: 4000,
        });
      });
    },
  }),
  ...['open', 'relayed', 'searching', 'lan'].map((scene) =>
    session(scene, {
      name: `session-route-${scene}`,
      languages: scene === 'relayed' ? ALL : ['en'],
      dark: scene === 'searching',
      act: async (page) => {
        await picture(page);
        await page.getByTestId('session-route').click();
        await page.getByTestId('route-panel').waitFor();
      },
    }),
  ),
  session('two-factor', { languages: ['en', 'de'] }),
  session('key-changed'),
  session('downgrade', { languages: ['de'] }),
  session('no-picture', { languages: ['en'] }),
  session('failed'),
  session('closed', { languages: ['en'], dark: true }),
  { name: 'accept', query: 'window=accept&scene=asking', size: [460, 340] },
  {
    name: 'accept-plain',
    query: 'window=accept&scene=asking-plain',
    size: [460, 340],
    languages: ['en', 'de'],
  },
  { name: 'host-bar', query: 'window=host-bar&scene=incoming', size: [380, 120] },
];

const [executablePath, folder, filter = ''] = process.argv.slice(2);
if (executablePath === undefined || folder === undefined)
  throw new Error('usage: shots.ts <browser> <folder> [filter]');
mkdirSync(folder, { recursive: true });
const site = await serveDevPage();
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
let problems = 0;
try {
  for (const shot of SHOTS) {
    if (!shot.name.includes(filter)) continue;
    for (const language of shot.languages ?? ALL) {
      const [width, height] = shot.size ?? HOME;
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: shot.dark === true ? 'dark' : 'light',
        locale: language,
      });
      const tab = await context.newPage();
      tab.on('console', (message) => {
        if (message.type() !== 'error' && message.type() !== 'warning') return;
        problems += 1;
        console.error(`${shot.name} ${language}: ${message.text()}`);
      });
      tab.on('pageerror', (error) => {
        problems += 1;
        console.error(`${shot.name} ${language}: ${error.message}`);
      });
      await tab.goto(`${site.url}${shot.query}&lang=${language}`);
      await tab.locator('#root > *').first().waitFor();
      await shot.act?.(tab);
      await tab.evaluate(() => document.fonts.ready);
      await tab.screenshot({ path: join(folder, `${shot.name}.${language}.png`), animations: 'disabled' });
      await context.close();
    }
  }
} finally {
  await browser.close();
  await site.close();
}
console.log(problems === 0 ? 'no problem on any console' : `${problems} problems`);
