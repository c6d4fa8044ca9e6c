/** The way to a computer whose address is known, without a server in between. */
import { PAYLOAD_LIMITS } from '../core/link.ts';
import type { HostPort } from '../core/wire/index.ts';
import { dialTcp, formatHostPort, plainSecured, TcpLink } from '../net/index.ts';
import type { PeerConnection } from './connect-options.ts';
import { aborted, directIsPlaintext, directUnreachable } from './errors.ts';

const DIRECT_CONNECT_TIMEOUT_MS = 6_000;

/** Dials an address (rendezvous §11.7): no key exchange exists there, so the user must have allowed plain text. */
export async function connectAddress(
  address: HostPort,
  options: { allowPlaintext: boolean; signal: AbortSignal },
): Promise<PeerConnection> {
  const started = performance.now();
  const name = formatHostPort(address);
  if (!options.allowPlaintext) throw directIsPlaintext(name);
  try {
    const socket = await dialTcp({ ...address, timeoutMs: DIRECT_CONNECT_TIMEOUT_MS, signal: options.signal });
    const ms = Math.round(performance.now() - started);
    return {
      link: plainSecured(new TcpLink(socket, { maxPayload: PAYLOAD_LIMITS.login })),
      path: 'direct',
      attempts: [{ path: 'direct', outcome: 'ok', ms, reason: '' }],
      elapsedMs: ms,
      further: null,
    };
  } catch (cause) {
    if (options.signal.aborted) throw aborted();
    throw directUnreachable(name, cause);
  }
}
