/** Where a peer may be reached: which addresses are offered, and which of those that are offered to us are tried. */
import { hbb, mangleAddress, normalizeHost, unmangleAddress } from '../wire/index.ts';
import type { HostPort } from '../wire/index.ts';
import { PATH_LIMITS } from './limits.ts';
import type { Family, Protocol } from './observation.ts';

/** `local`: of an interface; `observed`: as a server saw it; `mapped`: forwarded by a gateway. */
export type CandidateOrigin = 'local' | 'observed' | 'mapped';

export interface Candidate {
  readonly origin: CandidateOrigin;
  readonly protocol: Protocol;
  readonly address: HostPort;
}

const WIRE_ORIGIN: Record<CandidateOrigin, hbb.PathCandidate.Origin> = {
  local: hbb.PathCandidate.Origin.LOCAL,
  observed: hbb.PathCandidate.Origin.OBSERVED,
  mapped: hbb.PathCandidate.Origin.MAPPED,
};

export function familyOf(host: string): Family {
  return host.includes(':') ? 6 : 4;
}

/** What kind of place an address names. */
export type AddressScope = 'public' | 'private' | 'carrier' | 'link-local' | 'none';

/** `none`: nobody may be made to send there (loopback, multicast, broadcast, unspecified, reserved). */
export function scopeOf(host: string): AddressScope {
  const plain = normalizeHost(host);
  return plain.includes(':') ? scopeOfIPv6(plain.toLowerCase()) : scopeOfIPv4(plain);
}

function scopeOfIPv4(host: string): AddressScope {
  const parts = host.split('.').map(Number);
  const [a = 0, b = 0] = parts;
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return 'none';
  if (a === 0 || a === 127 || a >= 224) return 'none';
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return 'private';
  if (a === 100 && b >= 64 && b < 128) return 'carrier';
  return a === 169 && b === 254 ? 'link-local' : 'public';
}

function scopeOfIPv6(host: string): AddressScope {
  if (/^[23][0-9a-f]{3}:/.test(host)) return 'public';
  if (/^f[cd]/.test(host)) return 'private';
  return /^fe[89ab]/.test(host) ? 'link-local' : 'none';
}

/** Candidates for an offer: what nobody could use is left out, and there is a bound. */
export function offerable(candidates: readonly Candidate[]): Candidate[] {
  const usable = candidates.filter(({ address }) => address.port > 0 && !['none', 'link-local'].includes(scopeOf(address.host)));
  return unique(usable).slice(0, PATH_LIMITS.maxCandidates);
}

export function encodeCandidate({ origin, protocol, address }: Candidate): hbb.IPathCandidate {
  return { origin: WIRE_ORIGIN[origin], tcp: protocol === 'tcp', address: mangleAddress(address) };
}

/**
 * What the other side offers, as far as it makes sense to send there: nothing on this computer itself, no broadcast or
 * multicast, and addresses of private networks only where we are in one (or they are reached by a route of ours).
 * `hasFamily` says whether this computer speaks IPv4 and IPv6; `ownHosts` are its own addresses.
 */
export function readCandidates(offered: readonly hbb.IPathCandidate[], ownHosts: readonly string[]): Candidate[] {
  const inPrivate = ownHosts.some((host) => ['private', 'carrier'].includes(scopeOf(host)));
  const taken: Candidate[] = [];
  for (const { origin, tcp, address } of offered.slice(0, PATH_LIMITS.maxCandidates)) {
    const found = Object.entries(WIRE_ORIGIN).find(([, wire]) => wire === origin);
    if (!found || !address) continue;
    const { host: raw, port } = unmangleAddress(address);
    const host = normalizeHost(raw);
    const scope = scopeOf(host);
    if (port === 0 || scope === 'none' || scope === 'link-local') continue;
    if ((scope === 'private' || scope === 'carrier') && !inPrivate) continue;
    taken.push({ origin: found[0] as CandidateOrigin, protocol: tcp ? 'tcp' : 'udp', address: { host, port } });
  }
  return unique(taken);
}

function unique(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return candidates.filter(({ protocol, address }) => {
    const key = `${protocol} ${address.host} ${address.port}`;
    return !seen.has(key) && seen.add(key);
  });
}

/**
 * Where a counting NAT is met by another one that counts: neither can aim at all of the other's next ports, since each datagram to
 * another place moves its own. So both sides run over their own meeting port with many sockets that all send to the other's.
 */
export function meetingPort(last: number, step: number): number | null {
  const port = last + PATH_LIMITS.meetingAhead * step;
  return port >= 1_024 && port <= 65_535 ? port : null;
}

/** Ports that a NAT which counts in steps is likely to give next, the likeliest first. */
export function predictPorts(last: number, step: number, count: number = PATH_LIMITS.predictedPorts): number[] {
  const ports: number[] = [];
  for (let i = 1; i <= count; i++) {
    const port = last + i * step;
    if (port >= 1_024 && port <= 65_535) ports.push(port);
  }
  return ports;
}
