/** The process above the workers: starts them, starts them again, and is the memory that they share (hub.ts). */
import cluster, { type Worker } from 'node:cluster';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { listenError } from '../listen-error.ts';
import { Hub } from './hub.ts';
import type { NodeState } from './directory.ts';
import type { WorkerNumbers } from '../observe/numbers.ts';
import type { PrimaryWord, WorkerCall } from './worker.ts';

/** In the environment of a worker: its index. */
export const WORKER_VARIABLE = 'LITEDESK_WORKER_INDEX';
/** ms before a worker that ended is started again; one that ends at once must not eat the machine. */
const RESTART_MS = 500;
/** ms for the workers to end in order; then they are killed. */
const STOP_MS = 1_200;

/** What a worker says when it serves, or why it does not. */
export type WorkerReport =
  | { readonly report: 'ready'; readonly server: unknown }
  | { readonly report: 'failed'; readonly error: unknown }
  | { readonly report: 'numbers'; readonly numbers: WorkerNumbers };

export interface PrimaryOptions {
  readonly workers: number;
  /** Program and words of a worker. */
  readonly exec: string;
  readonly args: readonly string[];
  /** The rendezvous port and the address it is bound to, to find out whether it is free. */
  readonly bind: string | undefined;
  readonly port: number;
  readonly clock: Clock;
  readonly onLog: (event: string, fields: Record<string, unknown>) => void;
}

export class Primary {
  readonly #o: PrimaryOptions;
  readonly #hub: Hub;
  /** Nodes of each worker, by its process. */
  readonly #nodes = new Map<Worker, string>();
  readonly #timers = new Set<() => void>();
  #first: Worker | undefined;
  #closing = false;

  private constructor(options: PrimaryOptions) {
    this.#o = options;
    this.#hub = new Hub(() => options.clock.now());
  }

  /**
   * Resolves once all workers serve, with what the first one said.
   * @throws LiteDeskError PORT_IN_USE, or what a worker failed with
   */
  static async start(options: PrimaryOptions): Promise<{ primary: Primary; server: unknown }> {
    await refuseTakenPort(options);
    cluster.setupPrimary({ exec: options.exec, args: [...options.args], serialization: 'advanced' });
    const primary = new Primary(options);
    try {
      // The first one makes the key pair and takes over old data; the others find them.
      const server = await primary.#launch(0);
      await Promise.all(Array.from({ length: options.workers - 1 }, (_, i) => primary.#launch(i + 1)));
      return { primary, server };
    } catch (error) {
      await primary.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const cancel of this.#timers) cancel();
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve) => {
            if (worker.isDead()) return resolve();
            const cancel = this.#o.clock.setTimer(STOP_MS, () => worker.process.kill('SIGKILL'));
            worker.once('exit', () => {
              cancel();
              resolve();
            });
            this.#tell(worker, { word: 'stop' });
          }),
      ),
    );
  }

  /** Tells all workers, as an operator would tell a single process. */
  signal(name: NodeJS.Signals): void {
    for (const worker of this.#nodes.keys()) worker.process.kill(name);
  }

  #launch(index: number): Promise<unknown> {
    const worker = cluster.fork({ [WORKER_VARIABLE]: String(index) });
    if (index === 0) this.#first = worker;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: WorkerCall | WorkerReport) => {
        if ('call' in message) return this.#onCall(worker, message);
        if (message.report === 'numbers') return this.#onNumbers(index, message.numbers);
        if (message.report === 'ready') resolve(message.server);
        else reject(message.error instanceof Error ? message.error : asError(message.error));
      });
      worker.on('exit', (code, signal) => {
        const node = this.#nodes.get(worker);
        this.#nodes.delete(worker);
        if (node) this.#hub.leave(node);
        reject(new Error(`worker ${index} ended (${signal || code})`));
        if (this.#closing || !node) return;
        this.#o.onLog('worker-ended', { worker: index, code, signal });
        const cancel = this.#o.clock.setTimer(RESTART_MS, () => {
          this.#timers.delete(cancel);
          if (!this.#closing) this.#relaunch(index);
        });
        this.#timers.add(cancel);
      });
    });
  }

  /** Only the first one serves numbers; it gets those of the others. */
  #onNumbers(worker: number, numbers: WorkerNumbers): void {
    if (this.#first?.isConnected()) this.#tell(this.#first, { word: 'numbers', worker, numbers });
  }

  #relaunch(index: number): void {
    this.#launch(index).catch((error: unknown) => {
      this.#o.onLog('worker-not-started', { worker: index, error: error instanceof Error ? error.message : String(error) });
      if (this.#closing) return;
      const cancel = this.#o.clock.setTimer(RESTART_MS, () => {
        this.#timers.delete(cancel);
        if (!this.#closing) this.#relaunch(index);
      });
      this.#timers.add(cancel);
    });
  }

  #onCall(worker: Worker, call: WorkerCall): void {
    const hub = this.#hub;
    if (call.call === 'describe') {
      if (!this.#nodes.has(worker)) {
        this.#nodes.set(worker, call.state.node);
        hub.join(call.state.node, {
          onMessage: (from, message) => this.#tell(worker, { word: 'message', from, message }),
          onNodes: (nodes: readonly NodeState[]) => this.#tell(worker, { word: 'nodes', nodes }),
        });
      }
      return hub.describe(call.state);
    }
    const node = this.#nodes.get(worker);
    if (node === undefined) return;
    if (call.call === 'broadcast') return hub.broadcast(node, call.message);
    const result = (): unknown => {
      switch (call.call) {
        case 'claim':
          return hub.claim(node, call.claims);
        case 'release':
          return hub.release(node, call.ids);
        case 'holders':
          return hub.holders(call.ids);
        case 'send':
          return hub.send(node, call.node, call.message);
      }
    };
    this.#tell(worker, { word: 'result', ref: call.ref, result: result() });
  }

  #tell(worker: Worker, word: PrimaryWord): void {
    if (worker.isConnected()) worker.send(word, () => {});
  }
}

function asError(data: unknown): Error {
  const { code, stage, message, hint } = (data ?? {}) as Record<string, unknown>;
  if (typeof code === 'string' && typeof message === 'string')
    return new LiteDeskError({ code, stage: stage === 'usage' ? 'usage' : 'server', message, hint: String(hint ?? '') });
  return new Error(String(message ?? data));
}

/** Ports that are shared out by the system let a second server in without a word, so it is looked for here. */
async function refuseTakenPort({ bind, port }: PrimaryOptions): Promise<void> {
  const host = bind ?? '::';
  await new Promise<void>((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(listenError('TCP', host, port, error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
  await new Promise<void>((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error) => reject(listenError('UDP', host, port, error)));
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve()));
  });
}
