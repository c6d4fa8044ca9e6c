/** What one path manager tells the other about itself, as bytes and back (proto/paths.proto). */
import { WireError } from '../errors.ts';
import { decodeAs, encodeAs, hbb, mangleAddress, normalizeHost, unmangleAddress } from '../wire/index.ts';
import type { HostPort } from '../wire/index.ts';
import { type Candidate, encodeCandidate, offerable, readCandidates, scopeOf } from './candidates.ts';
import { PATH_LIMITS } from './limits.ts';
import { type Network, TCP_CLASSES, UDP_CLASSES, UNKNOWN_NETWORK } from './network.ts';
import type { Fact } from './observation.ts';

/** How a NAT that changes its port with the destination gives them out. */
export interface ChangingPorts {
  /** As the server saw it last. */
  readonly last: HostPort;
  /** Of each new mapping; 0: at random. */
  readonly step: number;
}

export interface Offer {
  readonly round: number;
  readonly candidates: readonly Candidate[];
  /** Null: not known yet. */
  readonly network: Network | null;
  readonly udpPorts: ChangingPorts | null;
  readonly tcpPorts: ChangingPorts | null;
  /** Datagrams to many ports of `udpPorts.last` are wanted. */
  readonly wantsSpray: boolean;
}

const FACTS: readonly Fact[] = ['not-tested', 'no', 'yes'];
/** Steps beyond this are no counting. */
const MAX_STEP = 64;

export function encodeOffer({ round, candidates, network, udpPorts, tcpPorts, wantsSpray }: Offer): Uint8Array {
  return encodeAs<hbb.IPathsMessage>(hbb.PathsMessage, {
    offer: {
      round,
      candidates: offerable(candidates).map(encodeCandidate),
      wantsSpray,
      ...(network ? { network: { udp: network.udp, tcp: network.tcp, hairpin: FACTS.indexOf(network.hairpin) } } : {}),
      ...(udpPorts ? { udpPorts: writePorts(udpPorts) } : {}),
      ...(tcpPorts ? { tcpPorts: writePorts(tcpPorts) } : {}),
    },
  });
}

/**
 * Null for a message of a later version that is none of ours. What no sane peer offers is left out (`readCandidates`).
 * @throws WireError when the bytes are no message at all, or too many.
 */
export function decodeOffer(bytes: Uint8Array, ownHosts: readonly string[]): Offer | null {
  if (bytes.length > PATH_LIMITS.maxMessageBytes) throw new WireError('TOO_LARGE', 'an offer of paths is too large');
  const offer = decodeAs<hbb.PathsMessage>(hbb.PathsMessage, bytes).offer;
  if (!offer || !offer.round) return null;
  const candidates = readCandidates(offer.candidates ?? [], ownHosts);
  return {
    round: offer.round,
    candidates,
    network: readNetwork(offer.network, candidates),
    udpPorts: readPorts(offer.udpPorts),
    tcpPorts: readPorts(offer.tcpPorts),
    wantsSpray: offer.wantsSpray ?? false,
  };
}

function readNetwork(network: hbb.IPathNetwork | null | undefined, candidates: readonly Candidate[]): Network | null {
  if (!network) return null;
  return {
    ...UNKNOWN_NETWORK,
    udp: UDP_CLASSES.find((known) => known === network.udp) ?? 'unknown',
    tcp: TCP_CLASSES.find((known) => known === network.tcp) ?? 'unknown',
    hairpin: FACTS[network.hairpin ?? 0] ?? 'not-tested',
    ipv6: candidates.some(({ address }) => address.host.includes(':')) ? 'yes' : 'no',
    mappedPort: candidates.some(({ origin }) => origin === 'mapped') ? 'yes' : 'not-tested',
  };
}

function writePorts({ last, step }: ChangingPorts): hbb.IPathPorts {
  return { last: mangleAddress(last), step };
}

function readPorts(ports: hbb.IPathPorts | null | undefined): ChangingPorts | null {
  if (!ports?.last) return null;
  const { host: raw, port } = unmangleAddress(ports.last);
  const host = normalizeHost(raw);
  const step = ports.step ?? 0;
  const scope = scopeOf(host);
  if (port === 0 || scope === 'none' || scope === 'link-local' || Math.abs(step) > MAX_STEP) return null;
  return { last: { host, port }, step };
}
