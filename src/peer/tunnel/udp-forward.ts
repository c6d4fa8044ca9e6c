import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { ErrorData } from '../../core/errors.ts';
import { DatagramReader, encodeDatagram, formatTarget, type MuxStream } from '../../core/mux/index.ts';
import { formatHostPort } from '../../net/index.ts';
import { Connections } from './connections.ts';
import { listenFailed, stockPeerLimits, streamError } from './errors.ts';
import { failureOf, type ForwardOptions } from './forward.ts';
import { MAX_UDP_FLOWS, UDP_IDLE_MS, UDP_QUEUE_BYTES, UDP_REFUSED_MS, UDP_WAITING_DATAGRAMS } from './limits.ts';
import type { ListenAddress, LocalListener } from './listener.ts';

/** A flow: everything from and to one sender. */
interface Flow {
  readonly abort: AbortController;
  stream: MuxStream | null;
  waiting: Uint8Array[];
  refused: boolean;
  idle: NodeJS.Timeout | undefined;
}

/** A UDP port of this computer that leads to a UDP target of the other one. What would have to wait is dropped. */
export class UdpForward implements LocalListener {
  readonly connections = new Connections();
  readonly #o: ForwardOptions;
  readonly #socket: Socket;
  readonly #flows = new Map<string, Flow>();
  #closed = false;

  constructor(options: ForwardOptions) {
    this.#o = options;
    this.#socket = createSocket(isIPv6(options.address.host) ? 'udp6' : 'udp4');
    this.#socket.on('message', (datagram, from) => this.#onDatagram(datagram, from));
  }

  async listen(): Promise<ListenAddress> {
    const { address } = this.#o;
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void => reject(listenFailed(`udp ${formatHostPort(address)}`, error));
      this.#socket.once('error', onError);
      this.#socket.bind({ address: address.host, port: address.port }, () => {
        this.#socket.off('error', onError);
        // Refusals that come back as ICMP concern a client that is gone.
        this.#socket.on('error', () => {});
        resolve();
      });
    });
    const { address: host, port } = this.#socket.address();
    return { host, port };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const flow of [...this.#flows.values()]) {
      flow.abort.abort();
      flow.stream?.reset('cancelled');
      clearTimeout(flow.idle);
    }
    this.#flows.clear();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #onDatagram(datagram: Uint8Array, from: RemoteInfo): void {
    const client = formatHostPort({ host: from.address, port: from.port });
    const flow = this.#flows.get(client) ?? this.#newFlow(client, from);
    if (!flow || flow.refused) return;
    this.#active(client, flow);
    if (!flow.stream) {
      if (flow.waiting.length < UDP_WAITING_DATAGRAMS) flow.waiting.push(datagram);
    } else if (flow.stream.unsentBytes + datagram.length <= UDP_QUEUE_BYTES) flow.stream.write(encodeDatagram(datagram));
  }

  #active(client: string, flow: Flow): void {
    clearTimeout(flow.idle);
    flow.idle = setTimeout(() => this.#endFlow(client, flow), UDP_IDLE_MS);
  }

  #endFlow(client: string, flow: Flow): void {
    if (this.#flows.get(client) === flow) this.#flows.delete(client);
    clearTimeout(flow.idle);
    flow.abort.abort();
    flow.stream?.reset('idle');
  }

  #newFlow(client: string, from: RemoteInfo): Flow | null {
    if (this.#flows.size >= MAX_UDP_FLOWS) return null;
    const flow: Flow = { abort: new AbortController(), stream: null, waiting: [], refused: false, idle: undefined };
    this.#flows.set(client, flow);
    const label = formatTarget(this.#o.target);
    const end = this.connections.add(client, label, () => ({
      bytesOut: flow.stream?.bytesOut ?? 0,
      bytesIn: flow.stream?.bytesIn ?? 0,
    }));
    const fail = (error: ErrorData | null): void => {
      end(error !== null);
      if (!error || this.#closed) return this.#endFlow(client, flow);
      flow.refused = true;
      flow.waiting = [];
      clearTimeout(flow.idle);
      flow.idle = setTimeout(() => this.#endFlow(client, flow), UDP_REFUSED_MS);
      this.#o.onFailure(error);
    };
    this.#o.open(this.#o.target, flow.abort.signal).then(
      (stream) => {
        if (!stream) return fail(stockPeerLimits('Forwarding UDP').toData());
        if (flow.abort.signal.aborted) return stream.reset('cancelled');
        this.#use(client, flow, stream, from, (code, reason) => fail(code ? streamError(code, label, reason).toData() : null));
      },
      (error: unknown) => fail(flow.abort.signal.aborted ? null : failureOf(error, label)),
    );
    return flow;
  }

  #use(
    client: string,
    flow: Flow,
    stream: MuxStream,
    from: RemoteInfo,
    over: (code: Parameters<typeof streamError>[0] | null, reason: string) => void,
  ): void {
    flow.stream = stream;
    const reader = new DatagramReader();
    stream.setHandlers({
      onReadable: () => {
        for (let chunk = stream.read(); chunk; chunk = stream.read())
          for (const datagram of reader.push(chunk)) {
            this.#active(client, flow);
            if (!this.#closed) this.#socket.send(datagram, from.port, from.address, () => {});
          }
      },
      // Silence is how flows end.
      onClose: (error) => over(error && error.by !== 'local' && error.code !== 'idle' ? error.code : null, error?.message ?? ''),
    });
    for (const datagram of flow.waiting.splice(0)) stream.write(encodeDatagram(datagram));
  }
}
