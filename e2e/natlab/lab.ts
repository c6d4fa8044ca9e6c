import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Capture, startCapture } from './capture.ts';
import { DelayLines, type DelayShape, type DelayStats } from './delay.ts';
import { LabHost } from './host.ts';
import { gatewayRules, type NatKind } from './nat-kind.ts';
import { sh, trySh } from './shell.ts';

/**
 * Where a host stands:
 *
 * - a kind: on the public segment (`open`), or behind a gateway of its own
 * - `behind`: on the LAN of another host
 * - `carrier`: behind a gateway of its own, which stands behind that of a carrier
 * - `carrierOf`: the same, behind the carrier's gateway of an earlier host
 * - `ipv6`: behind a gateway of its own, with IPv6 whatever the rest of the lab has: past the gateway (`firewalled`), or through
 *   it (`routed`), which then lets in only what answers
 */
export type HostPlace =
  | NatKind
  | { readonly behind: string }
  | { readonly kind: GatewayKind; readonly carrier: GatewayKind; readonly hairpin?: boolean }
  | { readonly kind: GatewayKind; readonly carrierOf: string }
  | { readonly kind: GatewayKind; readonly ipv6: 'firewalled' | 'routed' };

type GatewayKind = Exclude<NatKind, 'open'>;

export interface LabOptions {
  /** Name → place. A `{ behind: name }` must come after the host it names. */
  readonly hosts: Readonly<Record<string, HostPlace>>;
  /**
   * Gives the public segment and open hosts 2001:db8:113::/64 as well; with `everywhere` hosts behind gateways too, which
   * then reach each other over IPv6 whatever their gateways do to IPv4; with `firewalled` each of those has a firewall that
   * lets in only what answers. Default false.
   */
  readonly ipv6?: IPv6Places;
  /**
   * The public segment is this /24, its first three numbers. Default 203.0.113, which is for documentation: programs that
   * refuse such addresses, as a UPnP gateway does, need another (`PUBLIC_LOOKING`).
   */
  readonly segment?: string;
}

type IPv6Places = boolean | 'everywhere' | 'firewalled';

/** Drops what comes in unasked over IPv6, without an answer. Neighbour discovery is no business of a router's firewall. */
const IPV6_FIREWALL = `
table ip6 firewall {
  chain incoming {
    type filter hook input priority filter; policy accept;
    iifname "eth6" ct state established,related accept
    iifname "eth6" meta l4proto { tcp, udp } drop
  }
}`;

/** The networks behind gateways that route IPv6; 2001:db8:8000:N::/64 is behind the Nth. */
const ROUTED = '2001:db8:8000';

/** Before IPv6 that is routed: lets in only what answers. A gateway that opens pinholes replaces it. */
const ROUTER_FIREWALL = `
table ip6 firewall {
  chain passing {
    type filter hook forward priority filter; policy accept;
    iifname "wan" ct state new drop
  }
}`;

/** A network that programs take for a public one; nothing of a lab ever leaves its namespaces. */
export const PUBLIC_LOOKING = '192.0.1';

/** Namespaces of labs are named `ldlab-<pid of the owner>-<serial>-…`, so that those of dead owners can be told. */
const PREFIX = 'ldlab-';
let serial = 0;

/** Addresses .10 and up of the segment go to hosts and gateways; .1 is the segment itself. */
const FIRST_PUBLIC = 10;
const MAX_PUBLIC = 200;

interface Site {
  readonly namespace: string;
  /** First three numbers of the addresses on its LAN. */
  readonly lan: string;
  readonly publicAddress: string;
  readonly kind: GatewayKind;
  /** The carrier's gateway in front of it. */
  readonly carrier: Site | null;
  hosts: number;
}

/** A public segment, its hosts and the NAT gateways between them, each in a network namespace of its own. */
export class Lab {
  readonly #id: string;
  readonly #prefix: string;
  readonly #namespaces: string[] = [];
  readonly #hosts = new Map<string, LabHost>();
  readonly #sites = new Map<string, Site>();
  readonly #captures: Capture[] = [];
  #delays: DelayLines | undefined;
  /** A directory of the lab's own, removed with it. */
  readonly directory: string;
  readonly #onExit = (): void => this.#teardown();
  #nextPublic = FIRST_PUBLIC;
  #gateways = 0;
  #destroyed = false;

