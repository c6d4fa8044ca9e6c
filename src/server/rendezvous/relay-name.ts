/** How the built-in relay is named to clients (rendezvous §6.11, §9.2b). */
import type { Client, UdpPath } from '../client.ts';
import type { RendezvousOptions } from './options.ts';

type Naming = Pick<RendezvousOptions, 'port' | 'relayPort' | 'singlePort' | 'publicHost' | 'publicPort'>;

/**
 * The relay that both are told. '' lets each take the port behind ours at the host that it knows us by, which is right on
 * the classic ports. Where one of the two came by the single port nothing else may be open to it, and the name is said:
 * with our public name, or the address at which one of them reached us without a proxy.
 */
export function builtInRelay(
  options: Naming,
  peer: { readonly client: Client | null; readonly path: UdpPath | null },
  client: Client,
): string {
  const { port, relayPort, singlePort, publicHost, publicPort } = options;
  const ends = [peer.client ?? peer.path, client];
  const single = singlePort > 0 && (relayPort === 0 || ends.some((end) => end?.localPort === singlePort));
  if (!single && (relayPort === 0 || relayPort === port + 1)) return '';
  const host = publicHost || ends.find((end) => end && end.localHost !== '' && !behindProxy(end))?.localHost;
  return host ? formatRelay(host, single ? ((publicHost && publicPort) || singlePort) : relayPort) : '';
}

/**
 * A controlled computer that was told no relay, or does not listen to us, names the port behind the one that it registered
 * at. In one-port mode nothing is there; the relay is where it registered.
 */
export function repairRelay(options: Naming, named: string): string {
  const { relayPort, singlePort, publicPort } = options;
  if (singlePort === 0) return named;
  const entry = publicPort ?? singlePort;
  const guess = `:${entry + 1}`;
  if (relayPort === entry + 1 || !named.endsWith(guess)) return named;
  return `${named.slice(0, -guess.length)}:${entry}`;
}

function behindProxy(end: Client | UdpPath): boolean {
  return 'remote' in end && end.remote.port === 0;
}

function formatRelay(host: string, port: number): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;
}
