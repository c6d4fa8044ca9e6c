/**
 * The path over IPv6 (rendezvous §10.5): each side names the address of a UDP socket, and both punch. Where IPv4 ends at
 * symmetric NATs this is the direct path that is left.
 */
import { once } from 'node:events';
import type { Socket } from 'node:dgram';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { mangleAddress, normalizeHost, unmangleAddress } from '../core/wire/index.ts';
import type { HostPort } from '../core/wire/index.ts';
import type { NetLink } from '../net/index.ts';
import { isGlobalIPv6, ownIPv6 } from '../net/own-ipv6.ts';
import { createPunchSocket, punchUdp } from '../net/punch-udp.ts';
import { PUNCH_TIMEOUT_MS } from './punch-tcp.ts';

/** A socket on our own IPv6 address; whoever holds it punches with it once, or closes it. */
export class IPv6Hole {
  /** For `socket_addr_v6`. */
  readonly wireAddress: Uint8Array;
  #socket: Socket | null;

  private constructor(socket: Socket) {
    const { address, port } = socket.address();
    this.#socket = socket;
    this.wireAddress = mangleAddress({ host: address, port });
    // Until it is used, errors of this socket concern nobody.
    socket.on('error', () => {});
  }

  /** Null where this machine has no IPv6 address of the Internet. */
  static async open(): Promise<IPv6Hole | null> {
    const address = await ownIPv6();
    if (address === null) return null;
    const socket = createPunchSocket('udp6');
    try {
      const listening = once(socket, 'listening');
      socket.bind({ address, port: 0 });
      await listening;
      return new IPv6Hole(socket);
    } catch {
      socket.close();
      return null;
    }
  }

  /** Punches towards `remote`; the first datagram leaves at the call. Errors: as punchUdp. */
  punch(remote: HostPort, role: 'connector' | 'acceptor', signal: AbortSignal): Promise<NetLink> | null {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return null;
    return punchUdp({
      socket,
      remote,
      role,
      timeoutMs: PUNCH_TIMEOUT_MS,
      signal,
      link: { maxPayload: PAYLOAD_LIMITS.handshake },
    });
  }

  close(): void {
    this.#socket?.close();
    this.#socket = null;
  }
}

/** The address in a `socket_addr_v6` field; null when there is none, or one that nobody may be made to send to. */
export function ipv6Of(field: Uint8Array | null | undefined): HostPort | null {
  if (!field || field.length !== 18) return null;
  const { host, port } = unmangleAddress(field);
  return port > 0 && isGlobalIPv6(normalizeHost(host)) ? { host, port } : null;
}

/** A field that is absent, not empty, where there is no such path. */
export function offerV6(wireAddress: Uint8Array): { socketAddrV6?: Uint8Array } {
  return wireAddress.length > 0 ? { socketAddrV6: wireAddress } : {};
}
