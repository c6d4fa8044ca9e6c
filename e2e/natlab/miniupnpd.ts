import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';
import { sh, trySh } from './shell.ts';

export interface MiniupnpdOptions {
  /** Which Internet Gateway Device it says to be; null: UPnP is off. Default 2. */
  readonly igd?: 1 | 2 | null;
  /** NAT-PMP and PCP, which this build speaks together. Default true. */
  readonly natPmpAndPcp?: boolean;
  /** Its permission rules, first match counts. Default: ports from 1024 up for everybody, nothing else. */
  readonly rules?: readonly string[];
}

/** A running miniupnpd: what makes a gateway of the lab open ports on request. */
export interface Miniupnpd {
  /** What it put into the packet filter: its whole table as nft shows it. */
  table(): string;
  /** Ends it at once, as a power cut does; its mappings go with it, as they do in a router. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, with nothing remembered. */
  start(): Promise<void>;
  /** Gives the gateway another public address (a number in the segment) and lets the daemon notice. Returns the address. */
  moveWan(lastNumber: number): string;
}

/** A table of its own, so that ending the daemon leaves the lab's NAT as it was. */
const TABLE = `table inet miniupnpd {
  chain forward {
    type filter hook forward priority filter; policy accept;
    jump miniupnpd
    # where it routes IPv6: only what answers, or is let in by a pinhole
    meta nfproto ipv6 iifname "wan" ct state new drop
  }
  chain miniupnpd { }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump prerouting_miniupnpd
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 1; policy accept;
    jump postrouting_miniupnpd
  }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}`;

/** Null when miniupnpd is installed, else one sentence that says what is missing. */
export function miniupnpdUnavailable(): string | null {
  return trySh('command -v miniupnpd') === null ? 'miniupnpd-nftables is not installed' : null;
}

/**
 * Starts miniupnpd on the gateway in front of `host`, of a lab with `segment: PUBLIC_LOOKING`: it refuses to open ports of an
 * address that is reserved. Resolves once it serves; the lab ends it at the latest.
 */
export async function startMiniupnpd(lab: Lab, host: string, options: MiniupnpdOptions = {}): Promise<Miniupnpd> {
  const { igd = 2, natPmpAndPcp = true, rules = ['allow 1024-65535 0.0.0.0/0 1024-65535', 'deny 0-65535 0.0.0.0/0 0-65535'] } = options;
  const gateway = lab.gateway(host);
  const file = join(lab.directory, `miniupnpd-${host}`);
  const nft = `ip netns exec ${gateway.namespace} nft`;
  writeFileSync(
    `${file}.conf`,
    [
      'ext_ifname=wan',
      'ext_ifname6=wan',
      'listening_ip=lan',
      `enable_upnp=${igd === null ? 'no' : 'yes'}`,
      `enable_natpmp=${natPmpAndPcp ? 'yes' : 'no'}`,
      `force_igd_desc_v1=${igd === 1 ? 'yes' : 'no'}`,
      'upnp_table_name=miniupnpd',
      'upnp_nat_table_name=miniupnpd',
      'secure_mode=yes',
      'uuid=6f0f6f0a-0000-4000-8000-000000000001',
      'min_lifetime=1',
      'max_lifetime=86400',
      ...rules,
      '',
    ].join('\n'),
  );
  // Multicast needs a route where there is no default one.
  sh(`ip -n ${gateway.namespace} route replace 224.0.0.0/4 dev lan`);
  let child: ReturnType<typeof gateway.spawn> | undefined;

  const start = async (): Promise<void> => {
    trySh(`${nft} delete table inet miniupnpd`);
    sh(`${nft} -f - <<'RULES'\n${TABLE}\nRULES\n`);
    trySh(`${nft} delete table ip6 firewall`);
    const daemon = gateway.spawn('miniupnpd', ['-d', '-f', `${file}.conf`, '-P', `${file}.pid`], { stdio: ['ignore', 'ignore', 'pipe'] });
    child = daemon;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      daemon.stderr?.setEncoding('utf8').on('data', (text: string) => {
        if (said.length > 100_000) return;
        said += text;
        // Its sockets are open by then.
        if (/Listening for NAT-PMP|HTTP listening on port/.test(said) && (!natPmpAndPcp || said.includes('Listening for NAT-PMP'))) resolve();
      });
      daemon.once('error', reject);
      daemon.once('exit', () => reject(new Error(`miniupnpd ended: ${said}`)));
    });
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    trySh(`${nft} delete table inet miniupnpd`);
  };
  await start();
  return {
    table: () => trySh(`${nft} list table inet miniupnpd`) ?? '',
    kill,
    start,
    moveWan(lastNumber) {
      const address = gateway.publicAddress.replace(/\d+$/, String(lastNumber));
      sh(`
        ip -n ${gateway.namespace} addr flush dev wan
        ip -n ${gateway.namespace} addr add ${address}/24 dev wan
      `);
      child?.kill('SIGUSR1');
      return address;
    },
  };
}
