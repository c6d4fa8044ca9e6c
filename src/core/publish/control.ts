/** The control stream between a publisher and its server: typed messages, and their bytes (docs/protocol.md). */
import { WireError } from '../errors.ts';
import { encodeFrame, FrameDecoder } from '../wire/frame.ts';
import { decodeAs, encodeAs, hbb } from '../wire/proto.ts';
import { SALT_BYTES, HASH_BYTES } from './basic-auth.ts';
import * as limits from './limits.ts';

/** The service under which a publisher opens its control stream. */
export const CONTROL_SERVICE = 'publish';
/** Who the server is in the key exchange: shorter than any id that can be registered. */
export const PUBLISH_SERVER_ID = '@pub';
export const PUBLISH_VERSION = 1;
/** Of the run of a publisher. */
export const INSTANCE_BYTES = 16;

export const PUBLIC_KINDS = ['tcp', 'udp', 'http', 'https'] as const;
export type PublicKind = (typeof PUBLIC_KINDS)[number];

export interface BasicAuth {
  readonly user: string;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

export interface Offer {
  readonly name: string;
  readonly kind: PublicKind;
  /** For TCP and UDP; 0: any. */
  readonly port: number;
  /** For HTTP and HTTPS; '': the server makes one. */
  readonly host: string;
  /** `address` or `address/bits`; none: everybody. */
  readonly allow: readonly string[];
  readonly basicAuth: BasicAuth | null;
  /** 0: the server's limit. */
  readonly maxConnections: number;
  /** Both directions together; 0: the server's limit. */
  readonly bandwidthKbps: number;
  readonly healthy: boolean;
  /** Programs behind it that answer in turn. */
  readonly programs: number;
}

/** Why an offer is not taken; stable, for programs. */
export type Refusal =
  | 'malformed'
  | 'kind-off'
  | 'not-allowed'
  | 'name-taken'
  | 'port-outside'
  | 'port-taken'
  | 'no-port-left'
  | 'host-invalid'
  | 'host-needed'
  | 'host-taken'
  | 'kind-differs'
  | 'quota';

export type ControlMessage =
  | { readonly type: 'offer'; readonly offer: Offer }
  | { readonly type: 'published'; readonly name: string; readonly address: string; readonly port: number; readonly url: string }
  /** `refusal` as this version of the server says it, perhaps a later one than ours. */
  | { readonly type: 'refused'; readonly name: string; readonly refusal: string; readonly message: string }
  | { readonly type: 'withdraw'; readonly name: string }
  | { readonly type: 'health'; readonly name: string; readonly healthy: boolean; readonly down: readonly string[] }
  | { readonly type: 'revoked'; readonly name: string; readonly reason: string };

const Kind = hbb.PublishOffer.Kind;
const KINDS: Readonly<Record<PublicKind, hbb.PublishOffer.Kind>> = {
  tcp: Kind.TCP,
  udp: Kind.UDP,
  http: Kind.HTTP,
  https: Kind.HTTPS,
};

/** One message with its length in front, as it goes onto the stream. */
export function encodeControl(message: ControlMessage): Uint8Array {
  return encodeFrame(encodeAs(hbb.PublishControl, wireOf(message)));
}

function wireOf(message: ControlMessage): hbb.IPublishControl {
  switch (message.type) {
    case 'offer': {
      const { kind, healthy, allow, ...rest } = message.offer;
      return { offer: { ...rest, allow: [...allow], kind: KINDS[kind], unhealthy: !healthy } };
    }
    case 'published': {
      const { name, address, port, url } = message;
      return { answer: { name, address, port, url } };
    }
    case 'refused': {
      const { name, refusal, message: text } = message;
      return { answer: { name, refusal, message: text.slice(0, limits.MAX_MESSAGE_CHARS) } };
    }
    case 'withdraw':
      return { withdraw: { name: message.name } };
    case 'health':
      return { health: { name: message.name, healthy: message.healthy, down: [...message.down] } };
    case 'revoked':
      return { revoked: { name: message.name, reason: message.reason } };
  }
}

/** Cuts the stream into messages. Those of later versions are skipped. */
export class ControlReader {
  readonly #decoder = new FrameDecoder({ maxPayload: limits.MAX_CONTROL_BYTES });

