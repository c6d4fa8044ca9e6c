/** SOCKS5 as bytes (RFC 1928, RFC 1929). Everything here is pure; nothing throws but SocksError. */
import { isIPv4, isIPv6 } from 'node:net';

export class SocksError extends Error {
  override readonly name = 'SocksError';
}

export const SOCKS_METHOD = { none: 0, password: 2, unacceptable: 0xff } as const;
export const SOCKS_COMMAND = { connect: 1, associate: 3 } as const;
export const SOCKS_REPLY = {
  succeeded: 0,
  failure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  timedOut: 6,
  commandNotSupported: 7,
  addressNotSupported: 8,
} as const;

const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

export interface SocksAddress {
  readonly host: string;
  readonly port: number;
}

/** Bytes that follow the address type `type`, given the byte after it: address and port. Throws SocksError. */
export function addressLength(type: number, next: number): number {
  if (type === IPV4) return 4 + 2;
  if (type === IPV6) return 16 + 2;
  if (type === NAME) return 1 + next + 2;
  throw new SocksError(`addresses of type ${type} are not known`);
}

/** Reads an address of `addressLength` bytes. Throws SocksError. */
export function readAddress(type: number, bytes: Uint8Array): SocksAddress {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const port = view.readUInt16BE(view.length - 2);
  if (type === IPV4) return { host: [...view.subarray(0, 4)].join('.'), port };
  if (type === IPV6) {
    const groups = Array.from({ length: 8 }, (_, index) => view.readUInt16BE(2 * index).toString(16));
    return { host: new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1), port };
  }
  const host = view.toString('latin1', 1, view.length - 2);
  if (!/^[\x21-\x7e]+$/.test(host)) throw new SocksError('a name with characters that no name has');
  return { host, port };
}

/** Type, address and port. A name where `host` is no address. */
export function writeAddress({ host, port }: SocksAddress): Buffer {
  const tail = Buffer.alloc(2);
  tail.writeUInt16BE(port);
  if (isIPv4(host)) return Buffer.concat([Buffer.from([IPV4, ...host.split('.').map(Number)]), tail]);
  if (isIPv6(host)) return Buffer.concat([Buffer.from([IPV6]), ipv6Bytes(host), tail]);
  const name = Buffer.from(host, 'latin1').subarray(0, 255);
  return Buffer.concat([Buffer.from([NAME, name.length]), name, tail]);
}

/** The answer to a request; `bound` is the address at the other end of the tunnel, as far as it is known. */
export function writeReply(code: number, bound: SocksAddress = { host: '0.0.0.0', port: 0 }): Buffer {
  return Buffer.concat([Buffer.from([5, code, 0]), writeAddress(bound)]);
}

export interface SocksDatagram extends SocksAddress {
  readonly payload: Uint8Array;
}

/** A datagram of a client; null for one that is none, or a fragment, which nobody sends. */
export function readDatagram(bytes: Uint8Array): SocksDatagram | null {
  if (bytes.length < 5 || bytes[2] !== 0) return null;
  const type = bytes[3] as number;
  try {
    const end = 4 + addressLength(type, bytes[4] as number);
    if (bytes.length < end) return null;
    const address = readAddress(type, bytes.subarray(4, end));
    return address.port === 0 ? null : { ...address, payload: bytes.subarray(end) };
  } catch (error) {
    if (error instanceof SocksError) return null;
    throw error;
  }
}

export function writeDatagram(from: SocksAddress, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0]), writeAddress(from), payload]);
}

function ipv6Bytes(host: string): Buffer {
  const plain = host.replace(/%.*$/, '');
  const [head = '', tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string | undefined): number[] =>
    part === undefined || part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(head);
  const back = groups(tail);
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}
