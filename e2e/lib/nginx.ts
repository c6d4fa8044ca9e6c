/** A real nginx, as Debian packages it, with a configuration of the test's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { LabHost } from '../natlab/index.ts';

const NGINX = '/usr/sbin/nginx';
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** Null when nginx with its stream module is installed, else one sentence that says what is missing. */
export function nginxUnavailable(): string | null {
  return existsSync(NGINX) && existsSync(STREAM_MODULE) ? null : 'nginx and libnginx-mod-stream are not installed';
}

export interface NginxOptions {
  /** For its files; made. */
  readonly directory: string;
  /** Inside `http { … }` and `stream { … }`. */
  readonly http?: string;
  readonly stream?: string;
  /** A port of 127.0.0.1 that listens once it runs; none: it is not waited for. */
  readonly port?: number;
  /** Where it runs; absent: here. */
  readonly host?: LabHost;
}

/** Starts nginx and waits until it listens. The caller stops it (a lab does so for its hosts). */
export async function startNginx(options: NginxOptions): Promise<{ stop(): Promise<void> }> {
  const { directory, http, stream, port, host } = options;
  mkdirSync(directory, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(directory, name)};`)
    .join('\n');
  const file = join(directory, 'nginx.conf');
  writeFileSync(
    file,
    `${stream === undefined ? '' : `load_module ${STREAM_MODULE};`}
daemon off;
user root;
worker_processes 1;
pid ${join(directory, 'nginx.pid')};
error_log ${join(directory, 'error.log')} info;
events { worker_connections 4096; }
${http === undefined ? '' : `http { access_log off; ${temporary}\n${http}\n}`}
${stream === undefined ? '' : `stream {\n${stream}\n}`}
`,
  );
  const args = ['-p', directory, '-e', join(directory, 'error.log'), '-c', file];
  const child: ChildProcess = host ? host.spawn(NGINX, args) : spawn(NGINX, args, { stdio: 'pipe' });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let gone = false;
  void ended.then(() => (gone = true));
  const deadline = performance.now() + 10_000;
  for (;;) {
    if (gone || performance.now() > deadline) throw new Error(`nginx does not run: ${said}`);
    if (port === undefined || (host ? (await host.run('sh', ['-c', `ss -ltnH "sport = :${port}"`])).stdout !== '' : await listens(port)))
      break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