  /** @throws WireError for bytes that are no messages; the stream is of no use any more */
  push(chunk: Uint8Array): ControlMessage[] {
    return this.#decoder.push(chunk).flatMap((frame) => readControl(frame) ?? []);
  }
}

function readControl(bytes: Uint8Array): ControlMessage | null {
  const wire = decodeAs<hbb.PublishControl>(hbb.PublishControl, bytes, limits.MAX_CONTROL_FIELDS);
  if (wire.offer) return { type: 'offer', offer: readOffer(wire.offer) };
  if (wire.answer) {
    const { name = '', refusal = '', message = '', address = '', port = 0, url = '' } = fields(wire.answer);
    if (refusal === '') return { type: 'published', name: serviceName(name), address: text(address), port, url: text(url) };
    return { type: 'refused', name: serviceName(name), refusal: text(refusal), message: text(message) };
  }
  if (wire.withdraw) return { type: 'withdraw', name: serviceName(wire.withdraw.name ?? '') };
  if (wire.health) return readHealth(wire.health);
  if (wire.revoked)
    return { type: 'revoked', name: serviceName(wire.revoked.name ?? ''), reason: text(wire.revoked.reason ?? '') };
  return null;
}

function readOffer(wire: hbb.IPublishOffer): Offer {
  const { name = '', kind, port = 0, host = '', allow = [], basicAuth, maxConnections = 0, bandwidthKbps = 0, unhealthy = false, programs = 0 } =
    fields(wire);
  const known = PUBLIC_KINDS.find((candidate) => KINDS[candidate] === kind);
  if (!known || port > 0xffff || allow.length > limits.MAX_ALLOW || host.length > 255)
    throw new WireError('BAD_OFFER', 'an offer has a kind, a port, a host or an allow-list that cannot be');
  return {
    name: serviceName(name),
    kind: known,
    port,
    host,
    allow,
    basicAuth: basicAuth ? readBasicAuth(basicAuth) : null,
    maxConnections,
    bandwidthKbps,
    healthy: !unhealthy,
    programs: Math.min(Math.max(1, programs), limits.MAX_PROGRAMS),
  };
}

function readHealth(wire: hbb.IPublishHealth): ControlMessage {
  const { name = '', healthy = false, down = [] } = fields(wire);
  if (down.length > limits.MAX_PROGRAMS) throw new WireError('BAD_HEALTH', 'more programs are down than a service has');
  return { type: 'health', name: serviceName(name), healthy, down: down.map(text) };
}

function readBasicAuth(wire: hbb.IPublishBasicAuth): BasicAuth {
  const { user = '', salt = new Uint8Array(0), hash = new Uint8Array(0) } = fields(wire);
  if (salt.length !== SALT_BYTES || hash.length !== HASH_BYTES || user === '' || Buffer.byteLength(user) > limits.MAX_USER_BYTES)
    throw new WireError('BAD_OFFER', 'the basic auth of an offer cannot be used');
  // Views of the message, which is not to be kept.
  return { user, salt: Uint8Array.from(salt), hash: Uint8Array.from(hash) };
}

/** The same without nulls, so that defaults apply. */
function fields<T extends object>(wire: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return wire as { [K in keyof T]?: NonNullable<T[K]> };
}

/** Letters, digits and what is common between them; it stands in logs and in URLs. */
export function isServiceName(name: string): boolean {
  return name.length <= limits.MAX_SERVICE_NAME && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name);
}

function serviceName(name: string): string {
  if (!isServiceName(name)) throw new WireError('BAD_OFFER', 'a service has no usable name');
  return name;
}

/** For people: without what could disturb a terminal. */
function text(value: string): string {
  return value.slice(0, limits.MAX_MESSAGE_CHARS).replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}
