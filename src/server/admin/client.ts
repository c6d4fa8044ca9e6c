/** Asks a running server on this computer through its admin socket. */
import { connect } from 'node:net';
import { type ErrorData, LiteDeskError } from '../../core/errors.ts';
import { type AdminAddress, adminAddress } from './address.ts';
import type { AdminAnswer } from './registry.ts';

/**
 * Sends one command to the server that has this data folder.
 * @throws LiteDeskError ADMIN_NOT_RUNNING, ADMIN_NO_ANSWER, or what the server says
 */
export async function callAdmin(dataDir: string, words: readonly string[], signal: AbortSignal): Promise<AdminAnswer> {
  let address: AdminAddress;
  try {
    address = adminAddress(dataDir);
  } catch (cause) {
    throw notRunning(dataDir, cause);
  }
  const text = await exchange(address, dataDir, `${JSON.stringify({ words })}\n`, signal).finally(() => address.release());
  let reply: ({ ok: true } & AdminAnswer) | { ok: false; error: ErrorData };
  try {
    reply = JSON.parse(text) as typeof reply;
  } catch (cause) {
    throw noAnswer(cause);
  }
  if (!reply.ok) throw new LiteDeskError(reply.error);
  return reply;
}

function exchange(address: AdminAddress, dataDir: string, request: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let connected = false;
    let text = '';
    const socket = connect({ path: address.path, signal });
    socket.setEncoding('utf8');
    socket.on('connect', () => {
      connected = true;
      socket.write(request);
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', (cause) => reject(connected ? noAnswer(cause) : notRunning(dataDir, cause)));
    socket.on('close', () => resolve(text));
  });
}

function notRunning(dataDir: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'ADMIN_NOT_RUNNING',
      stage: 'server',
      message: `No server of yours runs on the data folder ${dataDir}.`,
      hint: 'Give the --data of the running server, and run this as the same user (or root).',
    },
    { cause },
  );
}

function noAnswer(cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'ADMIN_NO_ANSWER',
      stage: 'server',
      message: 'The server did not answer.',
      hint: 'It may have been stopped just now; see its log.',
    },
    { cause },
  );
}
