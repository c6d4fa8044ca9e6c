/** The header of the PROXY protocol, versions 1 (text) and 2 (binary), in which a TCP proxy names its client. */
import { isIPv4, isIPv6 } from 'node:net';
import { WireError } from '../../core/errors.ts';
import { type HostPort, normalizeHost } from '../../core/wire/index.ts';

export interface ProxyHeader {
  /** The client and the address it dialled; null where the proxy speaks for itself (health checks) or knows none. */
  readonly source: HostPort | null;
  readonly destination: HostPort | null;
  /** Bytes of the header. */
  readonly length: number;
}

/** Longest header that is read: 107 bytes in version 1; in version 2 addresses and a proxy's extras (TLS, ids). */
export const MAX_PROXY_HEADER_BYTES = 2_048;
const MAX_V1_BYTES = 107;
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED = 16;

/** Reads the header at the beginning of `bytes`; null: more are needed. @throws WireError PROXY_HEADER */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer[0] === V2_SIGNATURE[0] ? readV2(buffer) : readV1(buffer);
}

function readV1(buffer: Buffer): ProxyHeader | null {
  const end = buffer.subarray(0, MAX_V1_BYTES).indexOf('\r\n');
  if (end < 0) {
    if (buffer.length >= MAX_V1_BYTES) throw broken('it has no end');
    return null;
  }
  const length = end + 2;
  const [word, family, from = '', to = '', fromPort = '', toPort = '', ...more] = buffer
    .toString('latin1', 0, end)
    .split(' ');
  if (word !== 'PROXY') throw broken('it does not begin with PROXY');
  if (family === 'UNKNOWN') return { source: null, destination: null, length };
  const fits = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : null;
  const ports = [readPort(fromPort), readPort(toPort)] as const;
  if (!fits?.(from) || !fits(to) || more.length > 0) throw broken('its addresses cannot be read');
  return {
    source: { host: normalizeHost(from), port: ports[0] },
    destination: { host: normalizeHost(to), port: ports[1] },
    length,
  };
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 0xffff)) throw broken('its ports cannot be read');
  return port;
}

function readV2(buffer: Buffer): ProxyHeader | null {
  const held = Math.min(buffer.length, V2_SIGNATURE.length);
  if (buffer.compare(V2_SIGNATURE, 0, held, 0, held) !== 0) throw broken('its signature is wrong');
  if (buffer.length < V2_FIXED) return null;
  const versionAndCommand = buffer.readUInt8(12);
  const length = V2_FIXED + buffer.readUInt16BE(14);
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) throw broken('its version or command is unknown');
  if (length > MAX_PROXY_HEADER_BYTES) throw broken(`it announces ${length} bytes`);
  if (buffer.length < length) return null;
  const nobody = { source: null, destination: null, length };
  if (versionAndCommand === 0x20) return nobody;
  const family = buffer.readUInt8(13);
  // UDP and unix sockets cannot have led here: the connection's own address stands.
  if (family !== 0x11 && family !== 0x21) return nobody;
  const size = family === 0x11 ? 4 : 16;
  if (length < V2_FIXED + 2 * size + 4) throw broken('its addresses are cut short');
  const ports = V2_FIXED + 2 * size;
  const host = (at: number): string => normalizeHost(readHost(buffer.subarray(at, at + size)));
  return {
    source: { host: host(V2_FIXED), port: buffer.readUInt16BE(ports) },
    destination: { host: host(V2_FIXED + size), port: buffer.readUInt16BE(ports + 2) },
    length,
  };
}

function readHost(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(':');
}

function broken(why: string): WireError {
  return new WireError('PROXY_HEADER', `this is no PROXY header: ${why}`);
}
