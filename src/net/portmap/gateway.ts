/** The default gateway: who is asked for ports. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { sourceTowards } from '../own-ipv6.ts';
import { PCP_PORT } from './pcp.ts';
import type { Gateway } from './types.ts';

/** A routing table is printed at once, or something is very wrong. */
const COMMAND_TIMEOUT_MS = 3_000;
/** A full routing table of the Internet is none of a desktop. */
export const MAX_TABLE_BYTES = 1024 * 1024;

export const RTF_UP = 1;
export const RTF_GATEWAY = 2;

/** The gateway of the default route with the least metric, from /proc/net/route; null: there is none. */
export function gatewayFromProc(table: string): string | null {
  let best: { address: string; metric: number } | null = null;
  for (const line of table.slice(0, MAX_TABLE_BYTES).split('\n').slice(1)) {
    const [, destination, hex = '', flagText = '', , , metricText, mask] = line.trim().split(/\s+/);
    const flags = Number.parseInt(flagText, 16);
    const isDefault = destination === '00000000' && mask === '00000000';
    if (!isDefault || !(flags & RTF_UP) || !(flags & RTF_GATEWAY) || !/^[0-9A-F]{8}$/i.test(hex)) continue;
    const metric = Number(metricText);
    // The kernel prints the address as the number it is in memory.
    const address = [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
    if (!best || metric < best.metric) best = { address, metric };
  }
  return best?.address ?? null;
}

/** The same from what `netstat -rn` (macOS) and `route print` (Windows) print. Tested with tables written after their manuals only. */
export function gatewayFromTable(table: string): string | null {
  for (const line of table.slice(0, MAX_TABLE_BYTES).split('\n')) {
    const gateway = /^\s*(?:default|0\.0\.0\.0\s+0\.0\.0\.0)\s+(\d+\.\d+\.\d+\.\d+)\s/.exec(`${line} `)?.[1];
    if (gateway !== undefined && isIPv4(gateway) && gateway !== '0.0.0.0') return gateway;
  }
  return null;
}

/** The gateway of this computer and our address towards it; null: none, or it cannot be found out. */
export async function findGateway(): Promise<Gateway | null> {
  try {
    const address = await defaultGateway();
    const localAddress = address === null ? null : await sourceTowards({ host: address, port: PCP_PORT });
    return address === null || localAddress === null ? null : { address, localAddress };
  } catch {
    return null;
  }
}

async function defaultGateway(): Promise<string | null> {
  if (process.platform === 'linux') return gatewayFromProc(await readFile('/proc/net/route', 'utf8'));
  const [command, args] = process.platform === 'win32' ? (['route', ['print', '-4', '0.0.0.0']] as const) : (['netstat', ['-rn', '-f', 'inet']] as const);
  return gatewayFromTable(await printedTable(command, args));
}

/** What the system's command says about its routes. Rejects when it cannot be run. */
export function printedTable(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { timeout: COMMAND_TIMEOUT_MS, maxBuffer: MAX_TABLE_BYTES, windowsHide: true }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}
