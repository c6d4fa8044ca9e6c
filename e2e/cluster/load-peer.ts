/** One controlled computer of the load: the registration loop of rendezvous §5.2, and its answers (§9.3). */
import { randomBytes } from 'node:crypto';
import { type HostPort, hbb } from '../../src/core/wire/index.ts';
import { FramedSocket, one, UdpSocket } from './load-wire.ts';

export interface PeerOptions {
  readonly id: string;
  /** Index of the node that it registers with first. */
  readonly home: number;
  readonly nodes: readonly HostPort[];
  readonly host: string;
  readonly key: string;
  readonly heartbeatMs: number;
  readonly answerMs: number;
  readonly newUuid: () => string;
}

const TICK_MS = 100;
const CONNECT_MS = 1_500;
const VERSION = '1.4.0';

export class Peer {
  readonly id: string;
  readonly #o: PeerOptions;
  readonly #uuid = randomBytes(16);
  readonly #pk = randomBytes(32);
  readonly #relayed = new Set<FramedSocket>();
  #socket: UdpSocket | undefined;
  #home: number;
  #confirmed = false;
  #askedAt: number | null = null;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #onRegistered: (() => void) | undefined;

  private constructor(options: PeerOptions) {
    this.#o = options;
    this.id = options.id;
    this.#home = options.home;
  }

  /** Resolves once it is registered. */
  static async start(options: PeerOptions): Promise<Peer> {
    const peer = new Peer(options);
    peer.#socket = await UdpSocket.open(options.host, (message) => peer.#onMessage(message));
    const registered = new Promise<void>((resolve) => {
      peer.#onRegistered = resolve;
    });
    peer.#timer = setInterval(() => peer.#tick(), TICK_MS);
    peer.#tick();
    await registered;
    // As spread out as in life.
    peer.#answeredAt = performance.now() - Math.random() * options.heartbeatMs;
    return peer;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket?.close();
    for (const socket of this.#relayed) socket.destroy();
  }

  get #node(): HostPort {
    return this.#o.nodes[this.#home % this.#o.nodes.length] as HostPort;
  }

  #tick(): void {
    const now = performance.now();
    if (this.#askedAt !== null) {
      if (now - this.#askedAt < this.#o.answerMs) return;
      // Its node is silent: the next address of the name.
      this.#home++;
    } else if (now - this.#answeredAt < this.#o.heartbeatMs) return;
    this.#ask();
  }

  #ask(): void {
    this.#askedAt = performance.now();
    if (this.#confirmed) this.#socket?.send({ registerPeer: { id: this.id } }, this.#node);
    else this.#socket?.send({ registerPk: { id: this.id, uuid: this.#uuid, pk: this.#pk } }, this.#node);
  }

  #onMessage(message: hbb.RendezvousMessage): void {
    switch (message.union) {
      case 'registerPeerResponse':
        this.#heard();
        if (!message.registerPeerResponse?.requestPk) return;
        this.#confirmed = false;
        return this.#ask();
      case 'registerPkResponse':
        this.#heard();
        if ((message.registerPkResponse?.result ?? 0) !== hbb.RegisterPkResponse.Result.OK) return;
        this.#confirmed = true;
        this.#onRegistered?.();
        return;
      case 'punchHole':
        return void this.#onPunchHole(message.punchHole ?? {});
      default:
    }
  }

  #heard(): void {
    this.#askedAt = null;
    this.#answeredAt = performance.now();
  }

  async #onPunchHole({ socketAddr = null, relayServer = '', natType }: hbb.IPunchHole): Promise<void> {
    const answer = await this.#anyNode();
    if (!answer) return;
    if (natType !== hbb.NatType.SYMMETRIC) {
      answer.send({ punchHoleSent: { id: this.id, socketAddr, relayServer, natType: hbb.NatType.ASYMMETRIC, version: VERSION } });
      return answer.end();
    }
    const uuid = this.#o.newUuid();
    answer.send({ relayResponse: { id: this.id, socketAddr, relayServer, uuid, version: VERSION } });
    answer.end();
    await this.#echo(relayServer ?? '', uuid);
  }

  /** The far end of a relayed session. */
  async #echo(relayServer: string, uuid: string): Promise<void> {
    const [host = '', port] = relayServer.split(':');
    const socket = await FramedSocket.connect({ host, port: Number(port) }, this.#o.host, CONNECT_MS);
    if (!socket) return;
    this.#relayed.add(socket);
    socket.send({ requestRelay: { uuid, licenceKey: this.#o.key } });
    for (;;) {
      const payload = await socket.nextPayload(30_000);
      if (!payload) break;
      socket.sendPayload(payload);
    }
    this.#relayed.delete(socket);
    socket.destroy();
  }

  /** Answers go over a new connection, which any node may get. */
  async #anyNode(): Promise<FramedSocket | null> {
    const first = one(this.#o.nodes);
    for (const node of [first, ...this.#o.nodes]) {
      const socket = await FramedSocket.connect(node, this.#o.host, CONNECT_MS);
      if (socket) return socket;
    }
    return null;
  }
}

