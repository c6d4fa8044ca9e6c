import type { PlatformInjector } from './injector.ts';

/** Takes no input: on a machine where injection is not possible the screen can still be seen. */
const nothing: PlatformInjector = { inject: () => {}, releaseAll: () => {}, close: () => {} };

/** The injector of this platform; one that does nothing, with a line in the log, where there is none. */
export async function createInjector(log: (line: string) => void): Promise<PlatformInjector> {
  try {
    // Loaded only where they belong: koffi binds system libraries when these modules are used.
    switch (process.platform) {
      case 'win32':
        return (await import('./windows.ts')).createWindowsInjector();
      case 'darwin':
        return (await import('./macos.ts')).createMacInjector();
      default:
        return await (await import('./x11.ts')).X11Injector.open(process.env.DISPLAY ?? '', log);
    }
  } catch (error) {
    log(`mouse and keyboard cannot be injected: ${error instanceof Error ? error.message : String(error)}`);
    return nothing;
  }
}
