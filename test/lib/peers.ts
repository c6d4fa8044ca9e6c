/** For tests: our peers at our servers, in one folder that goes away with them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/index.ts';
import { Peer } from '../../src/peer/peer.ts';
import { parseServer } from '../../src/peer/server-address.ts';

export class PeerLab {
  readonly dir = mkdtempSync(join(tmpdir(), 'litedesk-peers-'));
  readonly #servers = new Set<RunningServer>();
  readonly #peers = new Set<Peer>();

  /** A server with all ports chosen by the system; its data are in the folder of this name. */
  async server(name: string, options: Partial<ServerOptions> = {}): Promise<RunningServer> {
    const dataDir = join(this.dir, name);
    const server = await startServer({ dataDir, bind: '127.0.0.1', ports: { rendezvous: -1 }, ...options });
    this.#servers.add(server);
    return server;
  }

  async closeServer(server: RunningServer): Promise<void> {
    this.#servers.delete(server);
    await server.close();
  }

  /** A peer with the data in the folder of this name, not started yet. */
  async peer(name: string, server: string, options: { key?: string; password?: string } = {}): Promise<Peer> {
    const peer = await Peer.open({
      dataDir: join(this.dir, name),
      desktop: null,
      overrides: {
        server: parseServer(server, options.key),
        permanentPassword: options.password ?? 'secret',
        share: true,
      },
    });
    this.#peers.add(peer);
    return peer;
  }

  async end(): Promise<void> {
    for (const peer of this.#peers) await peer.stop();
    for (const server of this.#servers) await server.close();
    rmSync(this.dir, { recursive: true });
  }
}

/** Starts a peer and tells how its registration ended. */
export function registered(peer: Peer): Promise<string> {
  return new Promise((resolve) => {
    peer.on('registered', () => resolve('registered'));
    peer.on('offline', ({ code, message }) => resolve(`${code}: ${message}`));
    peer.start();
  });
}

/** Connects and logs in; `opened`, or the code with which that ended. */
export async function session(from: Peer, id: string, password: string): Promise<string> {
  const { session: opening } = await from.connect(id, {
    signal: AbortSignal.timeout(10_000),
    password,
    video: false,
  });
  const result = await new Promise<string>((resolve) => {
    opening.on('opened', () => resolve(opening.hostProven ? 'opened, host proven' : 'opened'));
    opening.on('password-needed', ({ error }) => resolve(error.code));
    opening.on('closed', ({ error }) => resolve(error?.code ?? 'closed'));
    opening.start();
  });
  opening.close();
  return result;
}
