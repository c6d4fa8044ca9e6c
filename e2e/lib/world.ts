import { join } from 'node:path';
import { createLab, type HostPlace, type Lab, type LabOptions } from '../natlab/index.ts';
import { CliProcess, type CliEvent, type CliResult } from './cli-process.ts';

export const PASSWORD = 'correct horse battery';

/** A lab with a LiteDesk server on its host `server`, and peers and connections as separate processes. */
export class World {
  readonly lab: Lab;
  #server: CliProcess | undefined;
  #key = '';
  #invite = '';
  #serial = 0;

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  /** `serverArgs`: what the server is started with; a function gets the lab's directory to put files in. */
  static async create(
    hosts: Record<string, HostPlace>,
    serverArgs: readonly string[] | ((directory: string) => readonly string[]) = [],
    options: Pick<LabOptions, 'ipv6' | 'segment'> = {},
  ): Promise<World> {
    const world = new World(await createLab({ hosts: { server: 'open', ...hosts }, ...options }));
    try {
      await world.startServer(typeof serverArgs === 'function' ? serverArgs(world.lab.directory) : serverArgs);
      return world;
    } catch (error) {
      await world.lab.destroy();
      throw error;
    }
  }

  get server(): CliProcess {
    if (this.#server === undefined) throw new Error('the server does not run');
    return this.#server;
  }

  get key(): string {
    return this.#key;
  }

  get invite(): string {
    return this.#invite;
  }

  get serverAddress(): string {
    return this.lab.host('server').address;
  }

  /** Starts the server on its old data, so that it has the same key after a restart. */
  async startServer(args: readonly string[] = []): Promise<CliEvent> {
    const data = join(this.lab.directory, 'server');
    this.#server = new CliProcess(this.lab.host('server'), ['server', '--data', data, ...args]);
    const ready = await this.#server.waitFor('ready');
    this.#key = String(ready['key']);
    this.#invite = String(ready['invite']);
    return ready;
  }

  /** The options that name this server. */
  get serverArgs(): string[] {
    return ['--server', this.serverAddress, '--key', this.#key];
  }

  /** Starts a peer that shares `name`, waits until it is registered and gives its ID. */
  async startHost(name: string, args: readonly string[] = []): Promise<{ id: string; natType: string; process: CliProcess }> {
    const process = new CliProcess(this.lab.host(name), [
      ...['host', '--data', join(this.lab.directory, `host-${name}`), '--password', PASSWORD],
      ...(args.includes('--server') ? [] : this.serverArgs),
      ...args,
    ]);
    const registered = await process.waitFor('registered');
    return { id: String(registered['id']), natType: String(registered['natType']), process };
  }

  /** Starts `litedesk connect` on that host, with a new identity each time. */
  startConnect(name: string, id: string, args: readonly string[] = []): CliProcess {
    this.#serial += 1;
    return new CliProcess(this.lab.host(name), [
      ...['connect', id, '--data', join(this.lab.directory, `connect-${this.#serial}`)],
      ...(args.includes('--password') ? [] : ['--password', PASSWORD]),
      ...(args.includes('--server') ? [] : this.serverArgs),
      ...args,
    ]);
  }

  /** The same, to its end. */
  async connect(name: string, id: string, args: readonly string[] = [], timeoutMs = 60_000): Promise<CliResult> {
    return this.startConnect(name, id, args).finished(timeoutMs);
  }
}

/** The path that a finished connection took in the end; native peers start by the relay and move on. */
export function finalPath(result: CliResult): string {
  const moves = result.events.filter(({ event }) => event === 'path-changed');
  return String(moves.at(-1)?.['to'] ?? eventOf(result, 'connected')['path']);
}

/** Waits until a running connection goes a direct way, and gives that. */
export async function directPath(connection: CliProcess): Promise<string> {
  const { path } = await connection.waitFor('connected');
  if (path !== 'relay') return String(path);
  return String((await connection.waitFor('path-changed', { where: ({ to }) => to !== 'relay' }))['to']);
}

/** The one event of that name; fails loudly with everything said when there is none. */
export function eventOf(result: CliResult, event: string): CliEvent {
  const found = result.events.find((candidate) => candidate.event === event);
  if (found === undefined) throw new Error(`no ${event} in ${JSON.stringify(result.events)}\n${result.stderr}`);
  return found;
}
