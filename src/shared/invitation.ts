/**
 * The one line that a server's operator hands out: `litedesk://host[:port]?key=KEY#CHECKSUM`. CHECKSUM is the first 8
 * hex digits of SHA-256 over everything before the `#`, so that a line cut short or mistyped says so. `&single=1`: all is
 * on that one port; `&tls=1`: over TLS; `&ws=1`: over WebSocket only; `&token=…`: lets a computer enrol at a server that
 * does not take everybody; `&peer=ID&peerKey=KEY`: a computer at that server, and the key by which it is known. Parameters that are not known are kept, for a newer version that does.
 */
import { createHash } from 'node:crypto';
import { LiteDeskError } from '../core/errors.ts';

export interface Invitation {
  /** Name or IP address, IPv6 without brackets. */
  readonly host: string;
  /** Rendezvous port. */
  readonly port: number;
  /** The server's key as its clients configure it: base64 of 32 bytes, or '' for a server without one. */
  readonly key: string;
  /** Everything is on that one port: the relay too, and no NAT test beside it. */
  readonly single?: boolean;
  /** It is reached over TLS. Whose certificate it is does not matter: the key is the root of trust. */
  readonly tls?: boolean;
  /** Only WebSocket gets through to it, as behind a web proxy. */
  readonly ws?: boolean;
  /** Lets a new computer enrol (core/crypto/enrolment.ts). A secret, as long as it is good. */
  readonly token?: string;
  /** A computer that is found through this server; its key in base64 of 32 bytes, as `litedesk pins` shows it. */
  readonly peer?: { readonly id: string; readonly key: string };
  /** What this version does not know, by name. */
  readonly extra?: Readonly<Record<string, string>>;
}

export const DEFAULT_RENDEZVOUS_PORT = 21116;
/** A line longer than this is something else that was pasted. */
const MAX_LENGTH = 2_048;
const SCHEME = 'litedesk://';
const FLAGS = ['single', 'tls', 'ws'] as const;
const KNOWN: ReadonlySet<string> = new Set(['key', 'token', 'peer', 'peerKey', ...FLAGS]);
/** Parameters that are kept; more is no invitation. */
const MAX_PARAMETERS = 20;

/** Writes the line; the default port is left out. */
export function formatInvitation(invitation: Invitation): string {
  const host = invitation.host.includes(':') ? `[${invitation.host}]` : invitation.host;
  const port = invitation.port === DEFAULT_RENDEZVOUS_PORT ? '' : `:${invitation.port}`;
  const flags = FLAGS.map((flag) => (invitation[flag] ? `&${flag}=1` : '')).join('');
  const { token, peer } = invitation;
  const others = Object.entries({
    ...(token ? { token } : {}),
    ...(peer ? { peer: peer.id, peerKey: shortKey(peer.key) } : {}),
    ...invitation.extra,
  });
  const rest = others.map(([name, value]) => `&${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('');
  const shownKey = isKey(invitation.key) ? shortKey(invitation.key) : encodeURIComponent(invitation.key);
  const body = `${SCHEME}${host}${port}?key=${shownKey}${flags}${rest}`;
  return `${body}#${checksum(body)}`;
}

/** Whether the text claims to be an invitation; parseInvitation() says whether it is a good one. */
export function isInvitation(text: string): boolean {
  return text.trim().toLowerCase().startsWith(SCHEME);
}

/**
 * Reads a line as formatInvitation() writes it; the key may also be percent-encoded standard base64. Line breaks and blanks
 * that a mail program put in do no harm.
 * @throws LiteDeskError INVITATION_BROKEN (no such line), INVITATION_TYPO (the checksum does not fit)
 */
export function parseInvitation(text: string): Invitation {
  const line = text.slice(0, 2 * MAX_LENGTH).replace(/\s+/g, '');
  if (!isInvitation(line)) throw broken('It does not begin with litedesk://.');
  if (line.length > MAX_LENGTH) throw broken('It is too long.');
  const hash = line.lastIndexOf('#');
  if (hash < 0) throw broken('Its end is missing.');
  const body = line.slice(0, hash);
  const given = line.slice(hash + 1).toLowerCase();
  if (!/^[0-9a-f]{8}$/.test(given)) throw broken('Its end is missing or cut short.');
  if (given !== checksum(body))
    throw new LiteDeskError({
      code: 'INVITATION_TYPO',
      stage: 'usage',
      message: 'The invitation was changed on its way: its checksum does not fit.',
      hint: 'Copy the whole line again, without adding or leaving out a character.',
    });
  const match = /^litedesk:\/\/(?:\[([0-9a-f:.]+)\]|([^\s:/?#[\]]+))(?::(\d{1,5}))?\/?(?:\?(.*))?$/i.exec(body);
  if (!match) throw broken('It names no server.');
  const port = match[3] === undefined ? DEFAULT_RENDEZVOUS_PORT : Number(match[3]);
  if (port < 1 || port > 0xffff) throw broken(`${match[3]} is no port.`);
  const parameters = parametersOf(match[4] ?? '');
  const flags = Object.fromEntries(FLAGS.filter((flag) => parameters.get(flag) === '1').map((flag) => [flag, true]));
  const token = parameters.get('token');
  const peer = { id: parameters.get('peer') ?? '', key: keyOf(parameters.get('peerKey') ?? '') };
  const extra = Object.fromEntries([...parameters].filter(([name]) => !KNOWN.has(name)));
  return {
    host: match[1] ?? match[2] ?? '',
    port,
    key: keyOf(parameters.get('key') ?? ''),
    ...flags,
    ...(token ? { token } : {}),
    ...(peer.id !== '' && isKey(peer.key) ? { peer } : {}),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

/** Of a name that stands twice the first counts. */
function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  const pairs = query.split('&').filter((pair) => pair !== '');
  if (pairs.length > MAX_PARAMETERS) throw broken('It has too many parts.');
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    try {
      const known = decodeURIComponent(name);
      if (!parameters.has(known)) parameters.set(known, decodeURIComponent(value));
    } catch {
      throw broken(`Its part "${name.slice(0, 20)}" cannot be read.`);
    }
  }
  return parameters;
}

function keyOf(key: string): string {
  const standard = key.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  return isKey(`${standard}=`) ? `${standard}=` : key;
}

/** For a line: without characters that mean something there. */
function shortKey(key: string): string {
  return key.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function isKey(key: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(key);
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex').slice(0, 8);
}

function broken(why: string): LiteDeskError {
  return new LiteDeskError({
    code: 'INVITATION_BROKEN',
    stage: 'usage',
    message: `This is not an invitation to a server. ${why}`,
    hint: 'Copy the whole line that "litedesk server" prints, or enter address and key by hand.',
  });
}
