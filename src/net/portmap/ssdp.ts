/** How a UPnP gateway is found: a question over UDP, answers with a URL (UPnP Device Architecture 1.1 §1.3). */

import { mangleAddress } from '../../core/wire/address.ts';
import { formatHostPort } from '../endpoint.ts';
import type { Gateway } from './types.ts';

export const SSDP = { host: '239.255.255.250', port: 1900 } as const;
/** The same over IPv6, on the link. */
export const SSDP6 = { host: 'ff02::c', port: 1900 } as const;

/** An answer has some 500 bytes. */
const MAX_ANSWER_BYTES = 4096;
const MAX_URL_CHARS = 512;

/** Newest first; a gateway of version 2 answers for version 1 too. */
export const IGD_TYPES = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
] as const;

/** The question for devices of a type. `waitS`: answers are spread over so many seconds. */
export function ssdpSearch(type: string, waitS: number, group: { host: string; port: number } = SSDP): Uint8Array {
  return Buffer.from(
    `M-SEARCH * HTTP/1.1\r\nHOST: ${formatHostPort(group)}\r\nMAN: "ssdp:discover"\r\nMX: ${waitS}\r\nST: ${type}\r\n\r\n`,
    'latin1',
  );
}

/** Where the description of an Internet gateway is, from an answer; null when it is none of one. */
export function ssdpLocation(datagram: Uint8Array): string | null {
  if (datagram.length > MAX_ANSWER_BYTES) return null;
  const [status = '', ...lines] = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length).toString('latin1').split(/\r?\n/);
  if (!/^HTTP\/1\.[01] 200(?: |$)/.test(status)) return null;
  const header = (name: string): string => {
    const line = lines.find((text) => text.toLowerCase().startsWith(`${name}:`));
    return line?.slice(name.length + 1).trim() ?? '';
  };
  const type = header('st');
  const location = header('location');
  return IGD_TYPES.some((known) => known === type) && location !== '' && location.length <= MAX_URL_CHARS ? location : null;
}

/**
 * A URL that a gateway names, as far as it may be asked for: plain http on the gateway itself, by address, on any port. Null
 * for everything else, so that no answer makes us ask another computer for something.
 */
export function gatewayUrl(text: string, base: URL | undefined, gateway: Gateway): URL | null {
  if (text.length > MAX_URL_CHARS || /[^\x21-\x7e]/.test(text)) return null;
  try {
    const url = new URL(text, base);
    const isPlain = url.protocol === 'http:' && url.username === '' && url.password === '';
    return isPlain && isGatewayHost(url.hostname, gateway) && url.port !== '0' ? url : null;
  } catch {
    return null;
  }
}

/**
 * Whether that is the gateway, in an answer or a URL: its own address, or where we know it by a link-local one, another of our network
 * (/64). Whoever can forge such a one could forge the other as well.
 */
export function isGatewayHost(hostname: string, { address, localAddress }: Gateway): boolean {
  if (!address.includes(':')) return hostname === address;
  const host = hostname.replace(/^\[|\]$/g, '');
  if (!host.includes(':')) return false;
  const [theirs, known, ours] = [addressBytes(host), addressBytes(address), addressBytes(localAddress)];
  if (theirs.equals(known)) return true;
  return /^fe[89ab]/i.test(address) && theirs.subarray(0, 8).equals(ours.subarray(0, 8)) && !theirs.equals(ours);
}

function addressBytes(host: string): Buffer {
  return Buffer.from(mangleAddress({ host, port: 0 }).subarray(0, 16));
}
