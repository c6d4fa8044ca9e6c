/**
 * Rules about what others may reach through this computer, as people write them on the command line:
 *
 *     tcp:HOST:PORT[-PORT][@PEER]    udp:…    service:NAME[@PEER]    any[@PEER]
 *
 * HOST is a name, an address, a network (`10.0.0.0/8`, `[fd00::]/8`) or `*`; PORT may be `*`. With `@PEER` the rule is for that
 * ID alone, and counts only when it has proven its key. Loopback, link-local and metadata addresses are reached by rules that
 * name them and by no others (rules.ts).
 */
import { type AccessRule, isHostPattern } from '../../shared/tunnels.ts';

/** A rule of the settings, or one for a service that is offered by name (`host` is its name then). */
export type TunnelRule = Omit<AccessRule, 'id' | 'kind'> & { readonly kind: AccessRule['kind'] | 'service' };

/** Longest rule as text: a name, two ports, an ID. */
const MAX_RULE_LENGTH = 600;
const MAX_PORT = 0xffff;

/** Throws RangeError with a sentence for people. */
export function parseTunnelRule(text: string): TunnelRule {
  const input = text.trim();
  if (input.length > MAX_RULE_LENGTH) throw bad(text, 'it is too long');
  const at = input.lastIndexOf('@');
  const peer = at < 0 ? '' : input.slice(at + 1);
  const body = at < 0 ? input : input.slice(0, at);
  if (at >= 0 && !/^[\w.-]{1,100}$/.test(peer)) throw bad(text, 'an ID follows the @');
  if (body === 'any') return { kind: 'any', host: '*', firstPort: 1, lastPort: MAX_PORT, peer };
  const [, kind = '', rest = ''] = /^(tcp|udp|service):(.+)$/.exec(body) ?? [];
  if (kind === 'service') {
    if (!/^(\*|[\w.-]{1,100})$/.test(rest)) throw bad(text, 'a name of letters, digits, dots and dashes follows "service:"');
    return { kind: 'service', host: rest, firstPort: 1, lastPort: MAX_PORT, peer };
  }
  if (kind !== 'tcp' && kind !== 'udp') throw bad(text, 'it begins with tcp:, udp: or service:, or is "any"');
  const parts = /^(.+):(\*|\d{1,5})(?:-(\d{1,5}))?$/.exec(rest);
  if (!parts) throw bad(text, 'host and port follow, as in tcp:192.168.1.5:80 or tcp:nas.example:8000-8010');
  const [, host = '', from = '', to] = parts;
  const firstPort = from === '*' ? 1 : Number(from);
  const lastPort = from === '*' ? MAX_PORT : Number(to ?? from);
  if (firstPort < 1 || lastPort > MAX_PORT || firstPort > lastPort) throw bad(text, 'ports go from 1 to 65535');
  return { kind, host: parseHost(host, text), firstPort, lastPort, peer };
}

function parseHost(host: string, text: string): string {
  const value = host.toLowerCase().replace(/\.$/, '');
  const [, address, outside, inside] = /^\[([^\]/]+)(?:\](\/\d+)?|(\/\d+)\])$/.exec(value) ?? [];
  const plain = address === undefined ? value : `${address}${outside ?? inside ?? ''}`;
  // Brackets are what tells an IPv6 address from its port.
  if ((address === undefined) === value.includes(':') || !isHostPattern(plain)) throw bad(text, 'the host is neither a name nor an address');
  return plain;
}

function bad(text: string, why: string): RangeError {
  return new RangeError(`"${text.slice(0, 80)}" is no rule: ${why}.`);
}
