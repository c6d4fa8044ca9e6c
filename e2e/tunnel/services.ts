/** Debian's own programs as services of one computer of the lab. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../natlab/index.ts';
import { startNginx } from '../lib/nginx.ts';
import { sh } from '../natlab/shell.ts';

export const SERVICE_PORTS = { http: 8080, ssh: 2222, postgres: 5433, iperf: 5201, dns: 5353, websocket: 8090 } as const;
/** What the name server says about `desk.test`. */
export const DNS_ANSWER = '198.51.100.7';
const FILE_BYTES = 20 * 1024 * 1024;

const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  'nginx-light': ['/usr/sbin/nginx'],
  'openssh-server': ['/usr/sbin/sshd'],
  'openssh-client': ['/usr/bin/ssh', '/usr/bin/ssh-keygen'],
  iperf3: ['/usr/bin/iperf3'],
  'dnsmasq-base': ['/usr/sbin/dnsmasq'],
  'bind9-dnsutils': ['/usr/bin/dig'],
  curl: ['/usr/bin/curl'],
};

/** Null when all programs are there, else one sentence that says what is missing. */
export function programsUnavailable(): string | null {
  const missing = Object.keys(PROGRAMS).filter((name) => !PROGRAMS[name]?.every((file) => existsSync(file)));
  if (postgresDirectory() === '') missing.push('postgresql');
  return missing.length === 0 ? null : `not installed: ${missing.join(', ')}`;
}

/** Where Debian keeps the newest PostgreSQL that is there; '' without one. */
function postgresDirectory(): string {
  return sh('ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1 || true').trim();
}

export interface Services {
  /** The key to log in at sshd with. */
  readonly sshKey: string;
  /** MD5 of `/file` of nginx. */
  readonly fileMd5: string;
}

/** Starts everything on `host`, with files in `directory`; resolves when all listen. The lab ends it. */
export async function startServices(host: LabHost, directory: string): Promise<Services> {
  mkdirSync(directory, { recursive: true });
  const path = (name: string): string => join(directory, name);
  const www = path('www');
  mkdirSync(www);
  sh(`head -c ${FILE_BYTES} /dev/urandom > ${www}/file; echo hello > ${www}/index.html; mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f ${path('host_key')}; ssh-keygen -q -t ed25519 -N '' -f ${path('user_key')}`);
  host.spawn('/usr/sbin/sshd', [
    ...['-D', '-e', '-f', '/dev/null', '-p', String(SERVICE_PORTS.ssh), '-h', path('host_key')],
    ...['-o', 'UsePAM=no', '-o', 'StrictModes=no', '-o', 'PermitRootLogin=yes', '-o', `PidFile=${path('sshd.pid')}`],
    ...['-o', `AuthorizedKeysFile=${path('user_key.pub')}`],
  ]);
  host.spawn('iperf3', ['-s', '-p', String(SERVICE_PORTS.iperf)]);
  host.spawn('dnsmasq', [
    ...['--keep-in-foreground', '--no-resolv', '--no-hosts', '--user=root', '--conf-file=/dev/null', `--pid-file=${path('dnsmasq.pid')}`],
    ...[`--port=${SERVICE_PORTS.dns}`, `--address=/desk.test/${DNS_ANSWER}`],
  ]);
  writeFileSync(path('websocket.mjs'), WEBSOCKET_ECHO);
  host.spawn(process.execPath, [path('websocket.mjs'), String(SERVICE_PORTS.websocket)], {
    env: { WS_MODULE: join(import.meta.dirname, '..', '..', 'node_modules', 'ws', 'wrapper.mjs') },
  });
  startPostgres(host, postgresDirectory(), path('postgres'));
  await startNginx({
    directory: path('nginx'),
    host,
    port: SERVICE_PORTS.http,
    http: `server { listen ${SERVICE_PORTS.http}; root ${www}; client_max_body_size 64m; location /put { return 204; } }`,
  });
  const ports = Object.entries(SERVICE_PORTS).filter(([name]) => name !== 'dns');
  await listening(host, ports.map(([, port]) => port));
  return { sshKey: path('user_key'), fileMd5: sh(`md5sum < ${www}/file`).slice(0, 32) };
}

/** PostgreSQL does not run as root, so it gets Debian's user for it. */
function startPostgres(host: LabHost, bin: string, data: string): void {
  const as = 'setpriv --reuid=postgres --regid=postgres --clear-groups';
  sh(`mkdir -p ${data}; chown -R postgres:postgres ${data}; chmod 755 $(dirname ${data}) $(dirname $(dirname ${data}))
    cd ${data}; ${as} ${bin}/initdb --no-sync -A trust -D ${data}/db >/dev/null
    echo "host all all 0.0.0.0/0 trust" >> ${data}/db/pg_hba.conf`);
  host.spawn('setpriv', [
    ...['--reuid=postgres', '--regid=postgres', '--clear-groups', `${bin}/postgres`, '-D', `${data}/db`],
    ...['-p', String(SERVICE_PORTS.postgres), '-k', data, '-c', 'listen_addresses=*', '-c', 'fsync=off'],
  ]);
}

/** Waits until every port is listened on. */
export async function listening(host: LabHost, ports: readonly number[], timeoutMs = 15_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { stdout } = await host.run('ss', ['-ltnH']);
    const missing = ports.filter((port) => !new RegExp(`:${port}\\s`).test(stdout));
    if (missing.length === 0) return;
    if (performance.now() > deadline) throw new Error(`nobody listens on ${missing.join(', ')} of ${host.name}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const WEBSOCKET_ECHO = `
const { WebSocketServer } = await import(process.env.WS_MODULE);
new WebSocketServer({ port: Number(process.argv[2]) }).on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
`;
