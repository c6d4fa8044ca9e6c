/** For tests: a server that publishes services, and peers that do so, all on the loopback. */
import { createServer, type Socket } from 'node:net';
import type { Peer } from '../../src/peer/peer.ts';
import type { Publisher, PublisherEvents } from '../../src/peer/publish/publisher.ts';
import { parseService, type ServiceOptions, type ServiceSpec } from '../../src/peer/publish/service-spec.ts';
import type { RunningServer, ServerOptions } from '../../src/server/index.ts';
import { PublishPolicy } from '../../src/server/publish/policy.ts';
import { PeerLab } from './peers.ts';
import { freePorts } from './ports.ts';

const PLAIN: ServiceOptions = { allow: [], basicAuth: null, health: null, maxConnections: 0, bandwidthKbps: 0 };

/** What happened to the services of one publisher, in order; each can be waited for. */
class PublisherLog {
  readonly publisher: Publisher;
  readonly events: { readonly event: keyof PublisherEvents; readonly data: Record<string, unknown> }[] = [];
  #wake: () => void = () => {};

  constructor(publisher: Publisher) {
    this.publisher = publisher;
    for (const event of ['published', 'unpublished', 'offline', 'health'] as const)
      publisher.on(event, (data) => {
        this.events.push({ event, data: { ...data } });
        this.#wake();
      });
  }

  /** The `count`th event of that name that fits. */
  async next(event: keyof PublisherEvents, where: Record<string, unknown> = {}, count = 1): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.events.filter(
        (entry) => entry.event === event && Object.entries(where).every(([name, value]) => entry.data[name] === value),
      )[count - 1];
      if (found) return found.data;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export class PublishLab extends PeerLab {
  /** Ports for tcp and udp services: this one and nine more. */
  firstPort = 0;
  httpPort = 0;
  httpsPort = 0;
  readonly #publishers = new Set<Publisher>();
  readonly #closers: (() => void)[] = [];

  /** `allow` and `domain` as on the command line. */
  async start(options: Partial<ServerOptions> & { allow?: string[]; domain?: string } = {}): Promise<RunningServer> {
    const { allow = [], domain = '', ...rest } = options;
    this.firstPort ||= await freePorts(10);
    this.httpPort ||= await freePorts();
    this.httpsPort ||= await freePorts();
    return await this.server('server', {
      ports: { rendezvous: -1, http: this.httpPort, https: this.httpsPort },
      publish: { ports: { first: this.firstPort, last: this.firstPort + 9 }, domain, policy: new PublishPolicy(allow) },
      ...rest,
    });
  }

  /** A publisher of these services, started. `peer`: its name, or the peer itself. */
  async publish(server: RunningServer, peer: string | Peer, services: string[], options: Partial<ServiceOptions> = {}): Promise<PublisherLog> {
    const publishing = typeof peer === 'string' ? await this.peer(peer, server.invitation) : peer;
    const publisher = publishing.publisher(services.map((text): ServiceSpec => parseService(text, { ...PLAIN, ...options })));
    this.#publishers.add(publisher);
    const log = new PublisherLog(publisher);
    publisher.start();
    return log;
  }

  /** A TCP service here that does this with each connection; its port. */
  async service(onConnection: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      onConnection(socket);
    });
    this.closes(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as { port: number }).port;
  }

  closes(close: () => void): void {
    this.#closers.push(close);
  }

  override async end(): Promise<void> {
    for (const close of this.#closers) close();
    for (const publisher of this.#publishers) await publisher.stop();
    await super.end();
  }
}
