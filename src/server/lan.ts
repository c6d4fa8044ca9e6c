/** Which addresses count as the operator's LAN (`--mask`, rendezvous §1.5, §6.2). */
import { BlockList, isIPv4 } from 'node:net';
import { LiteDeskError } from '../core/errors.ts';

/** A test for addresses inside `mask` (IPv4 CIDR; undefined: none). @throws LiteDeskError BAD_MASK */
export function lanTest(mask: string | undefined): (host: string) => boolean {
  if (mask === undefined || mask === '') return () => false;
  const [network = '', bits = '32', ...more] = mask.split('/');
  const prefix = Number(bits);
  if (!isIPv4(network) || !/^\d+$/.test(bits) || prefix > 32 || more.length > 0)
    throw new LiteDeskError({
      code: 'BAD_MASK',
      stage: 'usage',
      message: `${mask} is not an IPv4 network.`,
      hint: 'Give it as address/bits, for example 192.168.0.0/16.',
    });
  const list = new BlockList();
  list.addSubnet(network, prefix, 'ipv4');
  return (host) => isIPv4(host) && list.check(host, 'ipv4');
}