  constructor(options: LabOptions) {
    removeLeftovers();
    serial += 1;
    this.#id = `${PREFIX}${process.pid}-${serial}`;
    this.#prefix = options.segment ?? '203.0.113';
    this.directory = mkdtempSync(join(tmpdir(), 'litedesk-lab-'));
    // A test run that is cut short must not leave namespaces with processes in them.
    process.on('exit', this.#onExit);
    try {
      const segment = this.#addNamespace('pub');
      sh(`
        ip -n ${segment} link add br0 type bridge
        ip -n ${segment} addr add ${this.#prefix}.1/24 dev br0
        ${options.ipv6 ? `ip netns exec ${segment} sysctl -qw net.ipv6.conf.br0.disable_ipv6=0; ip -n ${segment} addr add 2001:db8:113::1/64 dev br0 nodad` : ''}
        ip -n ${segment} link set br0 up
      `);
      for (const [name, place] of Object.entries(options.hosts)) this.#addHost(name, place, options.ipv6 ?? false);
    } catch (error) {
      this.#teardown();
      throw error;
    }
  }

  /** The namespace that holds the bridge of the public segment: everything between the sites passes here. */
  get segment(): string {
    return `${this.#id}-pub`;
  }

  /** The host of that name; throws when the lab has none. */
  host(name: string): LabHost {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`the lab has no host ${name}`);
    return host;
  }

  /** The gateway in front of that host, as a place to start processes on; its interfaces are `wan` and `lan`. */
  gateway(name: string): LabHost {
    const site = this.#siteOf(name);
    const { namespace, kind, publicAddress, lan } = site;
    return new LabHost({ name: `gw-${name}`, namespace, kind, address: `${lan}.1`, publicAddress });
  }

  /** Runs nft with `rules` on the gateway of that host: to block, drop or count something while a test runs. */
  changeGateway(name: string, rules: string): void {
    const site = this.#siteOf(name);
    sh(`ip netns exec ${site.namespace} nft -f - <<'RULES'\n${rules}\nRULES\n`);
  }

  /**
   * Drops `percent` of the packets that cross the public segment, in either direction, from now on (0 ends it).
   * Random, not seeded: for tests that must hold with any loss pattern.
   */
  setLoss(percent: number): void {
    trySh(`ip netns exec ${this.segment} nft delete table bridge loss`);
    if (percent <= 0) return;
    sh(`ip netns exec ${this.segment} nft -f - <<'RULES'
table bridge loss {
  chain passing {
    type filter hook forward priority filter; policy accept;
    meta protocol { ip, ip6 } meta l4proto { tcp, udp } numgen random mod 1000 < ${Math.round(percent * 10)} drop
  }
}
RULES
`);
  }

  /**
   * From now on nothing passes the public segment between these pairs of public addresses, silently; `'all'`: nothing passes at
   * all. Replaces what was cut before; an empty list mends everything.
   */
  cut(pairs: readonly (readonly [string, string])[] | 'all'): void {
    const rules =
      pairs === 'all'
        ? ['meta protocol { ip, ip6 } drop']
        : pairs.flatMap(([one, other]) => [`ip saddr ${one} ip daddr ${other} drop`, `ip saddr ${other} ip daddr ${one} drop`]);
    sh(`ip netns exec ${this.segment} nft -f - <<'RULES'
table bridge cut {
  chain passing {
    type filter hook forward priority filter; policy accept;
  }
}
flush chain bridge cut passing
${rules.map((rule) => `add rule bridge cut passing ${rule}`).join('\n')}
RULES
`);
  }

  /**
   * From now on what passes between that host and the public segment is delayed, limited and lost in this way; for a host
   * behind a gateway, on the gateway's cable. Ask `delayUnavailable()` first.
   */
  async setDelay(name: string, shape: DelayShape): Promise<void> {
    this.#delays ??= new DelayLines(this.segment);
    await this.#delays.set(portOf(this.host(name)), shape);
  }

