/** `forward`: listens here, dials from the other peer. */
import type { Socket } from 'node:net';
import type { ErrorData } from '../../core/errors.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { formatTarget, type MuxStream, StreamResetError, type StreamTarget } from '../../core/mux/index.ts';
import { Connections } from './connections.ts';
import { streamError } from './errors.ts';
import { join } from './join.ts';
import { type ListenAddress, type LocalListener, TcpListener } from './listener.ts';

/** Null: the other side is a stock peer, which has no streams. */
export type OpenStream = (target: StreamTarget, signal: AbortSignal) => Promise<MuxStream | null>;

export interface ForwardOptions {
  readonly address: ListenAddress;
  readonly target: Extract<StreamTarget, { kind: 'tcp' | 'udp' | 'service' }>;
  readonly open: OpenStream;
  /** Joins the socket with a TCP target in the way of stock peers; resolves when both are over. */
  readonly openStock: (socket: Socket, target: StreamTarget, signal: AbortSignal) => Promise<void>;
  /** A connection was refused or broke; not those that ended in order or at the client's wish. */
  readonly onFailure: (error: ErrorData) => void;
}

/** A TCP port of this computer that leads to a TCP target (or a service) of the other one. */
export class TcpForward implements LocalListener {
  readonly connections = new Connections();
  readonly #o: ForwardOptions;
  readonly #listener: TcpListener;

  constructor(options: ForwardOptions) {
    this.#o = options;
    this.#listener = new TcpListener({
      address: options.address,
      onConnection: (socket, client) => void this.#take(socket, client),
    });
  }

  async listen(): Promise<ListenAddress> {
    return await this.#listener.listen();
  }

  async close(): Promise<void> {
    await this.#listener.close();
  }

  async #take(socket: Socket, client: string): Promise<void> {
    const { target, open, onFailure } = this.#o;
    const label = formatTarget(target);
    const abort = new AbortController();
    const end = this.connections.add(client, label, () => ({ bytesOut: socket.bytesRead, bytesIn: socket.bytesWritten }));
    const closed = (): void => abort.abort();
    socket.once('close', closed);
    try {
      const stream = await open(target, abort.signal);
      if (!stream) {
        await this.#o.openStock(socket, target, abort.signal);
        return end(false);
      }
      if (socket.destroyed) {
        stream.reset('cancelled');
        return end(false);
      }
      socket.off('close', closed);
      join(socket, stream, (error) => {
        end(error !== null);
        if (error && error.by !== 'local') onFailure(streamError(error.code, label, reasonOf(error)).toData());
      });
    } catch (error) {
      end(true);
      // The client gave up first.
      if (socket.destroyed) return;
      socket.resetAndDestroy();
      onFailure(failureOf(error, label));
    }
  }
}

/** What a person is told about a connection that could not be made. */
export function failureOf(error: unknown, target: string): ErrorData {
  if (error instanceof LiteDeskError) return error.toData();
  if (error instanceof StreamResetError) return streamError(error.code, target, reasonOf(error)).toData();
  return streamError('internal', target, error instanceof Error ? error.message : String(error)).toData();
}

function reasonOf(error: StreamResetError): string {
  return error.message === error.code ? '' : error.message.replace(`${error.code}: `, '');
}
