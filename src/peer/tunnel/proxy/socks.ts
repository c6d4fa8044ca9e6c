import type { Socket } from 'node:net';
import { LiteDeskError } from '../../../core/errors.ts';
import { type MuxStream, type StreamCode, StreamResetError } from '../../../core/mux/index.ts';
import { formatHostPort } from '../../../net/index.ts';
import { failureOf } from '../forward.ts';
import { join } from '../join.ts';
import { authorised, openReached, type ProxyContext } from './opened.ts';
import { SocksAssociation } from './socks-udp.ts';
import {
  addressLength,
  readAddress,
  SOCKS_COMMAND,
  SOCKS_METHOD,
  SOCKS_REPLY,
  type SocksAddress,
  SocksError,
  writeReply,
} from './socks-wire.ts';

/** Serves one SOCKS5 client, from its first byte on. Never throws; the socket is over when it resolves without a tunnel. */
export async function serveSocks(socket: Socket, client: string, context: ProxyContext, greeted: () => void): Promise<void> {
  const abort = new AbortController();
  socket.once('close', () => abort.abort());
  try {
    const request = await readRequest(socket, context);
    greeted();
    if (!request) return void socket.end();
    if (request.command === SOCKS_COMMAND.associate) return associate(socket, client, context);
    if (request.command !== SOCKS_COMMAND.connect) return void socket.end(writeReply(SOCKS_REPLY.commandNotSupported));
    await connect(socket, client, context, request.address, abort.signal);
  } catch (error) {
    if (!(error instanceof SocksError) && !socket.destroyed) context.onFailure(failureOf(error, 'socks'));
    socket.destroy();
  }
}

/** Null: the client may not go on, and has been told. Throws SocksError. */
async function readRequest(
  socket: Socket,
  context: ProxyContext,
): Promise<{ command: number; address: SocksAddress } | null> {
  const [version = 0, count = 0] = await readBytes(socket, 2);
  if (version !== 5) throw new SocksError(`version ${version}`);
  const methods = await readBytes(socket, count);
  const method = context.auth ? SOCKS_METHOD.password : SOCKS_METHOD.none;
  if (!methods.includes(method)) {
    socket.write(Buffer.from([5, SOCKS_METHOD.unacceptable]));
    return null;
  }
  socket.write(Buffer.from([5, method]));
  if (context.auth && !(await readLogin(socket, context))) return null;
  const [, command = 0, , type = 0, next = 0] = await readBytes(socket, 5);
  let address: SocksAddress;
  try {
    const rest = await readBytes(socket, addressLength(type, next) - 1);
    address = readAddress(type, Buffer.concat([Buffer.from([next]), rest]));
  } catch (error) {
    if (error instanceof SocksError) socket.write(writeReply(SOCKS_REPLY.addressNotSupported));
    throw error;
  }
  return { command, address };
}

/** User and password (RFC 1929). */
async function readLogin(socket: Socket, context: ProxyContext): Promise<boolean> {
  const [version = 0, userLength = 0] = await readBytes(socket, 2);
  if (version !== 1) throw new SocksError('a login of another version');
  const user = (await readBytes(socket, userLength)).toString();
  const [passwordLength = 0] = await readBytes(socket, 1);
  const password = (await readBytes(socket, passwordLength)).toString();
  const right = authorised(context.auth, user, password);
  socket.write(Buffer.from([1, right ? 0 : 1]));
  return right;
}

async function connect(
  socket: Socket,
  client: string,
  context: ProxyContext,
  address: SocksAddress,
  signal: AbortSignal,
): Promise<void> {
  const label = `tcp:${formatHostPort(address)}`;
  const end = context.connections.add(client, label, () => ({ bytesOut: socket.bytesRead, bytesIn: socket.bytesWritten }));
  let stream: MuxStream;
  try {
    if (address.port === 0) throw new SocksError('port 0');
    stream = await openReached(context.open, { kind: 'tcp', ...address }, signal);
  } catch (error) {
    end(true);
    if (socket.destroyed) return;
    socket.end(writeReply(replyOf(error)));
    if (!(error instanceof SocksError)) context.onFailure(failureOf(error, label));
    return;
  }
  socket.write(writeReply(SOCKS_REPLY.succeeded));
  join(socket, stream, (error) => end(error !== null));
}

function associate(socket: Socket, client: string, context: ProxyContext): void {
  const association = new SocksAssociation(socket, context);
  const end = context.connections.add(client, 'udp', () => association.traffic);
  socket.once('close', () => {
    association.close();
    end(false);
  });
  association.listen().then(
    (bound) => socket.write(writeReply(SOCKS_REPLY.succeeded, bound)),
    () => socket.end(writeReply(SOCKS_REPLY.failure)),
  );
  // The association lives as long as this connection; nothing more is said on it.
  socket.on('end', () => socket.destroy());
  socket.resume();
}

const REPLIES: Partial<Record<StreamCode, number>> = {
  'refused-by-rule': SOCKS_REPLY.notAllowed,
  dns: SOCKS_REPLY.hostUnreachable,
  unreachable: SOCKS_REPLY.networkUnreachable,
  refused: SOCKS_REPLY.refused,
  timeout: SOCKS_REPLY.timedOut,
};

function replyOf(error: unknown): number {
  if (error instanceof StreamResetError) return REPLIES[error.code] ?? SOCKS_REPLY.failure;
  return error instanceof LiteDeskError ? SOCKS_REPLY.networkUnreachable : SOCKS_REPLY.failure;
}

/** Exactly so many bytes. Throws SocksError when the client ends before. */
export function readBytes(socket: Socket, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (count === 0) return resolve(Buffer.alloc(0));
    const settle = (done: () => void): void => {
      socket.off('readable', attempt);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      done();
    };
    const onEnd = (): void => settle(() => reject(new SocksError('the client went away')));
    const attempt = (): void => {
      const bytes = socket.read(count) as Buffer | null;
      if (bytes?.length === count) settle(() => resolve(bytes));
      else if (bytes) onEnd();
    };
    socket.on('readable', attempt);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    attempt();
  });
}