  /** What passed there since the last call; throws where no delay was set. */
  async delayStats(name: string): Promise<DelayStats> {
    if (this.#delays === undefined) throw new Error('the lab has no delays');
    return this.#delays.stats(portOf(this.host(name)));
  }

  /** Records what crosses the public segment; resolves once tcpdump listens. */
  async capture(): Promise<Capture> {
    const capture = await startCapture(this.segment, join(this.directory, `segment-${this.#captures.length}.pcap`));
    this.#captures.push(capture);
    return capture;
  }

  /** Ends every process in the lab and removes its namespaces. Safe to call twice. */
  async destroy(): Promise<void> {
    await Promise.all(this.#captures.map((capture) => capture.stop()));
    await Promise.all([...this.#hosts.values()].map((host) => host.killAll()));
    await this.#delays?.close();
    this.#teardown();
  }

  #addNamespace(name: string): string {
    const namespace = `${this.#id}-${name}`;
    this.#namespaces.push(namespace);
    // IPv6 is off on new interfaces: link-local addresses would only add waiting for duplicate address detection.
    sh(`
      mkdir -p /run/netns
      ip netns add ${namespace}
      ip netns exec ${namespace} sysctl -qw net.ipv6.conf.default.disable_ipv6=1
      ip netns exec ${namespace} sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true
      ip -n ${namespace} link set lo up
    `);
    return namespace;
  }

  /** Joins `namespace` to the public segment by its interface `device`; returns the address it got there. */
  #joinSegment(namespace: string, device: string, ipv6: boolean): string {
    const number = this.#nextPublic++;
    if (number > MAX_PUBLIC) throw new Error('the public segment of the lab is full');
    const address = `${this.#prefix}.${number}`;
    sh(`
      ip -n ${namespace} link add ${device} type veth peer name p${number} netns ${this.segment}
      ip -n ${this.segment} link set p${number} master br0 up
      ip -n ${namespace} addr add ${address}/24 dev ${device}
      ${ipv6 ? `ip netns exec ${namespace} sysctl -qw net.ipv6.conf.${device}.disable_ipv6=0; ip -n ${namespace} addr add 2001:db8:113::${number}/64 dev ${device} nodad` : ''}
      ip -n ${namespace} link set ${device} up
      ${ipv6 ? `ip -n ${namespace} -6 route add ${ROUTED}::/48 via 2001:db8:113::1` : ''}
    `);
    return address;
  }

  /** A gateway with an empty LAN, on the public segment or on the LAN of a carrier's gateway. */
  #addSite(name: string, kind: GatewayKind, carrier: Site | null, hairpin = false, isCarrier = false): Site {
    const namespace = this.#addNamespace(`${isCarrier ? 'cgn' : 'gw'}-${name}`);
    const wan = carrier ? this.#joinLan(carrier, namespace, 'wan') : this.#joinSegment(namespace, 'wan', false);
    this.#gateways += 1;
    const lan = isCarrier ? `100.64.${this.#gateways}` : `192.168.${this.#gateways}`;
    sh(`
      ip -n ${namespace} link add lan type bridge
      ip -n ${namespace} addr add ${lan}.1/24 dev lan
      ip -n ${namespace} link set lan up
      ip netns exec ${namespace} sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.lan.send_redirects=0
      ip netns exec ${namespace} nft -f - <<'RULES'
${gatewayRules(kind, { hairpinBy: hairpin ? wan : undefined })}
RULES
    `);
    return { namespace, lan, publicAddress: carrier?.publicAddress ?? wan, kind, carrier, hosts: 0 };
  }

  /** Joins `namespace` to the LAN of a site by its interface `device`; returns the address it got there. */
  #joinLan(site: Site, namespace: string, device: string): string {
    site.hosts += 1;
    const address = `${site.lan}.${9 + site.hosts}`;
    sh(`
      ip -n ${namespace} link add ${device} type veth peer name h${site.hosts} netns ${site.namespace}
      ip -n ${site.namespace} link set h${site.hosts} master lan up
      ip -n ${namespace} addr add ${address}/24 dev ${device}
      ip -n ${namespace} link set ${device} up
      ip -n ${namespace} route add default via ${site.lan}.1
    `);
    return address;
  }

