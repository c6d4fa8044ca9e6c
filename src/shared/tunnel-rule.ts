/**
 * Rules about what others may reach through this computer, as people write them:
 *
 *     tcp:HOST:PORT[-PORT][@PEER]    udp:…    service:NAME[@PEER]    any[@PEER]
 *
 * HOST is a name, an address, a network (`10.0.0.0/8`, `[fd00::]/8`) or `*`; PORT may be `*`. With `@PEER` the rule is for that
 * ID alone, and counts only when it has proven its key. Loopback, link-local and metadata addresses are reached by rules that
 * name them and by no others (src/peer/tunnel/rules.ts).
 */
export interface TunnelRule {
  readonly kind: 'tcp' | 'udp' | 'service' | 'any';
  /** Lower case; `*` for every host. For a service its name. */
  readonly host: string;
  readonly fromPort: number;
  readonly toPort: number;
  /** Empty: everybody who may log in. */
  readonly peer: string;
}

/** Rules that are kept and looked through for every stream. */
export const MAX_TUNNEL_RULES = 500;
/** Longest rule as text: two names, two ports. */
export const MAX_RULE_LENGTH = 600;
const MAX_PORT = 0xffff;

/** Throws RangeError with a sentence for people. */
export function parseTunnelRule(text: string): TunnelRule {
  const input = text.trim();
  if (input.length > MAX_RULE_LENGTH) throw bad(text, 'it is too long');
  const at = input.lastIndexOf('@');
  const peer = at < 0 ? '' : input.slice(at + 1);
  const body = at < 0 ? input : input.slice(0, at);
  if (at >= 0 && !/^[\w.-]{1,100}$/.test(peer)) throw bad(text, 'an ID follows the @');
  if (body === 'any') return { kind: 'any', host: '*', fromPort: 1, toPort: MAX_PORT, peer };
  const [, kind = '', rest = ''] = /^(tcp|udp|service):(.+)$/.exec(body) ?? [];
  if (kind === 'service') {
    if (!/^(\*|[\w.-]{1,100})$/.test(rest)) throw bad(text, 'a name of letters, digits, dots and dashes follows "service:"');
    return { kind: 'service', host: rest, fromPort: 1, toPort: MAX_PORT, peer };
  }
  if (kind !== 'tcp' && kind !== 'udp') throw bad(text, 'it begins with tcp:, udp: or service:, or is "any"');
  const parts = /^(.+):(\*|\d{1,5})(?:-(\d{1,5}))?$/.exec(rest);
  if (!parts) throw bad(text, 'host and port follow, as in tcp:192.168.1.5:80 or tcp:nas.example:8000-8010');
  const [, host = '', from = '', to] = parts;
  const fromPort = from === '*' ? 1 : Number(from);
  const toPort = from === '*' ? MAX_PORT : Number(to ?? from);
  if (fromPort < 1 || toPort > MAX_PORT || fromPort > toPort) throw bad(text, 'ports go from 1 to 65535');
  return { kind, host: parseHost(host, text), fromPort, toPort, peer };
}

export function isTunnelRule(text: string): boolean {
  try {
    parseTunnelRule(text);
    return true;
  } catch {
    return false;
  }
}

/** The text of a rule, in one form for each. */
export function formatTunnelRule(rule: TunnelRule): string {
  const peer = rule.peer === '' ? '' : `@${rule.peer}`;
  if (rule.kind === 'any') return `any${peer}`;
  if (rule.kind === 'service') return `service:${rule.host}${peer}`;
  const host = rule.host.includes(':') ? `[${rule.host.replace(/\/\d+$/, '')}]${/\/\d+$/.exec(rule.host)?.[0] ?? ''}` : rule.host;
  return `${rule.kind}:${host}:${formatPorts(rule)}${peer}`;
}

/** What a rule says, for the message files: one sentence per key, with these values in it. */
export interface RuleDescription {
  readonly key: `rule.${'any' | 'tcp' | 'udp' | 'service'}.${'all' | 'peer'}`;
  readonly values: { readonly host: string; readonly ports: string; readonly peer: string };
}

export function describeTunnelRule(rule: TunnelRule): RuleDescription {
  return {
    key: `rule.${rule.kind}.${rule.peer === '' ? 'all' : 'peer'}`,
    values: { host: rule.host, ports: formatPorts(rule), peer: rule.peer },
  };
}

function formatPorts({ fromPort, toPort }: TunnelRule): string {
  if (fromPort === 1 && toPort === MAX_PORT) return '*';
  return fromPort === toPort ? String(fromPort) : `${fromPort}-${toPort}`;
}

function parseHost(host: string, text: string): string {
  const value = host.toLowerCase();
  if (value === '*') return value;
  const v6 = /^\[([0-9a-f:.]+)(?:(\/\d{1,3})?\]|\](\/\d{1,3})?)$/.exec(value);
  if (v6) {
    const prefix = v6[2] ?? v6[3] ?? '';
    if (!isIPv6Text(v6[1] ?? '') || Number(prefix.slice(1)) > 128) throw bad(text, 'the IPv6 address is none');
    return `${v6[1]}${prefix}`;
  }
  const v4 = /^(\d{1,3}(?:\.\d{1,3}){3})(\/\d{1,2})?$/.exec(value);
  if (v4) {
    const fits = (v4[1] ?? '').split('.').every((part) => Number(part) <= 255 && String(Number(part)) === part);
    if (!fits || Number((v4[2] ?? '').slice(1)) > 32) throw bad(text, 'the address is none');
    return value;
  }
  // All digits and dots would be an address that somebody mistyped.
  if (value.length > 253 || !/^(?=.*[a-z])[\w-]+(\.[\w-]+)*\.?$/.test(value)) throw bad(text, 'the host is neither a name nor an address');
  return value.replace(/\.$/, '');
}

/** A URL takes IPv6 addresses alone between brackets. */
function isIPv6Text(text: string): boolean {
  return URL.canParse(`http://[${text}]/`);
}

function bad(text: string, why: string): RangeError {
  return new RangeError(`"${text.slice(0, 80)}" is no rule: ${why}.`);
}
