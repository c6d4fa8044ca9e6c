/**
 * The one line that a server's operator hands out: `litedesk://host[:port]?key=KEY#CHECKSUM`. CHECKSUM is the first 8
 * hex digits of SHA-256 over everything before the `#`, so that a line cut short or mistyped says so. `&single=1`: all is
 * on that one port; `&tls=1`: over TLS; `&ws=1`: over WebSocket only. Parameters that are not known are left alone.
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
}

export const DEFAULT_RENDEZVOUS_PORT = 21116;
/** A line longer than this is something else that was pasted. */
const MAX_LENGTH = 2_048;
const SCHEME = 'litedesk://';
const FLAGS = ['single', 'tls', 'ws'] as const;

/** Writes the line; the default port is left out. */
export function formatInvitation(invitation: Invitation): string {
  const host = invitation.host.includes(':') ? `[${invitation.host}]` : invitation.host;
  const port = invitation.port === DEFAULT_RENDEZVOUS_PORT ? '' : `:${invitation.port}`;
  const key = invitation.key.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  const flags = FLAGS.map((flag) => (invitation[flag] ? `&${flag}=1` : '')).join('');
  const body = `${SCHEME}${host}${port}?key=${isKey(invitation.key) ? key : encodeURIComponent(invitation.key)}${flags}`;
  return `${body}#${checksum(body)}`;
}

/** Whether the text claims to be an invitation; parseInvitation() says whether it is a good one. */
export function isInvitation(text: string): boolean {
  return text.trim().toLowerCase().startsWith(SCHEME);
}

/**
 * Reads a line as formatInvitation() writes it; the key may also be percent-encoded standard base64.
 * @throws LiteDeskError INVITATION_BROKEN (no such line), INVITATION_TYPO (the checksum does not fit)
 */
export function parseInvitation(text: string): Invitation {
  const line = text.trim();
  if (!isInvitation(line) || line.length > MAX_LENGTH) throw broken('It does not begin with litedesk://.');
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
  const query = match[4] ?? '';
  const flags = Object.fromEntries(FLAGS.filter((flag) => query.split('&').includes(`${flag}=1`)).map((flag) => [flag, true]));
  return { host: match[1] ?? match[2] ?? '', port, key: keyOf(query), ...flags };
}

function keyOf(query: string): string {
  const raw = query
    .split('&')
    .find((pair) => pair.startsWith('key='))
    ?.slice('key='.length);
  if (raw === undefined) return '';
  let key: string;
  try {
    key = decodeURIComponent(raw);
  } catch {
    throw broken('Its key cannot be read.');
  }
  const standard = key.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  return isKey(`${standard}=`) ? `${standard}=` : key;
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
