/** The default gateway over IPv6: who is asked to let connections to this computer in. */
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { unmangleAddress } from '../../core/wire/address.ts';
import { ownIPv6 } from '../own-ipv6.ts';
import { MAX_TABLE_BYTES, printedTable, RTF_GATEWAY, RTF_UP } from './gateway.ts';
import type { Gateway } from './types.ts';

/** The default route with the least metric, from /proc/net/ipv6_route; link-local ones with their zone. Null: there is none. */
export function gatewayFromProc6(table: string): string | null {
  let best: { address: string; metric: number } | null = null;
  for (const line of table.slice(0, MAX_TABLE_BYTES).split('\n')) {
    const [destination = '', bits, , , hex = '', metricText = '', , , flagText = '', device = ''] = line.trim().split(/\s+/);
    const flags = Number.parseInt(flagText, 16);
    if (!/^0{32}$/.test(destination) || bits !== '00' || !(flags & RTF_UP) || !(flags & RTF_GATEWAY) || !/^[0-9a-f]{32}$/i.test(hex)) continue;
    const metric = Number.parseInt(metricText, 16);
    const { host } = unmangleAddress(Uint8Array.of(...Buffer.from(hex, 'hex'), 0, 0));
    if (!best || metric < best.metric) best = { address: withZone(host, device), metric };
  }
  return best?.address ?? null;
}

/** The same from what `netstat -rn` (macOS) and `route print` (Windows) print. Tested with tables written after their manuals only. */
export function gatewayFromTable6(table: string): string | null {
  for (const line of table.slice(0, MAX_TABLE_BYTES).split('\n')) {
    const mac = /^default\s+(\S+)\s/.exec(`${line} `)?.[1];
    const [, index = '', windows] = /^\s*(\d+)\s+\d+\s+::\/0\s+(\S+)/.exec(line) ?? [];
    const address = mac ?? (windows === undefined ? undefined : withZone(windows, index));
    if (address !== undefined && isIPv6(address)) return address;
  }
  return null;
}

/** The gateway of this computer and our address in the Internet; null: one of them is not there. */
export async function findGateway6(): Promise<Gateway | null> {
  try {
    const [address, localAddress] = await Promise.all([defaultGateway(), ownIPv6()]);
    return address === null || localAddress === null ? null : { address, localAddress };
  } catch {
    return null;
  }
}

/** The interface that has that address; '' when none does. */
export function interfaceOf(address: string): string {
  return Object.entries(networkInterfaces()).find(([, entries]) => entries?.some((entry) => entry.address === address))?.[0] ?? '';
}

export function withZone(host: string, zone: string): string {
  return /^fe[89ab]/i.test(host) && zone !== '' && !host.includes('%') ? `${host}%${zone}` : host;
}

async function defaultGateway(): Promise<string | null> {
  if (process.platform === 'linux') return gatewayFromProc6(await readFile('/proc/net/ipv6_route', 'utf8'));
  const [command, args] = process.platform === 'win32' ? (['route', ['print', '-6', '::/0']] as const) : (['netstat', ['-rn', '-f', 'inet6']] as const);
  return gatewayFromTable6(await printedTable(command, args));
}
