import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'electron-vite';

const at = (path: string): string => resolve(import.meta.dirname, path);

// The targets are those of Electron 33, the oldest that the app runs on (docs/architecture.md).
export default defineConfig({
  main: {
    build: {
      target: 'node20',
      outDir: at('out/main'),
      rollupOptions: {
        input: { index: at('src/main/index.ts') },
        output: { format: 'es', entryFileNames: '[name].js' },
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
