/** Forwarding through a stock peer: one login for each connection, raw bytes after it (session §7). */
import type { Socket } from 'node:net';
import { type Duplex, pipeline, Transform } from 'node:stream';
import { type ErrorData, LiteDeskError } from '../../core/errors.ts';
import { systemClock } from '../../core/clock.ts';
import type { Connected, ConnectOptions, Peer } from '../peer.ts';
import { breakSocket } from '../../net/join.ts';
import { loginUnanswered } from './errors.ts';
import { LOGIN_TIMEOUT_MS, STOCK_QUIET_MS } from './limits.ts';

/** A pipeline that has a socket at both of its ends listens more than ten times. */
const PIPELINE_LISTENERS = 32;

export interface StockForwardOptions {
  readonly peer: Pick<Peer, 'connect'>;
  readonly target: string;
  readonly connect: Omit<ConnectOptions, 'signal' | 'kind' | 'portForward' | 'onRawMode' | 'video'>;
  readonly host: string;
  readonly port: number;
  /** Not read before the login, so what it sends meanwhile waits in the system and goes first (§7.7). */
  readonly socket: Socket;
  readonly signal: AbortSignal;
  /** Logged in; from here on the bytes are not encrypted by this wire (§7.4). */
  readonly onConnected: (connection: Connected) => void;
}

/** Resolves when the connection is over. Throws LiteDeskError when it does not come about. */
export async function stockForward(options: StockForwardOptions): Promise<void> {
  const { peer, target, connect, host, port, socket, signal, onConnected } = options;
  let startRaw: () => void = () => {};
  const connection = await peer.connect(target, {
    ...connect,
    signal,
    kind: 'port-forward',
    portForward: { host, port },
    video: false,
    onRawMode: () => startRaw(),
  });
  const { session, firstLink } = connection;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      cancel();
      // First: closing the session is reported, too, and says less.
      reject(error);
      session.close();
    };
    let needed: ErrorData | null = null;
    const cancel = systemClock.setTimer(LOGIN_TIMEOUT_MS, () => fail(needed ? new LiteDeskError(needed) : loginUnanswered()));
    // Within the event: what follows the last frame is raw already.
    startRaw = (): void => {
      cancel();
      const raw = firstLink.takeRaw();
      onConnected(connection);
      socket.setMaxListeners(PIPELINE_LISTENERS);
      // Before the pipeline ends it as if all was well.
      raw.once('error', () => breakSocket(socket));
      pipeline(raw, socket, lateEnd(socket, raw), raw, () => {
        resolve();
        session.close();
      });
    };
    session.on('password-needed', ({ reason, error }) => {
      if (reason === 'wrong' || reason === '2fa') fail(new LiteDeskError(error));
      else needed = error;
    });
    session.on('closed', ({ error }) => fail(error ? new LiteDeskError(error) : loginUnanswered()));
    signal.addEventListener('abort', () => fail(signal.reason as Error), { once: true });
    session.start();
  });
}

/**
 * Passes the end of what `socket` sends on when nothing comes back any more: a stock host takes it for the end of both
 * directions (session §7.8), and the rest of its answer would be lost.
 */
function lateEnd(socket: Socket, raw: Duplex): Transform {
  let cancel = (): void => {};
  return new Transform({
    transform: (chunk, _encoding, done) => done(null, chunk),
    flush: (done) => {
      const end = (): void => {
        cancel();
        raw.off('end', end);
        done();
      };
      const look = (received: number): void => {
        if (socket.bytesWritten === received) end();
        else cancel = systemClock.setTimer(STOCK_QUIET_MS, () => look(socket.bytesWritten));
      };
      raw.once('end', end);
      if (raw.readableEnded) end();
      else look(-1);
    },
    destroy: (error, done) => {
      cancel();
      done(error);
    },
  });
}
