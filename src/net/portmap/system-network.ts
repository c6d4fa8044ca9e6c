/** The mapper's network on real sockets. */
import { createSocket } from 'node:dgram';
import { request as startRequest } from 'node:http';
import { isIPv6 } from 'node:net';
import type { HostPort } from '../../core/wire/address.ts';
import { findGateway } from './gateway.ts';
import { findGateway6, interfaceOf, withZone } from './gateway6.ts';
import type { HttpAnswer, HttpRequest, MapperNetwork, UdpDoor } from './types.ts';

/** Headers of an answer, in bytes; a gateway's are some 300. */
const MAX_HEADER_BYTES = 8 * 1024;
/** Questions to all gateways stay on our network (UPnP Device Architecture 1.1 §1.3.2). */
const MULTICAST_TTL = 2;

export const systemNetwork: MapperNetwork = { gateway: findGateway, openUdp, request };
/** The same over IPv6. */
export const systemNetwork6: MapperNetwork = { gateway: findGateway6, openUdp, request };

function openUdp(localAddress: string, group?: HostPort): Promise<UdpDoor> {
  // Another program on this computer hears announcements too.
  const v6 = isIPv6(localAddress);
  const socket = createSocket({ type: v6 ? 'udp6' : 'udp4', reuseAddr: group !== undefined });
  // Over IPv6 an interface is named by its zone.
  const onInterface = v6 ? `::%${interfaceOf(localAddress)}` : localAddress;
  let listener: (bytes: Uint8Array, from: HostPort) => void = () => {};
  let isOpen = true;
  socket.on('message', (bytes, info) => listener(bytes, { host: info.address, port: info.port }));
  const door: UdpDoor = {
    // What does not get out is repeated as what gets lost.
    send: (bytes, to) => void (isOpen && socket.send(bytes, to.port, to.host, () => {})),
    onDatagram: (next) => {
      listener = next;
    },
    close: () => {
      if (isOpen) socket.close();
      isOpen = false;
    },
  };
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      door.close();
      reject(error);
    };
    socket.once('error', failed);
    socket.bind(group?.port ?? 0, group ? (v6 ? '::' : '0.0.0.0') : localAddress, () => {
      try {
        if (group) socket.addMembership(group.host, onInterface);
        else {
          socket.setMulticastInterface(onInterface);
          socket.setMulticastTTL(MULTICAST_TTL);
        }
      } catch (error) {
        failed(error as Error);
        return;
      }
      socket.off('error', failed);
      socket.on('error', () => {});
      resolve(door);
    });
  });
}

function request(asked: HttpRequest, localAddress: string, signal: AbortSignal): Promise<HttpAnswer> {
  const { url, method, headers, body, maxBytes } = asked;
  return new Promise((resolve, reject) => {
    const outgoing = startRequest(
      {
        host: withZone(url.hostname.replace(/^\[|\]$/g, ''), isIPv6(localAddress) ? interfaceOf(localAddress) : ''),
        port: url.port === '' ? 80 : Number(url.port),
        path: `${url.pathname}${url.search}`,
        method,
        headers: { ...headers, Host: url.host, Connection: 'close', ...(body === '' ? {} : { 'Content-Length': Buffer.byteLength(body) }) },
        localAddress,
        // A connection of its own, closed with the answer.
        agent: false,
        maxHeaderSize: MAX_HEADER_BYTES,
        signal,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        incoming.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > maxBytes) outgoing.destroy(new Error('its answer is too long'));
          else chunks.push(chunk);
        });
        incoming.once('error', reject);
        incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }));
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}
