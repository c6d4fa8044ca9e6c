/** Three nodes, two relays and their Redis, each a process on a host of its own, and the load on a further one. */
import { type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { initCrypto, signKeyPair } from '../../src/core/crypto/index.ts';
import { TestRedis } from '../../src/server/cluster/test-redis.ts';
import { CliProcess } from '../lib/cli-process.ts';
import { createLab, type HostPlace, JsonEvents, type Lab } from '../natlab/index.ts';
import type { LoadOptions, LoadReport } from './load.ts';

const REDIS_PASSWORD = 'not for the logs';
/** One address registers for hundreds here. */
const LIMITS = ['addressBurst=100000', 'addressIds=100000', 'maxConnectionsPerAddress=5000'];

const NODES = ['node1', 'node2', 'node3'] as const;
const RELAYS = ['relay1', 'relay2'] as const;
export type ServerName = (typeof NODES)[number] | (typeof RELAYS)[number];

export class ClusterWorld {
  readonly lab: Lab;
  readonly key: string;
  readonly redis: TestRedis;
  readonly #secret: string;
  readonly #servers = new Map<ServerName, CliProcess>();

  private constructor(lab: Lab, redis: TestRedis, secret: string, key: string) {
    this.lab = lab;
    this.redis = redis;
    this.#secret = secret;
    this.key = key;
  }

  /** Everything runs; `hosts` are further ones, for real peers. */
  static async create(hosts: Record<string, HostPlace> = {}): Promise<ClusterWorld> {
    await initCrypto();
    const open = Object.fromEntries([...NODES, ...RELAYS, 'redis', 'load'].map((name) => [name, 'open' as const]));
    const lab = await createLab({ hosts: { ...open, ...hosts } });
    try {
      const place = lab.host('redis');
      const redis = await TestRedis.start({
        ...{ host: place.address, port: 6379, password: REDIS_PASSWORD, reachable: false },
        spawn: (command, args) => place.spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] }),
      });
      const pair = signKeyPair();
      const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
      const world = new ClusterWorld(lab, redis, text(pair.secretKey), text(pair.publicKey));
      await Promise.all([...NODES, ...RELAYS].map((name) => world.start(name)));
      return world;
    } catch (error) {
      await lab.destroy();
      throw error;
    }
  }

  async destroy(): Promise<void> {
    await this.lab.destroy();
    await this.redis.close();
  }

  server(name: ServerName): CliProcess {
    const server = this.#servers.get(name);
    if (!server) throw new Error(`${name} does not run`);
    return server;
  }

  /** Everything that servers have written, for a look at what must not be in it. */
  get said(): string {
    return [...this.#servers.values()].map((server) => server.stderr + JSON.stringify(server.events)).join('\n');
  }

  /** Starts it on its old data. */
  async start(name: ServerName): Promise<void> {
    const host = this.lab.host(name);
    const data = join(this.lab.directory, name);
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'id_ed25519'), this.#secret, { mode: 0o600 });
    const password = join(this.lab.directory, 'redis-password');
    writeFileSync(password, REDIS_PASSWORD, { mode: 0o600 });
    const isRelay = RELAYS.some((relay) => relay === name);
    const server = new CliProcess(host, [
      ...['server', '--data', data, '--bind', host.address],
      ...['--store', `redis://${this.lab.host('redis').address}?password-file=${password}`],
      ...(isRelay ? ['--relay-only'] : ['--relay-port', '0']),
      ...LIMITS.flatMap((limit) => ['--limit', limit]),
    ]);
    this.#servers.set(name, server);
    await server.waitFor('ready', { timeoutMs: 90_000 });
  }

  /** As kill -9. */
  async kill(name: ServerName): Promise<void> {
    await this.server(name).stop('SIGKILL');
  }

  /** Pids of relays whose connections from the load are many: the one in use. */
  async relayInUse(): Promise<(typeof RELAYS)[number]> {
    const counts = await Promise.all(
      RELAYS.map(async (name) => {
        const shown = await this.lab.host(name).run('ss', ['-Htn', 'state', 'established', 'sport', '=', ':21117']);
        return shown.stdout.split('\n').length;
      }),
    );
    return (counts[0] ?? 0) >= (counts[1] ?? 0) ? RELAYS[0] : RELAYS[1];
  }

  /** Starts the load; resolves once all its peers are registered. */
  async load(options: Omit<LoadOptions, 'nodes' | 'key' | 'peerHost' | 'askerHost'>): Promise<Load> {
    const host = this.lab.host('load');
    const second = '203.0.113.250';
    const { code, stderr } = await host.run('sh', ['-c', `ip addr add ${second}/24 dev $(ip -o route get 203.0.113.1 | sed 's/.* dev \\([^ ]*\\).*/\\1/')`]);
    if (code !== 0) throw new Error(`no second address: ${stderr}`);
    const all: LoadOptions = {
      ...options,
      nodes: NODES.map((name) => ({ host: this.lab.host(name).address, port: 21116 })),
      ...{ key: this.key, peerHost: host.address, askerHost: second },
    };
    const child = host.spawn(process.execPath, [join(import.meta.dirname, 'load.ts'), JSON.stringify(all)]);
    const load = new Load(child);
    await load.waitFor('ready', { timeoutMs: 90_000 });
    return load;
  }
}

class Load extends JsonEvents {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    super(child);
    this.#child = child;
  }

  mark(name: string): void {
    this.#child.stdin?.write(`mark ${name}\n`);
  }

  /** Ends it and gives its report. */
  async end(): Promise<LoadReport> {
    this.#child.stdin?.write('end\n');
    return (await this.waitFor('report', { timeoutMs: 120_000 })) as unknown as LoadReport;
  }
}
