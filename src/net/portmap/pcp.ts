/** Port Control Protocol, version 2: the bytes (RFC 6887). IPv4 and IPv6 addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d. */
import { WireError } from '../../core/errors.ts';
import { mangleAddress, unmangleAddress } from '../../core/wire/address.ts';
import type { MappedProtocol } from './types.ts';

/** Port of the server; clients hear announcements on {@link ANNOUNCE_PORT} (RFC 6887 §19.1). */
export const PCP_PORT = 5351;
export const ANNOUNCE_PORT = 5350;
/** All nodes of the link, where gateways tell of their restart (RFC 6887 §14.1, RFC 6886 §3.2.1). */
export const ANNOUNCE_GROUP = '224.0.0.1';
export const ANNOUNCE_GROUP6 = 'ff02::1';
export const NONCE_BYTES = 12;

const VERSION = 2;
const RESPONSE = 0x80;
const HEADER_BYTES = 24;
const MAP_BYTES = 36;
/** RFC 6887 §7: a message is never longer. */
const MAX_BYTES = 1100;
const OPCODES = ['announce', 'map'] as const;
/** Numbers of the IP protocols. */
const PROTOCOLS = { tcp: 6, udp: 17 } as const;

/** RFC 6887 §7.4, by number. */
export const PCP_RESULTS = [
  'SUCCESS',
  'UNSUPP_VERSION',
  'NOT_AUTHORIZED',
  'MALFORMED_REQUEST',
  'UNSUPP_OPCODE',
  'UNSUPP_OPTION',
  'MALFORMED_OPTION',
  'NETWORK_FAILURE',
  'NO_RESOURCES',
  'UNSUPP_PROTOCOL',
  'USER_EX_QUOTA',
  'CANNOT_PROVIDE_EXTERNAL',
  'ADDRESS_MISMATCH',
  'EXCESSIVE_REMOTE_PEERS',
] as const;
export type PcpResult = (typeof PCP_RESULTS)[number] | 'UNKNOWN';

export interface PcpMap {
  readonly nonce: Uint8Array;
  readonly protocol: MappedProtocol;
  readonly internalPort: number;
  readonly externalPort: number;
  readonly externalAddress: string;
}

export interface PcpMapRequest extends Omit<PcpMap, 'externalAddress'> {
  readonly clientAddress: string;
  /** 0 deletes. */
  readonly lifetimeS: number;
  /** The one liked best; none: any. */
  readonly externalAddress?: string;
}

export interface PcpResponse {
  readonly opcode: (typeof OPCODES)[number];
  readonly result: PcpResult;
  /** Of the mapping; of the error when there is one: how long it will be the same. */
  readonly lifetimeS: number;
  /** Seconds since the server began to remember (RFC 6887 §8.5). */
  readonly epochS: number;
  /** What a MAP is about, also in errors (RFC 6887 §11.1); null for others. */
  readonly map: PcpMap | null;
}

/** Asks for nothing: any answer says that PCP is spoken, and carries the epoch (RFC 6887 §14.1). */
export function encodePcpAnnounce(clientAddress: string): Uint8Array {
  return header(0, 0, clientAddress, 0);
}

/** RFC 6887 §11.1. */
export function encodePcpMap(request: PcpMapRequest): Uint8Array {
  const bytes = header(1, request.lifetimeS, request.clientAddress, MAP_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(request.nonce.subarray(0, NONCE_BYTES), HEADER_BYTES);
  view.setUint8(36, PROTOCOLS[request.protocol]);
  view.setUint16(40, request.internalPort);
  view.setUint16(42, request.externalPort);
  // No address is liked better than another (RFC 6887 §11.1): all zeros of the family.
  bytes.set(addressBytes(request.externalAddress ?? (request.clientAddress.includes(':') ? '::' : '0.0.0.0')), 44);
  return bytes;
}

/** Reads an answer or an announcement. Throws WireError: too short, too long, a request, another version, no MAP. */
export function decodePcp(bytes: Uint8Array): PcpResponse {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_BYTES || bytes.length % 4 !== 0) throw bad(`${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint8(0) !== VERSION) throw bad(`version ${view.getUint8(0)}`);
  const code = view.getUint8(1);
  const opcode = code & RESPONSE ? OPCODES[code & 0x7f] : undefined;
  if (opcode === undefined) throw bad(`opcode ${code}`);
  if (opcode === 'map' && bytes.length < HEADER_BYTES + MAP_BYTES) throw bad('a MAP that is cut off');
  return {
    opcode,
    result: PCP_RESULTS[view.getUint8(3)] ?? 'UNKNOWN',
    lifetimeS: view.getUint32(4),
    epochS: view.getUint32(8),
    map: opcode === 'map' ? readMap(bytes, view) : null,
  };
}

function readMap(bytes: Uint8Array, view: DataView): PcpMap {
  const number = view.getUint8(36);
  if (number !== PROTOCOLS.tcp && number !== PROTOCOLS.udp) throw bad(`protocol ${number}`);
  return {
    nonce: bytes.slice(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES),
    protocol: number === PROTOCOLS.tcp ? 'tcp' : 'udp',
    internalPort: view.getUint16(40),
    externalPort: view.getUint16(42),
    externalAddress: unmangleAddress(Uint8Array.of(...bytes.subarray(44, 60), 0, 0)).host,
  };
}

function header(opcode: number, lifetimeS: number, clientAddress: string, payloadBytes: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payloadBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, opcode);
  view.setUint32(4, lifetimeS);
  bytes.set(addressBytes(clientAddress), 8);
  return bytes;
}

function addressBytes(address: string): Uint8Array {
  if (address.includes(':')) return mangleAddress({ host: address, port: 0 }).subarray(0, 16);
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...address.split('.').map(Number));
}

function bad(what: string): WireError {
  return new WireError('BAD_PCP', `not an answer of PCP: ${what}`);
}
