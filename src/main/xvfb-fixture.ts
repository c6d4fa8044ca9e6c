/** A virtual screen for tests. */
import { type ChildProcess, spawn } from 'node:child_process';

/** Starts one; the display is its name. Whoever started it kills the server. */
export function startXvfb(): Promise<{ display: string; server: ChildProcess }> {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '800x600x24', '-nolisten', 'tcp', '-noreset'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    server.stdio[3]?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve({ display: `:${text.trim()}`, server });
    });
    server.once('exit', () => reject(new Error('Xvfb ended')));
  });
}
