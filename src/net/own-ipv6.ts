/** The IPv6 address under which others reach this machine (rendezvous §10.5). */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** A place far away: nothing is sent there, the system only tells from which address it would. */
const FAR = { host: '2001:4860:4860::8888', port: 9 } as const;

/** 2000::/3, what is routed in the Internet. */
export function isGlobalIPv6(host: string): boolean {
  return isIPv6(host) && /^[23][0-9a-f]{3}:/i.test(host);
}

/** The address, or null where there is none. Asks nobody: behind IPv6 there is no address translation worth the name. */
export async function ownIPv6(): Promise<string | null> {
  const known = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((entry) => entry.family === 'IPv6' && !entry.internal && isGlobalIPv6(entry.address))
    .map((entry) => entry.address);
  const [first] = known;
  if (first === undefined || known.length === 1) return first ?? null;
  const chosen = await sourceTowards(FAR);
  return chosen !== null && known.includes(chosen) ? chosen : first;
}

/** From which address of ours the system would send to `target`, without sending anything; null: there is no way. */
export async function sourceTowards(target: { host: string; port: number }): Promise<string | null> {
  const socket = createSocket(isIPv6(target.host) ? 'udp6' : 'udp4');
  try {
    return await new Promise<string | null>((resolve) => {
      socket.once('error', () => resolve(null));
      socket.connect(target.port, target.host, (error?: Error) => resolve(error ? null : socket.address().address));
    });
  } finally {
    socket.close();
  }
}
