/** How a peer comes from a key of its server that it knows to the present one: by statements that the older keys signed. */
import { followKeyStatements, keyId } from '../core/crypto/index.ts';
import type { HostPort } from '../core/wire/index.ts';
import { formatHostPort } from '../net/index.ts';
import { RendezvousConnection } from './rendezvous-client.ts';
import { routeTo } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';

const ANSWER_TIMEOUT_MS = 4_000;

/**
 * The server's present key in base64, or null when nothing that was signed with `server.key` leads there. Errors:
 * SERVER_REFUSED, SERVER_UNREACHABLE, ABORTED.
 */
export async function followServerKey(address: HostPort, server: ServerAddress, signal: AbortSignal): Promise<string | null> {
  const known = new Uint8Array(Buffer.from(server.key, 'base64'));
  if (known.length !== 32) return null;
  const serverName = formatHostPort(server);
  const connection = await RendezvousConnection.open({ address, serverName, route: routeTo(server, 'id'), signal });
  try {
    connection.send({ serverKeyRequest: { serverKeyId: keyId(server.key) } });
    const answer = (await connection.receive(ANSWER_TIMEOUT_MS, signal))?.serverKeyResponse;
    const key = followKeyStatements(answer?.statements ?? [], known, Date.now() / 1000);
    return key && Buffer.from(key).toString('base64');
  } finally {
    connection.destroy();
  }
}
