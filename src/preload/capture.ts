/** Hands the one port of the capture window to its page; the page gets nothing else. */
import { ipcRenderer } from 'electron';
import { CAPTURE_PORT } from '../shared/channels.ts';

ipcRenderer.once(CAPTURE_PORT, (event) => {
  const send = (): void => window.postMessage(CAPTURE_PORT, window.location.origin, [...event.ports]);
  if (document.readyState === 'complete') send();
  else window.addEventListener('load', send, { once: true });
});
