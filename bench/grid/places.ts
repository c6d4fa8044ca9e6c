/** The networks of the grid, and the pairs that need a place of their own. */
import type { HostPlace } from '../../e2e/natlab/index.ts';
import { CONTROLLER, CONTROLLED } from './names.ts';

export interface GridPlace {
  readonly name: string;
  readonly place: HostPlace;
  /** Everything but TCP 443 is blocked there: the server is reached by its single port. */
  readonly only443?: boolean;
  /** What the gateway speaks to open ports. */
  readonly opensPorts?: 'upnp' | 'pcp';
  /** Kind of NAT for the table of what stock clients do. */
  readonly stock: string;
}

export const PLACES: readonly GridPlace[] = [
  { name: 'open', place: 'open', stock: 'open' },
  { name: 'full-cone', place: 'full-cone', stock: 'full-cone' },
  { name: 'restricted', place: 'restricted', stock: 'restricted' },
  { name: 'port-restricted', place: 'port-restricted', stock: 'port-restricted' },
  { name: 'symmetric random', place: 'symmetric', stock: 'symmetric' },
  { name: 'symmetric sequential', place: 'symmetric-sequential', stock: 'symmetric' },
  { name: 'UDP blocked', place: 'udp-blocked', stock: 'udp-blocked' },
  { name: 'only TCP 443', place: 'only-443', only443: true, stock: '' },
  { name: 'double NAT', place: { kind: 'port-restricted', carrier: 'port-restricted' }, stock: '' },
  { name: 'UPnP gateway', place: 'symmetric', opensPorts: 'upnp', stock: '' },
  { name: 'PCP gateway', place: 'symmetric', opensPorts: 'pcp', stock: '' },
  { name: 'IPv6 with firewall', place: { kind: 'symmetric', ipv6: 'firewalled' }, stock: '' },
];

/** Two hosts that share something. The controlled host comes first in the lab. */
export interface NeighbourPair {
  readonly name: string;
  readonly controlled: HostPlace;
  readonly controller: (controlled: string) => HostPlace;
}

export const NEIGHBOURS: readonly NeighbourPair[] = [
  { name: 'same LAN', controlled: 'port-restricted', controller: (behind) => ({ behind }) },
  {
    name: 'two homes of one carrier, hairpin',
    controlled: { kind: 'port-restricted', carrier: 'port-restricted', hairpin: true },
    controller: (carrierOf) => ({ kind: 'port-restricted', carrierOf }),
  },
  {
    name: 'two homes of one carrier, no hairpin',
    controlled: { kind: 'port-restricted', carrier: 'port-restricted' },
    controller: (carrierOf) => ({ kind: 'port-restricted', carrierOf }),
  },
];

/** All hosts of the lab: for each place one that connects and one that is connected to. */
export function gridHosts(places: readonly GridPlace[], neighbours: readonly NeighbourPair[]): Record<string, HostPlace> {
  const hosts: Record<string, HostPlace> = {};
  for (const [i, { place }] of places.entries()) {
    hosts[`${CONTROLLED}${i}`] = place;
    hosts[`${CONTROLLER}${i}`] = place;
  }
  for (const [i, pair] of neighbours.entries()) {
    const name = `${CONTROLLED}n${i}`;
    hosts[name] = pair.controlled;
    hosts[`${CONTROLLER}n${i}`] = pair.controller(name);
  }
  return hosts;
}

/** Two stock clients with an open server, from the start to a secured stream (rendezvous §9.7). */
export const STOCK: Readonly<Record<string, string>> = {
  'open>open': 'tcp 2–7',
  'full-cone>full-cone': 'tcp 2–7',
  'restricted>restricted': 'first: relay 18 110; later tcp 3',
  'port-restricted>open': 'tcp 34',
  'port-restricted>port-restricted': 'first: relay 18 110; later relay 1038',
  'symmetric>port-restricted': 'relay 3–5',
  'port-restricted>symmetric': 'relay 3–5',
  'symmetric>symmetric': 'relay 3–5',
  'udp-blocked>open': 'tcp 34',
  'udp-blocked>port-restricted': 'first: relay 18 110; later relay 1038',
  'port-restricted>udp-blocked': 'never',
  'udp-blocked>udp-blocked': 'never',
};
