/** Which addresses are more than places in a network: this computer itself, its link, and what clouds answer there. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

type Family = 'ipv4' | 'ipv6';

export type AddressClass = 'ordinary' | 'loopback' | 'link-local' | 'metadata' | 'multicast';

/** Each network on its own, the narrower ones first. */
const NETWORKS: readonly { readonly name: Exclude<AddressClass, 'ordinary'>; readonly family: Family; readonly network: BlockList }[] = (
  [
    // Connecting to 0.0.0.0 or :: reaches this computer.
    ['loopback', ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128']],
    // Amazon, Google, Azure and most others answer at the first, inside link-local; these are the exceptions.
    ['metadata', ['169.254.169.254/32', '100.100.100.200/32', '192.0.0.192/32', '168.63.129.16/32', 'fd00:ec2::254/128', 'fd20:ce::254/128']],
    ['link-local', ['169.254.0.0/16', 'fe80::/10', 'fec0::/10']],
    ['multicast', ['224.0.0.0/4', '255.255.255.255/32', 'ff00::/8']],
  ] as const
).flatMap(([name, networks]) => networks.map((network) => ({ name, family: network.includes(':') ? 'ipv6' : 'ipv4', network: list(network) })));

/**
 * One spelling for each place: without zone, and as IPv4 where IPv6 only wraps it (mapped, compatible, NAT64, 6to4), since
 * that is where such a connection goes.
 */
export function canonicalAddress(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase();
  if (!isIPv6(plain)) return plain;
  const groups = groupsOf(plain);
  const v4 = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const zeros = (from: number, to: number): boolean => groups.slice(from, to).every((group) => group === 0);
  const [g0 = 0, g1 = 0, g2 = 0, , , g5 = 0, g6 = 0, g7 = 0] = groups;
  if (zeros(0, 5) && g5 === 0xffff) return v4(g6, g7);
  if (zeros(0, 6) && g6 !== 0) return v4(g6, g7);
  if (g0 === 0x64 && g1 === 0xff9b && zeros(2, 6)) return v4(g6, g7);
  if (g0 === 0x2002) return v4(g1, g2);
  return new URL(`http://[${plain}]`).hostname.slice(1, -1);
}

/** `address` in canonical form. */
export function addressClass(address: string): AddressClass {
  return classed(address)?.name ?? 'ordinary';
}

function classed(address: string): (typeof NETWORKS)[number] | undefined {
  const own = isIPv4(address) ? 'ipv4' : 'ipv6';
  return NETWORKS.find(({ family, network }) => family === own && network.check(address, own));
}

/** The network lies wholly within one that is not ordinary. */
export function isSpecialNetwork(address: string, bits: number): boolean {
  const v4 = isIPv4(address);
  const parts = v4 ? address.split('.').map(Number) : groupsOf(address);
  const width = v4 ? 8 : 16;
  const edge = (last: boolean): string => {
    const edges = parts.map((part, index) => {
      const free = Math.max(0, Math.min(width, (index + 1) * width - bits));
      const mask = 2 ** free - 1;
      return last ? part | mask : part & ~mask;
    });
    return v4 ? edges.join('.') : edges.map((group) => group.toString(16)).join(':');
  };
  // Metadata addresses cut holes into link-local; the edges of a network that holds one are beside it.
  const first = classed(edge(false));
  return first !== undefined && classed(edge(true)) === first;
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const numbers = (part: string | undefined): number[] =>
    part === undefined || part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const front = numbers(head);
  const back = numbers(tail);
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
}

/** Networks of both families, written as `address/bits`. */
export function list(...networks: string[]): BlockList {
  const addresses = new BlockList();
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/');
    addresses.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return addresses;
}
