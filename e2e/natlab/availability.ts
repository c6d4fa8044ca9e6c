import { trySh } from './shell.ts';

/** Null when namespaces with NAT can be built here, else one sentence that says why not. */
export function labUnavailable(): string | null {
  if (process.platform !== 'linux') return 'network namespaces exist on Linux only';
  if (trySh('command -v ip && command -v nft && command -v nsenter') === null)
    return 'iproute2 and nftables are not installed';
  if (process.getuid?.() !== 0)
    return 'network namespaces need root (or: unshare -Urnm, with a tmpfs on /run)';
  const name = `ldlab-${process.pid}-try`;
  const works = trySh(`
    mkdir -p /run/netns; ip netns add ${name}
    trap 'ip netns del ${name}' EXIT
    ip netns exec ${name} nft add table ip x
    ip netns exec ${name} nft add chain ip x y '{ type nat hook postrouting priority 100; }'
    ip netns exec ${name} nft add rule ip x y masquerade
  `);
  return works === null ? 'this kernel lets us make no namespace with nftables NAT' : null;
}
