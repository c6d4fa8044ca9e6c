/**
 * The development page, built as the app is built, so that the content security policy holds as it does there.
 * `node src/renderer/dev/serve.ts` serves it until it is interrupted.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build, preview } from 'vite';

export interface DevPage {
  /** Ends in `?`: scene and language follow (dev.ts). */
  url: string;
  close(): Promise<void>;
}

export async function serveDevPage(): Promise<DevPage> {
  const outDir = mkdtempSync(join(tmpdir(), 'litedesk-dev-'));
  const root = resolve(import.meta.dirname, '..');
  const config = {
    root,
    configFile: false as const,
    logLevel: 'warn' as const,
    build: {
      outDir,
      emptyOutDir: true,
      target: 'chrome130',
      rollupOptions: { input: join(root, 'dev', 'index.html') },
    },
  };
  await build(config);
  const server = await preview({ ...config, preview: { host: '127.0.0.1', port: 0 } });
  return {
    url: `${server.resolvedUrls?.local[0] ?? ''}dev/index.html?`,
    close: async () => {
      await server.close();
      rmSync(outDir, { recursive: true, force: true });
    },
  };
}

if (import.meta.main) {
  const page = await serveDevPage();
  console.log(page.url);
  process.once('SIGINT', () => void page.close().then(() => process.exit(0)));
}
