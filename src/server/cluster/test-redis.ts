/** A redis-server of its own for a test: started, killed and started again on the same data. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../../test/lib/ports.ts';

/** Why there is none on this machine, or null. */
export function redisUnavailable(): string | null {
  return spawnSync('redis-server', ['--version']).status === 0 ? null : 'redis-server is not installed';
}

export interface TestRedisOptions {
  readonly host?: string;
  readonly password?: string;
  /** Keeps what it acknowledged through its end; default true. */
  readonly durable?: boolean;
  /** Runs it elsewhere, for instance in a network namespace. */
  readonly spawn?: (command: string, args: readonly string[]) => ChildProcess;
  /** Without it a free one is taken. */
  readonly port?: number;
  /** Further words of its command line. */
  readonly args?: readonly string[];
  /** False where this process cannot reach it; then its first line of readiness is waited for. */
  readonly reachable?: boolean;
}

export class TestRedis {
  readonly host: string;
  readonly port: number;
  readonly directory: string;
  readonly #o: TestRedisOptions;
  #child: ChildProcess | undefined;

  private constructor(options: TestRedisOptions, port: number) {
    this.#o = options;
    this.host = options.host ?? '127.0.0.1';
    this.port = port;
    this.directory = mkdtempSync(join(tmpdir(), 'litedesk-redis-'));
  }

  static async start(options: TestRedisOptions = {}): Promise<TestRedis> {
    const redis = new TestRedis(options, options.port ?? (await freePorts()));
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://${this.#o.password ? `:${this.#o.password}@` : ''}${this.host}:${this.port}`;
  }

  async start(): Promise<void> {
    const { password, durable = true, args = [] } = this.#o;
    const words = [
      ...['--port', String(this.port), '--bind', this.host, '--dir', this.directory, '--save', '', '--protected-mode', 'no'],
      ...(durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : []),
      ...(password ? ['--requirepass', password] : []),
      ...args,
    ];
    const child = this.#o.spawn
      ? this.#o.spawn('redis-server', words)
      : spawn('redis-server', words, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (text: Buffer) => {
        said = (said + text.toString()).slice(-4_000);
        if (said.includes('Ready to accept connections')) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server ended: ${said}`)));
    });
    if (this.#o.reachable !== false) await answers(this.host, this.port);
  }

  /** As kill -9. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await ended;
  }

  /** Stops and goes on, as a machine that hangs. */
  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function answers(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
