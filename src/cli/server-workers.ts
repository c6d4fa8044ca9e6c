/** `litedesk server --workers N`: the primary and its workers are this same command. */
import { LiteDeskError } from '../core/errors.ts';
import { systemClock } from '../core/clock.ts';
import { Primary, WORKER_VARIABLE, type WorkerReport } from '../server/cluster/primary.ts';
import { isRedisUrl } from '../server/cluster/redis-url.ts';
import { portSharing, processChannel, WorkerDirectory } from '../server/cluster/worker.ts';
import { configError, type ServerConfig } from '../server/config.ts';
import type { NumbersChannel } from '../server/observe/numbers.ts';
import { type RunningServer, type ServerLog, type ServerOptions, startServer } from '../server/index.ts';
import { sqliteModule } from '../server/sqlite-store.ts';

/** What is told about a server that runs. */
export type ServerFacts = Pick<RunningServer, 'ports' | 'publicKey' | 'invitation' | 'host' | 'statusUrl' | 'enrolment'>;

export interface PrimaryRun {
  readonly argv: readonly string[];
  readonly io: { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal };
  readonly json: boolean;
  readonly config: ServerConfig;
  readonly log: ServerLog;
  readonly announce: (server: ServerFacts) => void;
}

const DEFAULT_PORT = 21116;

/** Which worker this process is; null: none. */
export function workerIndex(env: NodeJS.ProcessEnv): number | null {
  const text = env[WORKER_VARIABLE];
  return text !== undefined && /^\d{1,3}$/.test(text) && process.send !== undefined ? Number(text) : null;
}

/** Runs the workers until `io.signal` aborts. @throws LiteDeskError */
export async function runPrimary({ argv, io, config, log, announce }: PrimaryRun): Promise<number> {
  if (!isRedisUrl(config.store) && sqliteModule() === null)
    throw configError('--workers needs Node 22.12 or newer here, or --store redis://…: the list of computers is one file otherwise.');
  if (portSharing() === 'primary')
    log('warn', 'udp-not-shared', { why: 'this Node cannot share a UDP port; all datagrams go to the first worker. Node 22.12 and newer can.' });
  const { primary, server } = await Primary.start({
    workers: config.workers,
    exec: process.argv[1] ?? '',
    args: ['server', ...argv],
    bind: config.bind,
    port: config.port ?? DEFAULT_PORT,
    clock: systemClock,
    onLog: (event, fields) => log('warn', event, fields),
  });
  announce(server as ServerFacts);
  const reload = (): void => primary.signal('SIGHUP');
  process.on('SIGHUP', reload);
  if (!io.signal.aborted) await new Promise<void>((resolve) => io.signal.addEventListener('abort', () => resolve(), { once: true }));
  process.off('SIGHUP', reload);
  await primary.close();
  return 0;
}

/** Serves as one of several until the primary says stop, or is gone. */
export async function runWorker(index: number, options: ServerOptions, signal: AbortSignal): Promise<number> {
  const channel = processChannel();
  const report = (what: WorkerReport): void => void process.send?.(what);
  let server: RunningServer;
  try {
    const numbers: NumbersChannel = {
      send: (own) => report({ report: 'numbers', numbers: own }),
      onNumbers: (listener) => channel.onWord((word) => word.word === 'numbers' && listener(word.worker, word.numbers)),
    };
    const directory = options.storeUrl === undefined ? { directory: new WorkerDirectory(channel) } : {};
    server = await startServer({ ...options, worker: { index, sharing: portSharing(), numbers, ...directory } });
  } catch (error) {
    const data = error instanceof LiteDeskError ? error.toData() : { message: error instanceof Error ? error.message : String(error) };
    await new Promise<void>((resolve) => process.send?.({ report: 'failed', error: data } satisfies WorkerReport, undefined, undefined, () => resolve()));
    return 1;
  }
  const { ports, publicKey, invitation, host, statusUrl, enrolment } = server;
  report({ report: 'ready', server: { ports, publicKey, invitation, host, statusUrl, enrolment } });
  const reload = (): void => void server.reload();
  process.on('SIGHUP', reload);
  await new Promise<void>((resolve) => {
    const stop = channel.onWord((word) => {
      if (word.word !== 'stop') return;
      stop();
      resolve();
    });
    process.once('disconnect', () => resolve());
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  process.off('SIGHUP', reload);
  await server.close();
  return 0;
}
