/** What a person types into "connect to" (rendezvous §9.1). */
import { isIP } from 'node:net';
import { LiteDeskError } from '../core/errors.ts';
import { parseHostPort } from '../net/index.ts';

const DIRECT_ACCESS_PORT = 21118;
const DEFAULT_RENDEZVOUS_PORT = 21116;

export type Target =
  | { kind: 'id'; id: string; forceRelay: boolean; server: { host: string; port: number; key: string } | null }
  | { kind: 'address'; host: string; port: number };

/**
 * Reads an ID (`123 456 789`, `name@server?key=…`, with `/r` for the relay), or an address (`10.0.0.2`, `10.0.0.2:21118`,
 * `host.example:21118`). Error: TARGET_INVALID.
 */
export function parseTarget(text: string): Target {
  let rest = text.trim();
  if (rest === '' || rest.length > 400) throw invalidTarget(text);
  const forceRelay = /[/\\]r$/.test(rest);
  if (forceRelay) rest = rest.slice(0, -2);
  const at = rest.indexOf('@');
  if (at > 0) {
    const [where = '', query = ''] = rest.slice(at + 1).split('?', 2);
    const key = query.startsWith('key=') ? query.slice(4) : '';
    return { kind: 'id', id: checkId(rest.slice(0, at), text), forceRelay, server: { ...parseHostPort(where, DEFAULT_RENDEZVOUS_PORT), key } };
  }
  const bare = rest.replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare)) return { kind: 'address', host: bare, port: DIRECT_ACCESS_PORT };
  if (/^(\[[0-9a-fA-F:.]+\]|[^:\s]+\.[^:\s]+):\d{1,5}$/.test(rest))
    return { kind: 'address', ...parseHostPort(rest, DIRECT_ACCESS_PORT) };
  return { kind: 'id', id: checkId(rest, text), forceRelay, server: null };
}

function checkId(id: string, text: string): string {
  const compact = /^[\d\s]+$/.test(id) ? id.replace(/\s+/g, '') : id;
  if (compact === '' || compact.length > 100 || /[\s"<>/\\|?*\p{Cc}]/u.test(compact)) throw invalidTarget(text);
  return compact;
}

function invalidTarget(text: string): LiteDeskError {
  return new LiteDeskError({
    code: 'TARGET_INVALID',
    stage: 'usage',
    message: `"${text.slice(0, 60)}" is neither an ID nor an address.`,
    hint: 'Type the digits that the other computer shows, or an address such as 192.168.1.20.',
  });
}
