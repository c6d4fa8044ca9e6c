/** A host behind one NAT, a controller behind another, and a computer with services in the network of the host. */
import { join } from 'node:path';
import { CliProcess } from '../lib/cli-process.ts';
import { PASSWORD, World } from '../lib/world.ts';
import type { FinishedCommand, HostPlace, LabHost } from '../natlab/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export class TunnelWorld {
  readonly world: World;
  #serial = 0;

  private constructor(world: World) {
    this.world = world;
  }

  static async create(nat: HostPlace = 'port-restricted', serverArgs: Parameters<typeof World.create>[1] = []): Promise<TunnelWorld> {
    return new TunnelWorld(await World.create({ b: nat, nas: { behind: 'b' }, a: nat }, serverArgs));
  }

  /** Where the commands under test run. */
  get near(): LabHost {
    return this.world.lab.host('a');
  }
  /** The computer with the services, in the network of the host. */
  get nas(): LabHost {
    return this.world.lab.host('nas');
  }

  /** `litedesk forward` or `proxy` at the near side, with an identity of its own. */
  start(command: 'forward' | 'proxy', id: string, args: readonly string[], password = PASSWORD, env: Record<string, string> = {}): CliProcess {
    this.#serial += 1;
    return new CliProcess(this.near, [
      ...[command, id, '--data', join(this.world.lab.directory, `${command}-${this.#serial}`)],
      ...['--password', password, ...this.world.serverArgs, ...args],
    ], { env });
  }

  /** Runs a program at the near side. */
  async run(command: string, args: readonly string[], options: { env?: Record<string, string>; timeoutMs?: number } = {}): Promise<FinishedCommand> {
    return await this.near.run(command, args, { ...options, cwd: ROOT });
  }

  /** The same in a shell. */
  async shell(script: string): Promise<FinishedCommand> {
    return await this.run('bash', ['-c', script]);
  }

  async destroy(): Promise<void> {
    await this.world.lab.destroy();
  }
}

/** Waits until all ports listen; answers them by target, `tcp:host:port`. */
export async function listeningPorts(process: CliProcess, count: number): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  while (ports.size < count) {
    const found = await process.waitFor('listening', { where: (event) => !ports.has(String(event['target'])) });
    ports.set(String(found['target']), Number(found['port']));
  }
  return ports;
}
