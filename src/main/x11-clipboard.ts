/** Says when the clipboard of an X screen gets another content (XFIXES), so that nobody has to look again and again. */
import { createRequire } from 'node:module';
import type { XDisplay, XFixes } from 'x11';

/**
 * Calls `onChange` from now on until the returned function is called. Rejects where the server has no XFIXES extension.
 * `onEnd`: the server went away, there will be no more reports.
 */
export async function watchX11Clipboard(display: string, onChange: () => void, onEnd: () => void): Promise<() => void> {
  const x11 = createRequire(import.meta.url)('x11') as typeof import('x11');
  const { client, screen } = await new Promise<XDisplay>((resolve, reject) => {
    const connecting = x11.createClient({ display }, (error, answer) => (error ? reject(error) : resolve(answer)));
    connecting.on('error', (error) => reject(new Error(String(error))));
  });
  let over = false;
  const stop = (): void => {
    if (over) return;
    over = true;
    client.terminate();
  };
  try {
    const fixes = await new Promise<XFixes>((resolve, reject) =>
      client.require('fixes', (error, extension) => (error ? reject(error) : resolve(extension))),
    );
    const atom = await new Promise<number>((resolve, reject) =>
      client.InternAtom(false, 'CLIPBOARD', (error, answer) => (error ? reject(error) : resolve(answer))),
    );
    client.on('end', () => {
      if (!over) onEnd();
      over = true;
    });
    client.on('event', (event) => {
      if (!over && event.name === 'SelectionNotify' && event.selection === atom) onChange();
    });
    fixes.SelectSelectionInput(screen[0]?.root ?? 0, atom, fixes.SelectionEventMask.SetSelectionOwner);
    // An answer to anything shows that the request before it was carried out.
    await new Promise<void>((resolve) => client.QueryPointer(screen[0]?.root ?? 0, () => resolve()));
    return stop;
  } catch (error) {
    stop();
    throw error;
  }
}
