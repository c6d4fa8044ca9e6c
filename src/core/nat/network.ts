/** One side's network in the few words that decide which ways are worth what. */
import type { NatBehaviour } from './classify.ts';
import type { Fact } from './observation.ts';

/** What a NAT and its firewall do to datagrams. `symmetric-*`: another public port for each destination. */
export const UDP_CLASSES = [
  'open',
  'full-cone',
  'restricted',
  'port-restricted',
  'symmetric-sequential',
  'symmetric-random',
  'blocked',
  'unknown',
] as const;
export type UdpClass = (typeof UDP_CLASSES)[number];

/** For TCP: whether connections come in unasked, and whether the port that a dial leaves from can be known. */
export const TCP_CLASSES = ['open', 'stable', 'sequential', 'random', 'blocked', 'unknown'] as const;
export type TcpClass = (typeof TCP_CLASSES)[number];

export interface Network {
  readonly udp: UdpClass;
  readonly tcp: TcpClass;
  /** An address of the Internet over IPv6. */
  readonly ipv6: Fact;
  /** A gateway maps a port for us. */
  readonly mappedPort: Fact;
  /** Two hosts behind it reach each other by its outside address. */
  readonly hairpin: Fact;
}

export const UNKNOWN_NETWORK: Network = { udp: 'unknown', tcp: 'unknown', ipv6: 'not-tested', mappedPort: 'not-tested', hairpin: 'not-tested' };

export function udpClassOf(behaviour: NatBehaviour): UdpClass {
  const { reached, mapping, filtering, allocation } = behaviour;
  if (reached === 'no') return 'blocked';
  if (mapping === 'unknown') return 'unknown';
  if (mapping === 'address-dependent' || mapping === 'address-and-port-dependent')
    return allocation.kind === 'sequential' ? 'symmetric-sequential' : 'symmetric-random';
  if (filtering === 'endpoint-independent') return mapping === 'none' ? 'open' : 'full-cone';
  if (filtering === 'address-dependent') return 'restricted';
  // Not tested counts as the strictest: a plan for it works behind the others too.
  return 'port-restricted';
}

export function tcpClassOf(behaviour: NatBehaviour): TcpClass {
  const { reached, mapping, filtering, allocation } = behaviour;
  if (reached === 'no') return 'blocked';
  if (mapping === 'unknown') return 'unknown';
  if (mapping === 'address-dependent' || mapping === 'address-and-port-dependent')
    return allocation.kind === 'sequential' ? 'sequential' : 'random';
  return filtering === 'endpoint-independent' ? 'open' : 'stable';
}
