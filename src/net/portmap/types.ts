/** What the parts of the port mapper call things. */
import type { HostPort } from '../../core/wire/address.ts';

export type MappedProtocol = 'udp' | 'tcp';

/** The protocols by which gateways open ports, in the order in which they are asked. */
export const MAPPING_VIAS = ['pcp', 'nat-pmp', 'upnp'] as const;
export type MappingVia = (typeof MAPPING_VIAS)[number];

/** A way out of this computer. */
export interface Gateway {
  /** Its address on our network: IPv4, or IPv6, which has a zone (`fe80::1%eth0`) where it is link-local. */
  readonly address: string;
  /** Ours on that network; over IPv6 the one that others reach. */
  readonly localAddress: string;
}

/** What is asked of a gateway for one port. */
export interface MappingWish {
  readonly protocol: MappedProtocol;
  readonly internalPort: number;
  /** The port outside that is liked best; the gateway may give another. */
  readonly externalPort: number;
  /** 12 bytes that make a PCP mapping ours: renewing and deleting takes the same ones (RFC 6887 §11.2). */
  readonly nonce: Uint8Array;
}

/** What a gateway gave. */
export interface Grant {
  readonly externalAddress: string;
  readonly externalPort: number;
  /** Seconds until it ends; Infinity for one that only ends when it is removed. */
  readonly lifetimeS: number;
}

/** An open port of the gateway that leads to a port of ours. */
export interface Mapping {
  readonly protocol: MappedProtocol;
  readonly internalPort: number;
  readonly externalAddress: string;
  readonly externalPort: number;
  readonly via: MappingVia;
  /** When the gateway forgets it unless it is renewed, in ms of the mapper's clock; Infinity: never. */
  readonly expiresMs: number;
  /** The outside address is itself private or a carrier's: a second NAT stands outside, and nobody arrives from the Internet. */
  readonly doubleNat: boolean;
}

/** What is known of one protocol: it opened or would open ports, it said no, it said nothing, nobody asked yet. */
export type ViaState = 'works' | 'refused' | 'no-answer' | 'not-asked';

export interface ViaReport {
  readonly state: ViaState;
  /** Why it refused, or what came instead of an answer; '' when there is nothing to say. */
  readonly reason: string;
}

export interface PortMapReport {
  /** Null: there is no gateway, or none was looked for. */
  readonly gateway: string | null;
  readonly externalAddress: string | null;
  /** Null: not known. */
  readonly doubleNat: boolean | null;
  readonly protocols: Readonly<Record<MappingVia, ViaReport>>;
  readonly mappings: readonly Mapping[];
}

/** One protocol spoken with one gateway. All of it throws a {@link PortMapError}, or LiteDeskError ABORTED. */
export interface GatewayProtocol {
  readonly via: MappingVia;
  /** Asks whether the gateway speaks it. */
  probe(signal: AbortSignal): Promise<void>;
  /** Makes a mapping, or makes it last longer. */
  map(wish: MappingWish, signal: AbortSignal): Promise<Grant>;
  /** Takes it away; one that is gone already is no error. */
  unmap(wish: MappingWish, signal: AbortSignal): Promise<void>;
  /** Whether these mappings are still there, as far as the gateway tells without making them anew. */
  check(wishes: readonly MappingWish[], signal: AbortSignal): Promise<'as-before' | 'lost'>;
}

export interface HttpRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** More than this in the answer ends it. */
  readonly maxBytes: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** One UDP socket. */
export interface UdpDoor {
  send(bytes: Uint8Array, to: HostPort): void;
  /** Replaces the receiver. */
  onDatagram(listener: (bytes: Uint8Array, from: HostPort) => void): void;
  close(): void;
}

/** The network as the mapper needs it; the system's in programs, one in memory in tests. */
export interface MapperNetwork {
  gateway(): Promise<Gateway | null>;
  /** A socket on that address of ours; with `group` one that hears what is sent to that multicast address and port. */
  openUdp(localAddress: string, group?: HostPort): Promise<UdpDoor>;
  /** One request without following anything. Throws the system's error, or that of the signal. */
  request(request: HttpRequest, localAddress: string, signal: AbortSignal): Promise<HttpAnswer>;
}
