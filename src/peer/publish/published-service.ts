/** One service that is published: its offer to the server, and the connections that come through it to the programs here. */
import { isIPv4 } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.ts';
import type { MuxStream } from '../../core/mux/index.ts';
import { type BasicAuth, hashBasicAuth, type Offer } from '../../core/publish/index.ts';
import type { HostPort } from '../../core/wire/index.ts';
import { dialTcp, formatHostPort, resolveHost } from '../../net/index.ts';
import { Connections } from '../tunnel/connections.ts';
import { dialCode } from '../tunnel/dial-code.ts';
import { join } from '../tunnel/join.ts';
import { DIAL_TIMEOUT_MS } from '../tunnel/limits.ts';
import { joinUdp } from '../tunnel/udp-dial.ts';
import { Backends, type BackendsOptions } from './backends.ts';
import type { ServiceSpec } from './service-spec.ts';

export class PublishedService {
  readonly spec: ServiceSpec;
  /** Those from outside, which are over and which are not. */
  readonly connections = new Connections();
  readonly #backends: Backends;
  #basicAuth: Promise<BasicAuth> | null = null;

  constructor(spec: ServiceSpec, options: { readonly clock?: Clock } & Pick<BackendsOptions, 'onHealth' | 'onChange'>) {
    this.spec = spec;
    const { backends: addresses, health } = spec;
    this.#backends = new Backends({ addresses, health, clock: systemClock, ...options });
  }

  /** Looks whether the programs are there, and goes on looking. */
  async start(): Promise<void> {
    await this.#backends.start();
  }

  close(): void {
    this.#backends.close();
  }

  async offer(): Promise<Offer> {
    const { spec } = this;
    const byPort = spec.kind === 'tcp' || spec.kind === 'udp';
    if (spec.basicAuth) this.#basicAuth ??= hashBasicAuth(spec.basicAuth.user, spec.basicAuth.password);
    return {
      name: spec.name,
      kind: spec.kind,
      port: byPort ? Number(spec.where) : 0,
      host: byPort ? '' : spec.where,
      allow: spec.allow,
      basicAuth: await this.#basicAuth,
      maxConnections: spec.maxConnections,
      bandwidthKbps: spec.bandwidthKbps,
      healthy: this.#backends.healthy,
      programs: spec.backends.length,
    };
  }

  /** Whether anything answers, and which of its programs do not. */
  get health(): { readonly healthy: boolean; readonly down: readonly string[] } {
    return { healthy: this.#backends.healthy, down: this.#backends.down };
  }

  /** Takes a connection that came to the server for this service. Never throws. */
  take(stream: MuxStream): void {
    const abort = new AbortController();
    // What comes meanwhile waits in the stream; a reset ends the dialling.
    stream.setHandlers({ onClose: () => abort.abort() });
    this.#connect(stream, abort.signal).catch((error: unknown) => {
      stream.reset(dialCode(error), '');
    });
  }

  async #connect(stream: MuxStream, signal: AbortSignal): Promise<void> {
    let last: unknown;
    for (const address of this.#backends.take()) {
      try {
        return await this.#connectTo(address, stream, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        last = error;
      }
    }
    throw last;
  }

  async #connectTo(address: HostPort, stream: MuxStream, signal: AbortSignal): Promise<void> {
    if (this.spec.kind === 'udp') {
      const hosts = await resolveHost(address.host, { signal });
      // Nothing tells a UDP port that listens from one that does not, and most listen on IPv4.
      const host = hosts.find((candidate) => isIPv4(candidate)) ?? hosts[0] ?? address.host;
      const end = this.#count(stream);
      await joinUdp(stream, host, address.port, () => end(false)).catch((error: unknown) => {
        end(true);
        throw error;
      });
      return stream.accept(formatHostPort(address));
    }
    const socket = await dialTcp({ ...address, timeoutMs: DIAL_TIMEOUT_MS, signal, stage: 'session' });
    if (signal.aborted) return void socket.resetAndDestroy();
    stream.accept(formatHostPort(address));
    const end = this.#count(stream);
    join(socket, stream, (error) => end(error !== null));
  }

  /** What comes from outside is `in`. */
  #count(stream: MuxStream): (failed: boolean) => void {
    const client = stream.target.kind === 'published' ? stream.target.remoteAddress : '';
    return this.connections.add(client, this.spec.name, () => ({ bytesIn: stream.bytesIn, bytesOut: stream.bytesOut }));
  }
}
