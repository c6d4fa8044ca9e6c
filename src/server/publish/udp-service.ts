/**
 * A published UDP port: every sender is a flow of its own to the service, which ends when it has been silent. How many
 * there are is limited, in all and for each address, since the sender of a datagram may be forged.
 */
import type { Clock } from '../../core/clock.ts';
import { DatagramReader, encodeDatagram } from '../../core/mux/index.ts';
import type { HostPort } from '../../core/wire/index.ts';
import { formatHostPort } from '../../net/index.ts';
import type { StreamDuplex } from '../../net/stream-duplex.ts';
import type { UdpPath } from '../client.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import type { Place } from './place.ts';
import { prefix64 } from '../networks.ts';

export interface UdpServiceOptions {
  readonly place: Place;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
}

interface Flow {
  readonly stream: StreamDuplex;
  heardAtMs: number;
}

export class UdpService {
  readonly #o: UdpServiceOptions;
  readonly #flows = new Map<string, Flow>();
  readonly #byAddress = new Map<string, number>();
  #cancelSweep: () => void;

  constructor(options: UdpServiceOptions) {
    this.#o = options;
    const sweep = (): void => {
      this.#cancelSweep = options.clock.setTimer(options.limits.udpFlowIdleMs / 4, sweep);
      this.#endSilent();
    };
    this.#cancelSweep = options.clock.setTimer(options.limits.udpFlowIdleMs / 4, sweep);
  }

  get flows(): number {
    return this.#flows.size;
  }

  onDatagram(bytes: Uint8Array, from: HostPort, path: UdpPath): void {
    const { clock, counters, limits, place } = this.#o;
    const key = `${formatHostPort(from)} ${path.localHost}`;
    const flow = this.#flows.get(key) ?? this.#start(key, from, path);
    if (!flow || flow.stream.stream.unsentBytes + bytes.length > limits.udpFlowQueueBytes)
      return counters.count('published-udp-dropped', { from: from.host, why: flow ? 'full' : 'no-flow' });
    if (!place.bandwidths.every((bandwidth) => bandwidth.takeOrDrop(bytes.length)))
      return counters.count('published-udp-dropped', { from: from.host, why: 'bandwidth' });
    flow.heardAtMs = clock.now();
    flow.stream.write(encodeDatagram(bytes));
  }

  close(): void {
    this.#cancelSweep();
    for (const { stream } of [...this.#flows.values()]) stream.destroy();
  }

  #start(key: string, from: HostPort, path: UdpPath): Flow | null {
    const { clock, counters, limits, place } = this.#o;
    const network = from.host.includes(':') ? prefix64(from.host) : from.host;
    const there = this.#byAddress.get(network) ?? 0;
    if (this.#flows.size >= limits.maxUdpFlows || there >= limits.maxUdpFlowsPerAddress) return null;
    const opened = place.open(from);
    if (typeof opened === 'string') {
      counters.count(opened, { from: from.host, via: 'udp' });
      return null;
    }
    counters.count('published-opened', { id: place.peer.id, from: from.host, via: 'udp', why: place.key });
    const { stream } = opened;
    const flow: Flow = { stream, heardAtMs: clock.now() };
    this.#flows.set(key, flow);
    this.#byAddress.set(network, there + 1);
    const reader = new DatagramReader();
    stream.on('data', (chunk: Buffer) => {
      for (const datagram of reader.push(chunk)) {
        flow.heardAtMs = clock.now();
        if (place.bandwidths.every((bandwidth) => bandwidth.takeOrDrop(datagram.length))) path.send(datagram, from);
      }
    });
    stream.once('end', () => stream.destroy());
    stream.once('close', () => {
      this.#flows.delete(key);
      const left = (this.#byAddress.get(network) ?? 1) - 1;
      if (left > 0) this.#byAddress.set(network, left);
      else this.#byAddress.delete(network);
    });
    return flow;
  }

  #endSilent(): void {
    const since = this.#o.clock.now() - this.#o.limits.udpFlowIdleMs;
    for (const { stream, heardAtMs } of [...this.#flows.values()]) if (heardAtMs < since) stream.destroy();
  }
}
