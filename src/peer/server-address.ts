/** How a server is named and reached: on the classic ports, or everything on a single one. */
import { LiteDeskError } from '../core/errors.ts';
import { formatHostPort, isPrivateHost, parseHostPort } from '../net/index.ts';
import type { ServerRoute } from '../net/index.ts';
import { type Invitation, parseInvitation } from '../shared/invitation.ts';

export const DEFAULT_RENDEZVOUS_PORT = 21116;
/** Upstream's relay port: the rendezvous port plus one. */
export const DEFAULT_RELAY_PORT = 21117;
/** One web proxy serves both; which of them is open here is what we were told as the server's address. */
const WEB_PORTS: readonly number[] = [80, 443];
const DEFAULT_SINGLE_PORTS = { single: 443, tls: 443, wss: 443, ws: 80 } as const;

/** Everything is on the server's one port. */
export interface SinglePort {
  /** Through TLS. Nobody's certificate is asked for: what counts is signed with the server's key. */
  readonly tls: boolean;
  /** As WebSocket, since a web proxy stands in front. With TLS alone it is found out in the handshake. */
  readonly ws: boolean;
}

export interface ServerAddress {
  /** As the user typed it. */
  readonly host: string;
  readonly port: number;
  /** base64 public key; empty when none is set. */
  readonly key: string;
  /** The invitation's token, by which this computer enrols; a secret. */
  readonly token?: string;
  /** Absent: the classic ports. */
  readonly single?: SinglePort;
}

const SCHEMES: Readonly<Record<string, SinglePort>> = {
  single: { tls: false, ws: false },
  tls: { tls: true, ws: false },
  ws: { tls: false, ws: true },
  wss: { tls: true, ws: true },
};

/**
 * Reads `host[:port]` for the classic ports, `tls://`, `wss://`, `ws://` or `single://` before it for a single one, or an
 * invitation. A `key` that is given goes before the invitation's. Errors: BAD_ADDRESS, INVITATION_BROKEN, INVITATION_TYPO.
 */
export function parseServer(text: string, key?: string): ServerAddress {
  const input = text.trim();
  if (input.toLowerCase().startsWith('litedesk://')) {
    const server = serverOfInvitation(parseInvitation(input));
    return key === undefined ? server : { ...server, key };
  }
  const match = /^([a-z]+):\/\/([^/]*)\/?$/i.exec(input);
  const scheme = match?.[1]?.toLowerCase() ?? '';
  if (!match) return { ...parseHostPort(input, DEFAULT_RENDEZVOUS_PORT), key: key ?? '' };
  const single = SCHEMES[scheme];
  if (!single)
    throw new LiteDeskError({
      code: 'BAD_ADDRESS',
      stage: 'usage',
      message: `“${input.slice(0, 300)}” is not an address.`,
      hint: 'Write host:port, or tls://host for a server that has everything on one port.',
    });
  const port = DEFAULT_SINGLE_PORTS[scheme as keyof typeof DEFAULT_SINGLE_PORTS];
  return { ...parseHostPort(match[2] ?? '', port), key: key ?? '', single };
}

function serverOfInvitation(invitation: Invitation): ServerAddress {
  const { host, port, key, single, tls = false, ws = false, token } = invitation;
  return { host, port, key, ...(token ? { token } : {}), ...(single ? { single: { tls, ws } } : {}) };
}

/** Text from which parseServer() makes the same address again; the key is not in it. */
export function formatServer(server: ServerAddress): string {
  const { single } = server;
  const scheme = single && Object.keys(SCHEMES).find((name) => SCHEMES[name]?.tls === single.tls && SCHEMES[name].ws === single.ws);
  return `${scheme === undefined ? '' : `${scheme}://`}${formatHostPort(server)}`;
}

/** The way to this server's single port; undefined on classic ports. `service` picks the path for web proxies. */
export function routeTo(server: ServerAddress, service: 'id' | 'relay'): ServerRoute | undefined {
  return server.single && { ...server.single, name: server.host, path: `/ws/${service}` };
}

export interface RelayAddress {
  readonly host: string;
  readonly port: number;
  readonly route?: ServerRoute | undefined;
}

/**
 * Where the relay `host[:port]` is that was named to us, with the defaults of rendezvous §9.2b and §9.3. With a single
 * port a relay at the same port is reached in the same way, and the server's own unless another one was named: what a
 * stock peer guesses, or a server behind a router knows of itself, leads nowhere from here.
 */
export function relayAddress(named: string, server: ServerAddress): RelayAddress {
  const { host, port, single } = server;
  if (!single) return named === '' ? { host, port: port + 1 } : parseHostPort(named, DEFAULT_RELAY_PORT);
  const route = routeTo(server, 'relay');
  const own = { host, port, route };
  if (named === '') return own;
  const relay = parseHostPort(named, DEFAULT_RELAY_PORT);
  if (relay.host === host && (relay.port === port + 1 || (WEB_PORTS.includes(port) && WEB_PORTS.includes(relay.port)))) return own;
  if (relay.port !== port) return relay;
  if (relay.host === host || (isPrivateHost(relay.host) && !isPrivateHost(host))) return own;
  // A bare address has no name of its own for certificates and virtual hosts.
  const bare = /^[\d.]+$|:/.test(relay.host);
  return { ...relay, route: route && { ...route, name: bare ? host : relay.host } };
}
