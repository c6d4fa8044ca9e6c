import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'electron-vite';
import type { Plugin } from 'vite';

const at = (path: string): string => resolve(import.meta.dirname, path);

/** The package is of type `module`; the folder of the main process says otherwise. */
const commonJsFolder: Plugin = {
  name: 'commonjs-folder',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'package.json', source: '{"type":"commonjs"}\n' });
  },
};

// The targets are those of Electron 33, the oldest that the app runs on (docs/architecture.md).
export default defineConfig({
  main: {
    plugins: [commonJsFolder],
    build: {
      target: 'node20',
      outDir: at('out/main'),
      // It is there as ES modules alone, which Node 20's require refuses.
      externalizeDeps: { exclude: ['@noble/curves'] },
      rollupOptions: {
        input: { index: at('src/main/index.ts') },
        // CommonJS, since only that is sure to run before Electron is ready, and page schemes must be registered by then.
        output: { format: 'cjs', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
        external: [/^node:/, 'koffi', 'x11'],
      },
    },
  },
  preload: {
    build: {
      target: 'node20',
      outDir: at('out/preload'),
      // A sandboxed preload can require nothing but electron: all of it must be in one file, and CommonJS.
      externalizeDeps: false,
      isolatedEntries: true,
      rollupOptions: {
        input: { index: at('src/preload/index.ts'), capture: at('src/preload/capture.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: at('src/renderer'),
    plugins: [react()],
    build: {
      target: 'chrome130',
      outDir: at('out/renderer'),
      // Inlined assets would be data: URLs, which the content security policy does not allow for scripts and fonts.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rollupOptions: {
        input: { index: at('src/renderer/index.html'), capture: at('src/renderer/capture/index.html') },
      },
    },
  },
});
