/** The server that this app hosts for the local network when the user asks for it. */
import { startServer } from '../server/index.ts';
import type { RunningServer } from '../server/index.ts';
import type { HomeState } from '../shared/ipc.ts';

export class HostedServer {
  readonly #dataDir: string;
  readonly #log: (line: string) => void;
  readonly #listeners = new Set<() => void>();
  #running: Promise<RunningServer> | null = null;
  #server: RunningServer | null = null;

  constructor(dataDir: string, log: (line: string) => void) {
    this.#dataDir = dataDir;
    this.#log = log;
  }

  get state(): HomeState['hostedServer'] {
    const server = this.#server;
    if (!server) return null;
    const host = server.host.includes(':') ? `[${server.host}]` : server.host;
    return { address: `${host}:${server.ports.rendezvous}`, key: server.publicKey, invitation: server.invitation };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts it, or gives the running one. Errors: those of startServer. */
  async start(): Promise<{ host: string; port: number; key: string }> {
    this.#running ??= startServer({
      dataDir: this.#dataDir,
      log: (level, event, fields) => {
        if (level === 'warn') this.#log(`server: ${event} ${JSON.stringify(fields)}`);
      },
    });
    try {
      this.#server = await this.#running;
    } catch (error) {
      this.#running = null;
      throw error;
    }
    this.#changed();
    return { host: this.#server.host, port: this.#server.ports.rendezvous, key: this.#server.publicKey };
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.#running = null;
    if (!server) return;
    await server.close();
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
