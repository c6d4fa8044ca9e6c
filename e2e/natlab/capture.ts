import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { LAB_PATH } from './shell.ts';

export interface Capture {
  /** The pcap file being written. */
  readonly file: string;
  /** Ends the capture; resolves to the whole pcap file. A second call gives the same bytes. */
  stop(): Promise<Buffer>;
}

/** Captures everything on the public segment's bridge with tcpdump. */
export async function startCapture(namespace: string, file: string): Promise<Capture> {
  const child = spawn(
    'nsenter',
    [`--net=/run/netns/${namespace}`, 'tcpdump', '-i', 'br0', '--immediate-mode', '-U', '-s', '0', '-Z', 'root', '-w', file],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: LAB_PATH } },
  );
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('listening on')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`tcpdump ended: ${said}`)));
  });
  let bytes: Promise<Buffer> | undefined;
  return {
    file,
    stop() {
      bytes ??= (async () => {
        if (child.exitCode === null && child.signalCode === null) {
          const gone = once(child, 'exit');
          child.kill('SIGINT');
          await gone;
        }
        return readFileSync(file);
      })();
      return bytes;
    },
  };
}
