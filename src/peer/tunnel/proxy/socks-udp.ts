import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { isIPv6, type Socket } from 'node:net';
import { DatagramReader, encodeDatagram, type MuxStream } from '../../../core/mux/index.ts';
import { formatHostPort, plainAddress } from '../../../net/index.ts';
import type { Traffic } from '../connections.ts';
import { failureOf } from '../forward.ts';
import { MAX_ASSOCIATION_TARGETS, UDP_QUEUE_BYTES, UDP_REFUSED_MS, UDP_WAITING_DATAGRAMS } from '../limits.ts';
import type { ProxyContext } from './opened.ts';
import { readDatagram, type SocksAddress, writeDatagram } from './socks-wire.ts';

interface Route {
  stream: MuxStream | null;
  waiting: Uint8Array[];
  refusedUntil: number;
}

/**
 * UDP for one SOCKS5 client (RFC 1928 §7): a socket beside its connection, and a stream for each address that it talks to. Only
 * the client's own address is heard, and from its first datagram on only its port.
 */
export class SocksAssociation {
  readonly #context: ProxyContext;
  readonly #local: string;
  readonly #client: string;
  readonly #socket: UdpSocket;
  readonly #routes = new Map<string, Route>();
  readonly #abort = new AbortController();
  #port: number | null = null;
  #out = 0;
  #in = 0;

  /** `control` is the connection that asked for it. */
  constructor(control: Socket, context: ProxyContext) {
    this.#context = context;
    this.#local = plainAddress(control.localAddress ?? '127.0.0.1');
    this.#client = plainAddress(control.remoteAddress ?? '');
    this.#socket = createSocket(isIPv6(this.#local) ? 'udp6' : 'udp4');
    this.#socket.on('message', (datagram, from) => this.#onDatagram(datagram, from));
    this.#socket.on('error', () => {});
  }

  get traffic(): Traffic {
    return { bytesOut: this.#out, bytesIn: this.#in };
  }

  /** Resolves to where the client is to send. Rejects with the system's error. */
  async listen(): Promise<SocksAddress> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.bind({ address: this.#local, port: 0 }, () => {
        this.#socket.off('error', reject);
        resolve();
      });
    });
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  close(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    for (const route of this.#routes.values()) route.stream?.reset('cancelled');
    this.#routes.clear();
    this.#socket.close();
  }

  #onDatagram(bytes: Uint8Array, from: RemoteInfo): void {
    if (plainAddress(from.address) !== this.#client || (this.#port !== null && this.#port !== from.port)) return;
    const datagram = readDatagram(bytes);
    if (!datagram) return;
    this.#port = from.port;
    const { host, port, payload } = datagram;
    const key = formatHostPort({ host, port });
    const route = this.#routes.get(key) ?? this.#newRoute(key, { host, port });
    if (!route || route.refusedUntil > performance.now()) return;
    if (!route.stream) {
      if (route.waiting.length < UDP_WAITING_DATAGRAMS) route.waiting.push(payload);
    } else this.#send(route.stream, payload);
  }

  #send(stream: MuxStream, payload: Uint8Array): void {
    if (stream.unsentBytes + payload.length > UDP_QUEUE_BYTES) return;
    this.#out += payload.length;
    stream.write(encodeDatagram(payload));
  }

  #newRoute(key: string, target: SocksAddress): Route | null {
    if (this.#routes.size >= MAX_ASSOCIATION_TARGETS) this.#forgetOldest();
    const route: Route = { stream: null, waiting: [], refusedUntil: 0 };
    this.#routes.set(key, route);
    const forget = (): void => {
      if (this.#routes.get(key) === route) this.#routes.delete(key);
    };
    this.#context.open({ kind: 'udp', ...target }, this.#abort.signal).then(
      (stream) => {
        if (!stream) return forget();
        if (this.#routes.get(key) !== route) return stream.reset('cancelled');
        route.stream = stream;
        const reader = new DatagramReader();
        stream.setHandlers({
          onReadable: () => {
            for (let chunk = stream.read(); chunk; chunk = stream.read())
              for (const payload of reader.push(chunk)) this.#answer(target, payload);
          },
          onClose: (error) => {
            forget();
            if (!error || error.by === 'local' || error.code === 'idle') return;
            // Each datagram would ask again.
            route.stream = null;
            route.refusedUntil = performance.now() + UDP_REFUSED_MS;
            this.#routes.set(key, route);
            setTimeout(forget, UDP_REFUSED_MS).unref();
            this.#context.onFailure(failureOf(error, `udp:${key}`));
          },
        });
        for (const payload of route.waiting.splice(0)) this.#send(stream, payload);
      },
      () => forget(),
    );
    return route;
  }

  #forgetOldest(): void {
    const [key, route] = this.#routes.entries().next().value ?? [];
    if (key === undefined) return;
    this.#routes.delete(key);
    route?.stream?.reset('cancelled');
  }

  #answer(from: SocksAddress, payload: Uint8Array): void {
    if (this.#port === null || this.#abort.signal.aborted) return;
    this.#in += payload.length;
    this.#socket.send(writeDatagram(from, payload), this.#port, this.#client, () => {});
  }
}