  /** A second interface of a host behind a gateway, for IPv6 alone. */
  #joinSegmentByIPv6(namespace: string, firewalled: boolean): void {
    const number = this.#nextPublic++;
    sh(`
      ip -n ${namespace} link add eth6 type veth peer name p${number} netns ${this.segment}
      ip -n ${this.segment} link set p${number} master br0 up
      ip netns exec ${namespace} sysctl -qw net.ipv6.conf.eth6.disable_ipv6=0
      ip -n ${namespace} addr add 2001:db8:113::${number}/64 dev eth6 nodad
      ip -n ${namespace} link set eth6 up
      ${firewalled ? `ip netns exec ${namespace} nft -f - <<'RULES'\n${IPV6_FIREWALL}\nRULES` : ''}
    `);
  }

  /** IPv6 for a host through its gateway, which it knows by a link-local address, as from router advertisements. */
  #routeIPv6(site: Site, namespace: string): void {
    const number = this.#nextPublic++;
    const network = `${ROUTED}:${number}`;
    const gateway = site.namespace;
    sh(`
      ip netns exec ${gateway} sysctl -qw net.ipv6.conf.wan.disable_ipv6=0 net.ipv6.conf.lan.disable_ipv6=0 net.ipv6.conf.all.forwarding=1
      ip -n ${gateway} addr add 2001:db8:113::${number}/64 dev wan nodad
      ip -n ${gateway} addr add ${network}::1/64 dev lan nodad
      ip -n ${gateway} addr add fe80::1/64 dev lan nodad
      ip -n ${gateway} -6 route add default via 2001:db8:113::1
      ip netns exec ${this.segment} sysctl -qw net.ipv6.conf.all.forwarding=1
      ip -n ${this.segment} -6 route add ${network}::/64 via 2001:db8:113::${number}
      ip netns exec ${namespace} sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0
      ip -n ${namespace} addr add ${network}::10/64 dev eth0 nodad
      ip -n ${namespace} -6 route add default via fe80::1 dev eth0
      ip netns exec ${gateway} nft -f - <<'RULES'
${ROUTER_FIREWALL}
RULES
    `);
  }

  #addHost(name: string, place: HostPlace, ipv6: IPv6Places): void {
    if (!/^[a-z0-9]{1,12}$/.test(name)) throw new Error(`${name} cannot name a host of the lab`);
    const namespace = this.#addNamespace(name);
    if (place === 'open') {
      const address = this.#joinSegment(namespace, 'eth0', ipv6 !== false);
      this.#hosts.set(name, new LabHost({ name, namespace, kind: 'open', address, publicAddress: address }));
      return;
    }
    const site = this.#siteFor(name, place);
    this.#sites.set(name, site);
    const address = this.#joinLan(site, namespace, 'eth0');
    const own = typeof place === 'object' && 'ipv6' in place ? place.ipv6 : ipv6;
    if (own === 'routed') this.#routeIPv6(site, namespace);
    if (own === 'everywhere' || own === 'firewalled') this.#joinSegmentByIPv6(namespace, own === 'firewalled');
    this.#hosts.set(
      name,
      new LabHost({ name, namespace, kind: site.kind, address, publicAddress: site.publicAddress }),
    );
  }

  #siteFor(name: string, place: Exclude<HostPlace, 'open'>): Site {
    if (typeof place === 'string') return this.#addSite(name, place, null);
    if ('behind' in place) return this.#siteOf(place.behind);
    if ('carrier' in place) return this.#addSite(name, place.kind, this.#addSite(name, place.carrier, null, place.hairpin, true));
    if ('ipv6' in place) return this.#addSite(name, place.kind, null);
    const { carrier } = this.#siteOf(place.carrierOf);
    if (carrier === null) throw new Error(`${place.carrierOf} has no carrier's gateway`);
    return this.#addSite(name, place.kind, carrier);
  }

  #siteOf(name: string): Site {
    const site = this.#sites.get(name);
    if (site === undefined) throw new Error(`${name} is no earlier host behind a gateway`);
    return site;
  }

  /** Synchronous on purpose: it also runs while the process exits. */
  #teardown(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    process.off('exit', this.#onExit);
    for (const namespace of this.#namespaces) removeNamespace(namespace);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The port of the segment's bridge where the cable of this host, or of its gateway, ends. */
function portOf(host: LabHost): string {
  return `p${host.publicAddress.split('.')[3]}`;
}

/** Builds a lab; the caller destroys it. Throws when this machine cannot (ask `labUnavailable()` first). */
export async function createLab(options: LabOptions): Promise<Lab> {
  return new Lab(options);
}

function removeNamespace(namespace: string): void {
  trySh(`
    for pid in $(ip netns pids ${namespace} 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done
    ip netns del ${namespace}
  `);
}

/** Removes the namespaces of labs whose owner died without doing it (a crash, SIGKILL). */
function removeLeftovers(): void {
  for (const line of (trySh('ip netns list') ?? '').split('\n')) {
    const namespace = line.split(' ')[0] ?? '';
    const owner = Number(/^ldlab-(\d+)-/.exec(namespace)?.[1] ?? 0);
    if (owner > 0 && owner !== process.pid && !isAlive(owner)) removeNamespace(namespace);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
