/**
 * Listens for `litedesk admin` on a socket in the data folder: who may write there owns the server anyway. One JSON line
 * asks, `{"words":["peers","list"]}`, one answers, and the connection ends.
 */
import { chmodSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { LiteDeskError } from '../../core/errors.ts';
import type { ServerLimits } from '../limits.ts';
import { type AdminAddress, adminAddress } from './address.ts';
import type { AdminCommands } from './registry.ts';

export interface AdminSocketOptions {
  readonly dataDir: string;
  readonly commands: AdminCommands;
  readonly limits: ServerLimits;
  readonly clock: Clock;
}

export class AdminSocket {
  readonly #server: Server;
  readonly #options: AdminSocketOptions;
  readonly #address: AdminAddress;
  readonly #sockets = new Set<Socket>();

  private constructor(options: AdminSocketOptions, address: AdminAddress) {
    this.#options = options;
    this.#address = address;
    this.#server = createServer((socket) => this.#onConnection(socket));
    this.#server.maxConnections = options.limits.maxAdminConnections;
  }

  /** @throws when the socket cannot be made, or another server has this data folder (EADDRINUSE) */
  static async open(options: AdminSocketOptions): Promise<AdminSocket> {
    const address = adminAddress(options.dataDir);
    const socket = new AdminSocket(options, address);
    try {
      try {
        await socket.#listen();
      } catch (error) {
        // The file of a server that was killed is in the way: nobody answers there.
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !address.file || (await answers(address.path))) throw error;
        unlinkSync(address.file);
        await socket.#listen();
      }
      return socket;
    } catch (error) {
      address.release();
      throw error;
    }
  }

  /** Ends the connections and removes the file. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    // Node removes the file by the path it was given, which therefore must lead there until now.
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#address.release();
  }

  async #listen(): Promise<void> {
    const { path, file } = this.#address;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      const mask = withoutOthers();
      // Binds before it returns: at no moment may others open the file.
      this.#server.listen(path, () => {
        this.#server.off('error', reject);
        resolve();
      });
      mask();
    });
    // Errors of a listening socket concern single connections.
    this.#server.on('error', () => {});
    if (file !== null) chmodSync(file, 0o600);
  }

  #onConnection(socket: Socket): void {
    const { limits, clock, commands } = this.#options;
    this.#sockets.add(socket);
    const cancel = clock.setTimer(limits.adminRequestMs, () => socket.destroy());
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      cancel();
      this.#sockets.delete(socket);
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (text.length > limits.maxAdminRequestBytes) return void socket.destroy();
      if (end < 0) return;
      socket.removeAllListeners('data').resume();
      void answer(commands, text.slice(0, end)).then((line) => socket.end(`${line}\n`));
    });
  }
}

async function answer(commands: AdminCommands, request: string): Promise<string> {
  try {
    const words = (JSON.parse(request) as { words?: unknown }).words;
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) return failure(new Error('no words'));
    return JSON.stringify({ ok: true, ...(await commands.run(words)) });
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): string {
  const known = error instanceof LiteDeskError ? error : unexpected(error);
  return JSON.stringify({ ok: false, error: known.toData() });
}

function unexpected(cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'ADMIN_FAILED',
      stage: 'server',
      message: `The server could not do that: ${cause instanceof Error ? cause.message : String(cause)}.`,
      hint: 'Check that the data folder can be written and the disk is not full; the log of the server may say more.',
    },
    { cause },
  );
}

/** New files are for their owner only until the returned function is called; a worker thread cannot say so. */
function withoutOthers(): () => void {
  try {
    const before = process.umask(0o177);
    return () => void process.umask(before);
  } catch {
    return () => {};
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.on('connect', () => done(true)).on('error', () => done(false));
  });
}
