/** Addresses and networks, as operators and publishers list them. */
import { BlockList, isIP, isIPv4 } from 'node:net';

export class NetworkList {
  readonly #list = new BlockList();
  readonly empty: boolean;

  /** @param entries `address` or `address/bits`, IPv4 or IPv6. @throws RangeError whose message is the entry that is neither */
  constructor(entries: readonly string[]) {
    this.empty = entries.length === 0;
    for (const entry of entries) {
      const [network = '', bits, ...more] = entry.trim().split('/');
      const family = isIP(network);
      const most = family === 4 ? 32 : 128;
      const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
      if (family === 0 || more.length > 0 || !(prefix <= most)) throw new RangeError(entry);
      this.#list.addSubnet(network, prefix, family === 4 ? 'ipv4' : 'ipv6');
    }
  }

  has(host: string): boolean {
    return !this.empty && isIP(host) !== 0 && this.#list.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
  }
}
