import { connect, isIP, isIPv6, type Socket } from 'node:net';
import type { Stage } from '../core/errors.ts';
import { formatHostPort, resolveHost } from './endpoint.ts';
import { abortError, dialError, dialTimeout } from './errors.ts';

export { TcpLink, type TcpLinkOptions } from './tcp-link.ts';

export interface DialOptions {
  /** A name or an IP literal; of a name every address is tried. */
  host: string;
  port: number;
  /** Local address and port to dial from. Only addresses of the same family are dialled. */
  localAddress?: string;
  localPort?: number;
  /**
   * The local port must serve again for other dials or a listener while or after this socket lives: it is then bound
   * explicitly, which the first user of a port must do (rendezvous §12.1).
   */
  reusable?: boolean;
  /**
   * Dial an address that has not answered once more beside the first try, up to this often: a lost SYN is repeated by the system
   * only after a second. Not with a local port.
   */
  repeats?: number;
  /** For the whole of it, names included. Without one the system's own limit of about two minutes stands. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Stage of the errors thrown. Default `server`. */
  stage?: Stage;
}

/** When an address has not answered for this long the next one is tried beside it. */
const NEXT_ADDRESS_MS = 250;
const KEEP_ALIVE_MS = 30_000;

/**
 * Connects over TCP, with TCP_NODELAY and keep-alive. The first address that answers wins, the others are cut.
 * Throws LiteDeskError TCP_REFUSED, TCP_TIMEOUT, TCP_UNREACHABLE, TCP_LOCAL_PORT, TCP_RESET, TCP_FAILED (the system's error
 * is the cause), DNS_FAILED or ABORTED.
 */
export async function dialTcp(options: DialOptions): Promise<Socket> {
  const { host, port, timeoutMs, signal, stage = 'server' } = options;
  const target = formatHostPort({ host, port });
  if (signal?.aborted) throw abortError(signal, stage);
  const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  let addresses = [host];
  if (!isIP(host)) {
    addresses = await resolveHost(host, { signal, ...(timeoutMs !== undefined && { timeoutMs }) });
    const family = isIP(options.localAddress ?? '');
    if (family) addresses = addresses.filter((address) => isIP(address) === family);
    // A port that was chosen can serve one connection at a time.
    if (options.localPort) addresses = addresses.slice(0, 1);
  }
  // Those that refuse are not asked again.
  const refused = new Set<string>();
  if (!options.localPort) addresses = Array.from({ length: 1 + (options.repeats ?? 0) }, () => addresses).flat();
  return await new Promise<Socket>((resolve, reject) => {
    const dialling = new Set<Socket>();
    const timers = new Set<NodeJS.Timeout>();
    let next = 0;
    let lastError: unknown = Object.assign(new Error('no address of this family'), { code: 'ENETUNREACH' });
    const settle = (done: () => void): void => {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      for (const socket of dialling)
        socket
          .removeAllListeners()
          .on('error', () => {})
          .destroy();
      done();
    };
    const onAbort = (): void => settle(() => reject(abortError(signal as AbortSignal, stage)));
    const dialNext = (): void => {
      while (refused.has(addresses[next] ?? '')) next++;
      const address = addresses[next++];
      if (address === undefined) {
        if (dialling.size === 0) settle(() => reject(dialError(lastError, target, stage)));
        return;
      }
      let socket: Socket;
      try {
        socket = connect({
          host: address,
          port,
          ...localEnd(address, options),
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_MS,
        });
      } catch (error) {
        lastError = error;
        refused.add(address);
        return dialNext();
      }
      dialling.add(socket);
      socket.once('connect', () => {
        dialling.delete(socket);
        // A reset may come before the new owner listens, and an error that nobody hears ends the process.
        socket.removeAllListeners('error').on('error', () => {});
        settle(() => resolve(socket));
      });
      socket.once('error', (error) => {
        lastError = error;
        refused.add(address);
        dialling.delete(socket);
        dialNext();
      });
      if (next < addresses.length) timers.add(setTimeout(dialNext, NEXT_ADDRESS_MS));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    if (deadline !== undefined)
      timers.add(
        setTimeout(
          () => settle(() => reject(dialTimeout(target, stage))),
          Math.max(0, deadline - performance.now()),
        ),
      );
    dialNext();
  });
}

function localEnd(address: string, options: DialOptions): { localAddress?: string; localPort?: number } {
  const { localPort, reusable } = options;
  const any = isIPv6(address) ? '::' : '0.0.0.0';
  const localAddress = options.localAddress ?? (reusable || localPort ? any : undefined);
  return { ...(localAddress && { localAddress }), ...(localPort && { localPort }) };
}
