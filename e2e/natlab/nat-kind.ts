/**
 * The kinds of NAT that the laboratory can build, and the nftables rules that make a Linux gateway behave as each.
 *
 * Every gateway drops what comes in unasked without an answer, as home routers do, and drops what connection tracking
 * calls invalid. That last rule matters for TCP punching (rendezvous §9.7): behind `port-restricted`, the SYN|ACK of a
 * listener whose port dialled out before carries another initial sequence number than that dial and dies here, while a
 * simultaneous open passes.
 */
export const NAT_KINDS = [
  'open',
  'full-cone',
  'restricted',
  'port-restricted',
  'symmetric',
  'symmetric-sequential',
  'udp-blocked',
  'only-443',
] as const;
export type NatKind = (typeof NAT_KINDS)[number];

/** How long a mapping made by an outgoing packet stays open; RFC 4787 asks for at least two minutes. */
const MAPPING_TIMEOUT = '180s';

/** Ports that a counting gateway gives out, one after the other. */
const COUNTED_PORTS = { first: 20_000, count: 4_096 } as const;

export interface GatewayOptions {
  /** The public address, for a gateway that lets its hosts reach each other by it. Absent: such packets are dropped. */
  readonly hairpinBy?: string | undefined;
}

function outgoingRule(kind: NatKind): string {
  if (kind === 'symmetric') return 'masquerade random,fully-random';
  if (kind !== 'symmetric-sequential') return 'masquerade';
  const { first, count } = COUNTED_PORTS;
  // By a map, since a bare counter has the byte order of the processor and not that of a port.
  const ports = Array.from({ length: count }, (_, i) => `${i} : ${first + i}`);
  return `masquerade to :numgen inc mod ${count} map { ${ports.join(', ')} }`;
}

/** nftables text for a gateway with the interfaces `wan` and `lan`; `open` has no gateway. */
export function gatewayRules(kind: Exclude<NatKind, 'open'>, { hairpinBy }: GatewayOptions = {}): string {
  const cone = kind === 'full-cone' || kind === 'restricted';
  const remembers = cone || hairpinBy !== undefined;
  return `
table ip lab {
  # port of a host on the LAN -> that host, for what comes in from anywhere (cone NATs keep the port number)
  map hosts {
    type inet_proto . inet_service : ipv4_addr
    flags dynamic, timeout
    timeout ${MAPPING_TIMEOUT}
    size 4096
  }
  # places that a port has sent to, for address-restricted filtering
  set asked {
    type ipv4_addr . inet_proto . inet_service
    flags dynamic, timeout
    timeout ${MAPPING_TIMEOUT}
    size 4096
  }
  chain incoming {
    type nat hook prerouting priority dstnat;
    ${hairpinBy === undefined ? '' : `iifname "lan" ip daddr ${hairpinBy} meta l4proto { tcp, udp } dnat to meta l4proto . th dport map @hosts`}
    ${kind === 'full-cone' ? 'iifname "wan" meta l4proto { tcp, udp } dnat to meta l4proto . th dport map @hosts' : ''}
    ${kind === 'restricted' ? 'iifname "wan" meta l4proto { tcp, udp } ip saddr . meta l4proto . th dport @asked dnat to meta l4proto . th dport map @hosts' : ''}
  }
  chain outgoing {
    type nat hook postrouting priority srcnat;
    oifname "wan" meta l4proto { tcp, udp } ${outgoingRule(kind)}
    oifname "wan" masquerade
    ${hairpinBy === undefined ? '' : `iifname "lan" oifname "lan" ct status dnat snat to ${hairpinBy}`}
  }
  chain passing {
    type filter hook forward priority filter; policy drop;
    # frames between two hosts of the LAN show up here where the kernel has br_netfilter
    iifname "lan" oifname "lan" accept
    ct state invalid drop
    ${kind === 'udp-blocked' ? 'meta l4proto udp drop' : ''}
    ${kind === 'only-443' ? 'ct state new meta l4proto != tcp drop; ct state new tcp dport != 443 drop' : ''}
    ${remembers ? 'iifname "lan" meta l4proto { tcp, udp } update @hosts { meta l4proto . th sport : ip saddr }' : ''}
    ${cone ? 'iifname "lan" meta l4proto { tcp, udp } update @asked { ip daddr . meta l4proto . th sport }' : ''}
    ct state established,related accept
    iifname "lan" oifname "wan" accept
    ct status dnat accept
  }
  chain own {
    type filter hook input priority filter; policy accept;
    iifname "wan" meta l4proto { tcp, udp } drop
    # what a host sends to the outside of its own NAT, where that does not turn it back in
    iifname "lan" fib daddr type local ip daddr != { 192.168.0.0/16, 100.64.0.0/10 } meta l4proto { tcp, udp } drop
  }
}
`;
}
