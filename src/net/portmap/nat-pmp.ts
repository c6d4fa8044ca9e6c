/** NAT Port Mapping Protocol, version 0: the bytes (RFC 6886 §3). */
import { WireError } from '../../core/errors.ts';
import type { MappedProtocol } from './types.ts';

const RESPONSE = 0x80;
const ADDRESS_BYTES = 12;
const MAP_BYTES = 16;
const OPCODES = { udp: 1, tcp: 2 } as const;

/** RFC 6886 §3.5, by number. */
const NAT_PMP_RESULTS = [
  'SUCCESS',
  'UNSUPPORTED_VERSION',
  'NOT_AUTHORIZED',
  'NETWORK_FAILURE',
  'OUT_OF_RESOURCES',
  'UNSUPPORTED_OPCODE',
] as const;
export type NatPmpResult = (typeof NAT_PMP_RESULTS)[number] | 'UNKNOWN';

export type NatPmpResponse = {
  readonly result: NatPmpResult;
  /** Seconds since the gateway began to remember (RFC 6886 §3.6). */
  readonly epochS: number;
} & (
  | { readonly kind: 'address'; readonly externalAddress: string }
  | {
      readonly kind: 'map';
      readonly protocol: MappedProtocol;
      readonly internalPort: number;
      readonly externalPort: number;
      readonly lifetimeS: number;
    }
);

export interface NatPmpMapRequest {
  readonly protocol: MappedProtocol;
  readonly internalPort: number;
  /** 0 with lifetime 0, to delete (RFC 6886 §3.4). */
  readonly externalPort: number;
  readonly lifetimeS: number;
}

/** Asks for the address outside (RFC 6886 §3.2). */
export function encodeNatPmpAddress(): Uint8Array {
  return new Uint8Array(2);
}

/** RFC 6886 §3.3. */
export function encodeNatPmpMap(request: NatPmpMapRequest): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, OPCODES[request.protocol]);
  view.setUint16(4, request.internalPort);
  view.setUint16(6, request.externalPort);
  view.setUint32(8, request.lifetimeS);
  return bytes;
}

/** Reads an answer or an announcement. Throws WireError: another length, another version, a request. */
export function decodeNatPmp(bytes: Uint8Array): NatPmpResponse {
  if (bytes.length < 8 || bytes.length > MAP_BYTES) throw bad(`${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint8(0) !== 0) throw bad(`version ${view.getUint8(0)}`);
  const result = NAT_PMP_RESULTS[view.getUint16(2)] ?? 'UNKNOWN';
  const epochS = view.getUint32(4);
  const opcode = view.getUint8(1) - RESPONSE;
  if (opcode === 0) {
    // Errors may come without the rest.
    const externalAddress = bytes.length >= ADDRESS_BYTES ? [8, 9, 10, 11].map((at) => view.getUint8(at)).join('.') : '0.0.0.0';
    if (result === 'SUCCESS' && bytes.length !== ADDRESS_BYTES) throw bad(`an address of ${bytes.length} bytes`);
    return { kind: 'address', result, epochS, externalAddress };
  }
  if (opcode !== OPCODES.udp && opcode !== OPCODES.tcp) throw bad(`opcode ${opcode}`);
  const whole = bytes.length === MAP_BYTES;
  if (result === 'SUCCESS' && !whole) throw bad(`a mapping of ${bytes.length} bytes`);
  return {
    kind: 'map',
    result,
    epochS,
    protocol: opcode === OPCODES.udp ? 'udp' : 'tcp',
    internalPort: bytes.length >= 10 ? view.getUint16(8) : 0,
    externalPort: whole ? view.getUint16(10) : 0,
    lifetimeS: whole ? view.getUint32(12) : 0,
  };
}

function bad(what: string): WireError {
  return new WireError('BAD_NAT_PMP', `not an answer of NAT-PMP: ${what}`);
}
