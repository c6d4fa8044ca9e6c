/** What a stream leads to at the side that takes it (docs/tunnels.md, "On the wire"). */
import { WireError } from '../errors.ts';
import { MAX_TARGET_BYTES } from './limits.ts';

export type StreamTarget =
  /** A TCP connection; the name is resolved by the side that dials. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** A UDP socket; the stream carries datagrams, each behind its length (datagram.ts). */
  | { readonly kind: 'udp'; readonly host: string; readonly port: number }
  /** Something that the other side offers by name. */
  | { readonly kind: 'service'; readonly name: string }
  /** A connection from outside to a service that the other side published; `remoteAddress` is `ip:port` of its caller. */
  | { readonly kind: 'published'; readonly name: string; readonly remoteAddress: string };

const TCP = 1;
const UDP = 2;
const SERVICE = 3;
const PUBLISHED = 4;

const utf8 = new TextEncoder();
const text = new TextDecoder('utf-8', { fatal: true });

/** Bytes of a target. Throws WireError BAD_TARGET for one that has no wire form. */
export function encodeTarget(target: StreamTarget): Uint8Array {
  switch (target.kind) {
    case 'tcp':
    case 'udp':
      if (!isPort(target.port)) throw new WireError('BAD_TARGET', `${target.port} is no port`);
      return join([target.kind === 'tcp' ? TCP : UDP, target.port >> 8, target.port & 0xff], name(target.host));
    case 'service':
      return join([SERVICE], name(target.name));
    case 'published': {
      const service = name(target.name);
      return join([PUBLISHED, service.length, ...service], name(target.remoteAddress));
    }
  }
}

/** Throws WireError BAD_TARGET for bytes that are none, which is the fate of later kinds too. */
export function decodeTarget(bytes: Uint8Array): StreamTarget {
  if (bytes.length > MAX_TARGET_BYTES) throw new WireError('BAD_TARGET', 'the target is too long');
  switch (bytes[0]) {
    case TCP:
    case UDP: {
      const port = ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0);
      if (port === 0) throw new WireError('BAD_TARGET', 'the target has no port');
      return { kind: bytes[0] === TCP ? 'tcp' : 'udp', host: readName(bytes.subarray(3)), port };
    }
    case SERVICE:
      return { kind: 'service', name: readName(bytes.subarray(1)) };
    case PUBLISHED: {
      const end = 2 + (bytes[1] ?? 0);
      return { kind: 'published', name: readName(bytes.subarray(2, end)), remoteAddress: readName(bytes.subarray(end)) };
    }
    default:
      throw new WireError('BAD_TARGET', `targets of kind ${bytes[0] ?? 'none'} are not known`);
  }
}

/** `tcp:host:port` and the like, as rules, logs and error messages show it. */
export function formatTarget(target: StreamTarget): string {
  switch (target.kind) {
    case 'tcp':
    case 'udp':
      return `${target.kind}:${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
    case 'service':
      return `service:${target.name}`;
    case 'published':
      return `published:${target.name} from ${target.remoteAddress}`;
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= 0xffff;
}

/** Host names, addresses and names of services: 1 to 255 bytes, no blanks or control characters to confuse a log with. */
function name(value: string): Uint8Array {
  const bytes = utf8.encode(value);
  checkName(value, bytes.length);
  return bytes;
}

function readName(bytes: Uint8Array): string {
  let value: string;
  try {
    value = text.decode(bytes);
  } catch (error) {
    throw new WireError('BAD_TARGET', 'the target is not UTF-8', { cause: error });
  }
  checkName(value, bytes.length);
  return value;
}

function checkName(value: string, length: number): void {
  if (length === 0 || length > 255 || /[\s\p{Cc}\p{Cf}]/u.test(value))
    throw new WireError('BAD_TARGET', 'a name in the target is empty, too long or has characters that no name has');
}

function join(head: number[], tail: Uint8Array): Uint8Array {
  const out = new Uint8Array(head.length + tail.length);
  out.set(head);
  out.set(tail, head.length);
  return out;
}
