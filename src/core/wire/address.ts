/** Mangled socket addresses: the form of every `socket_addr`, `local_addr` and `socket_addr_v6` field (rendezvous §3). */
import { WireError } from '../errors.ts';

export type HostPort = {
  /** An IP address in text form, without brackets. */
  host: string;
  /** 0 means that there is no address. */
  port: number;
};

const U32 = 0xffffffffn;

/**
 * Turns an IPv4-mapped or IPv4-compatible IPv6 address into plain IPv4 (`::ffff:a.b.c.d` → `a.b.c.d`), and writes any other
 * IPv6 address in its canonical short form. `::1` stays IPv6, `::` becomes 0.0.0.0 (rendezvous §3.1). Text that is no IP
 * address is returned as it is; a zone (`%eth0`) is dropped.
 */
export function normalizeHost(host: string): string {
  if (!host.includes(':')) return host;
  const groups = parseIPv6(host);
  if (!groups) return host;
  return hostOf(groups);
}

/**
 * Encodes an address. IPv4 takes up to 11 bytes that vary with `timeUs`, IPv6 takes 18.
 * @param timeUs unix time in microseconds; only its low 32 bits count and nobody checks them (rendezvous §3.2).
 * @throws WireError BAD_ADDRESS when host is no IP address or port is out of range.
 */
export function mangleAddress(address: HostPort, timeUs: bigint | number = 0): Uint8Array {
  const { port } = address;
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) throw bad(`port ${port}`);
  const host = normalizeHost(address.host);
  if (host.includes(':')) {
    const groups = parseIPv6(host);
    if (!groups) throw bad(`host ${address.host}`);
    const out = new Uint8Array(18);
    groups.forEach((group, i) => {
      out[i * 2] = group >> 8;
      out[i * 2 + 1] = group & 0xff;
    });
    out[16] = port & 0xff;
    out[17] = port >> 8;
    return out;
  }
  const octets = parseIPv4(host);
  if (!octets) throw bad(`host ${address.host}`);
  const tm = BigInt(typeof timeUs === 'number' ? Math.floor(timeUs) : timeUs) & U32;
  const ip = octets.reduceRight((value, octet) => (value << 8n) | BigInt(octet), 0n);
  let value = ((ip + tm) << 49n) | (tm << 17n) | (BigInt(port) + (tm & 0xffffn));
  const out: number[] = [];
  for (; value > 0n; value >>= 8n) out.push(Number(value & 0xffn));
  return Uint8Array.from(out);
}

/**
 * Decodes an address. Every input has a meaning: up to 16 bytes are IPv4, 18 are IPv6; empty gives 0.0.0.0:0 and any other
 * length [::]:0 (rendezvous §3.4), both "absent" by their port.
 */
export function unmangleAddress(bytes: Uint8Array): HostPort {
  if (bytes.length === 18) {
    const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0));
    return { host: hostOf(groups), port: (bytes[16] ?? 0) | ((bytes[17] ?? 0) << 8) };
  }
  if (bytes.length > 16) return { host: '::', port: 0 };
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  const tm = (value >> 17n) & U32;
  const ip = Number(((value >> 49n) - tm) & U32);
  const port = Number(((value & 0xffffffn) - (tm & 0xffffn)) & 0xffffn);
  return { host: [ip & 0xff, (ip >>> 8) & 0xff, (ip >>> 16) & 0xff, ip >>> 24].join('.'), port };
}

function bad(what: string): WireError {
  return new WireError('BAD_ADDRESS', `not an IP address with a port: ${what}`);
}

function parseIPv4(text: string): number[] | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return null;
  const octets = parts.map(Number);
  return octets.every((octet) => octet <= 255) ? octets : null;
}

/** Eight 16-bit groups, or null. */
function parseIPv6(text: string): number[] | null {
  // 45 is the longest address; more is no address, and is not worth splitting.
  let rest = (text.split('%', 1)[0] ?? '').toLowerCase();
  if (rest.length > 45) return null;
  const tail = rest.slice(rest.lastIndexOf(':') + 1);
  if (tail.includes('.')) {
    const octets = parseIPv4(tail);
    if (!octets) return null;
    const [a = 0, b = 0, c = 0, d = 0] = octets;
    rest = `${rest.slice(0, rest.length - tail.length)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = rest.split('::');
  if (halves.length > 2) return null;
  const [head = '', end] = halves;
  const before = head === '' ? [] : head.split(':');
  const after = end === undefined || end === '' ? [] : end.split(':');
  const missing = 8 - before.length - after.length;
  if (end === undefined ? missing !== 0 : missing < 1) return null;
  const groups = [...before, ...Array<string>(end === undefined ? 0 : missing).fill('0'), ...after];
  return groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : null;
}

function hostOf(groups: readonly number[]): string {
  const [g6 = 0, g7 = 0] = groups.slice(6);
  const prefixEmpty = groups.slice(0, 5).every((group) => group === 0);
  const mapped = prefixEmpty && groups[5] === 0xffff;
  const compatible = prefixEmpty && groups[5] === 0 && !(g6 === 0 && g7 === 1);
  if (mapped || compatible) return [g6 >> 8, g6 & 0xff, g7 >> 8, g7 & 0xff].join('.');
  return formatIPv6(groups);
}

/** The canonical text (RFC 5952): lower case, the longest run of two or more zero groups shortened, the first of equals. */
function formatIPv6(groups: readonly number[]): string {
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (groups[i + length] === 0) length++;
    if (length > best.length) best = { at: i, length };
    i += length;
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.at < 0) return hex.join(':');
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.length).join(':')}`;
}
