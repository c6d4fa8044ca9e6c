/** The addresses of this computer that somebody else may reach. */
import { networkInterfaces } from 'node:os';
import { type AddressScope, scopeOf } from '../core/nat/candidates.ts';
import { PATH_LIMITS } from '../core/nat/limits.ts';

const ORDER: Record<AddressScope, number> = { public: 0, private: 1, carrier: 2, 'link-local': 3, none: 4 };

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
