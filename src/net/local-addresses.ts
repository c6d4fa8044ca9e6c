/** The addresses of this computer that somebody else may reach. */
import { BlockList, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type AddressScope, scopeOf } from '../core/nat/candidates.ts';
import { PATH_LIMITS } from '../core/nat/limits.ts';

const ORDER: Record<AddressScope, number> = { public: 0, private: 1, carrier: 2, 'link-local': 3, none: 4 };

const NO_MAC = '00:00:00:00:00:00';

/** Loopback and link-local ones left out, those of the Internet first, bounded. */
export function localAddresses(): string[] {
  const all = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ internal, address }) => !internal && ORDER[scopeOf(address)] < ORDER['link-local'])
    .map(({ address }) => address);
  return [...new Set(all)].sort((a, b) => ORDER[scopeOf(a)] - ORDER[scopeOf(b)]).slice(0, PATH_LIMITS.maxLocalAddresses);
}

/** Every address with its interface, in an order of its own: differs when a network came or went. */
export function networkFingerprint(): string {
  return Object.entries(networkInterfaces())
    .flatMap(([name, entries]) => (entries ?? []).filter(({ internal }) => !internal).map(({ address }) => `${name} ${address}`))
    .sort()
    .join('\n');
}

/** Headers of IP and UDP, in bytes, in an Ethernet frame's 1500. */
const ETHERNET = { ipv4: 1500 - 28, ipv6: 1500 - 48 } as const;

/**
 * The largest datagram, in bytes, that goes to `remote` in one piece for certain, because no router lies between: it is this
 * computer, or in the network of an Ethernet or WLAN that this one is attached to. Null: that cannot be said. Interfaces without
 * a hardware address are tunnels, which carry less, and the system would cut what is too long for them without a word.
 */
export function onLinkDatagram(remote: string): number | null {
  const family = isIPv4(remote) ? 'ipv4' : 'ipv6';
  const networks = new BlockList();
  for (const entries of Object.values(networkInterfaces()))
    for (const { cidr, mac, internal } of entries ?? []) {
      if (cidr === null || (!internal && mac === NO_MAC)) continue;
      const [address = '', bits] = cidr.split('/');
      networks.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6');
    }
  return networks.check(remote, family) ? ETHERNET[family] : null;
}
