/**
 * The UDP port P. Node does not say to which local address a datagram came, and a wildcard socket answers from the
 * address that the route prefers; a client that asked another one, or its NAT, then drops the answer (rendezvous §1.1).
 * So there is one socket for each local address besides the wildcard one, which takes what comes to addresses that
 * appeared later.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../core/clock.ts';
import { type HostPort, normalizeHost } from '../core/wire/index.ts';
import type { UdpPath } from './client.ts';
import type { ServerLimits } from './limits.ts';
import { listenError } from './listen-error.ts';

export interface UdpPortOptions {
  /** One local address; undefined: all, IPv4 and IPv6. */
  readonly bind: string | undefined;
  readonly port: number;
  readonly limits: ServerLimits;
  /** Bytes; absent or 0: RECEIVE_BUFFER_BYTES. */
  readonly receiveBuffer?: number | undefined;
  readonly clock: Clock;
  readonly onDatagram: (bytes: Uint8Array, from: HostPort, path: UdpPath) => void;
  readonly onError: (error: Error) => void;
  /** Other processes of ours are bound there too: each peer stays with the one that the system picks for its address. */
  readonly reusePort?: boolean;
}

/** Datagrams of many peers come in bursts after a restart: some 5,000 of them fit, less than half a second's worth. */
export const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** A socket that broke is made again after this time. */
const RETRY_MS = 1_000;

type Family = 'udp4' | 'udp6' | 'dual';

class BoundPath implements UdpPath {
  readonly localHost: string;
  readonly localPort: number;
  other: BoundPath | undefined;
  elsewhere: BoundPath | undefined;
  readonly #options: UdpPortOptions;
  readonly #family: Family;
  readonly #address: string;
  readonly #shared: boolean;
  #socket: Socket | null = null;
  #cancelRetry: (() => void) | undefined;
  #closed = false;

  constructor(options: UdpPortOptions, family: Family, address: string, shared: boolean) {
    this.#options = options;
    this.#family = family;
    this.#address = address;
    this.#shared = shared;
    this.localPort = options.port;
    this.localHost = address === '::' || address === '0.0.0.0' ? '' : normalizeHost(address);
  }

  async open(): Promise<void> {
    const socket = await bindSocket(this.#family, this.#address, this.#options.port, this.#shared, this.#options.reusePort);
    if (this.#closed) return void socket.close();
    this.#socket = socket;
    const { onDatagram } = this.#options;
    try {
      socket.setRecvBufferSize(this.#options.receiveBuffer || RECEIVE_BUFFER_BYTES);
    } catch {
      // The system's limit stays.
    }
    socket.on('message', (bytes: Uint8Array, info: RemoteInfo) =>
      onDatagram(bytes, { host: hostOf(info), port: info.port }, this),
    );
    socket.on('error', (error) => this.#onError(error));
  }

  send(payload: Uint8Array, to: HostPort): void {
    if (!this.#socket || to.port === 0) return;
    const v6 = to.host.includes(':');
    if (this.#family === (v6 ? 'udp4' : 'udp6')) return;
    const host = this.#family === 'dual' && !v6 ? `::ffff:${to.host}` : to.host;
    // Lost like any datagram when it cannot leave: without a callback, nobody is told.
    this.#socket.send(payload, to.port, host);
  }

  queuedBytes(): number {
    return this.#socket?.getSendQueueSize() ?? 0;
  }

  /** What the system gave, bytes of datagrams; 0 while closed. */
  get receiveBufferBytes(): number {
    // Linux says twice what was asked for, to account for its own book-keeping.
    const told = this.#socket?.getRecvBufferSize() ?? 0;
    return process.platform === 'linux' ? told / 2 : told;
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#socket?.close();
    this.#socket = null;
  }

  #onError(error: Error): void {
    this.#options.onError(error);
    this.#socket?.close();
    this.#socket = null;
    const retry = (): void => {
      this.#cancelRetry = this.#options.clock.setTimer(RETRY_MS, () => void this.open().catch(retry));
    };
    if (!this.#closed) retry();
  }
}

export class UdpPort {
  readonly #options: UdpPortOptions;
  readonly #paths: BoundPath[] = [];

  private constructor(options: UdpPortOptions) {
    this.#options = options;
  }

  /** @throws LiteDeskError PORT_IN_USE and its like */
  static async open(options: UdpPortOptions): Promise<UdpPort> {
    const port = new UdpPort(options);
    try {
      await port.#open();
    } catch (error) {
      port.close();
      throw listenError('UDP', options.bind ?? '*', options.port, error);
    }
    return port;
  }

  /** From now on each socket of this port knows the one of `second` at the same address, and the other way round. */
  pairWith(second: UdpPort): void {
    for (const path of this.#paths) {
      const twin = second.#paths.find(({ localHost }) => localHost === path.localHost);
      path.other = twin;
      if (twin) twin.other = path;
    }
  }

  /** From now on each socket of this port knows the one at that address; a socket of its own where there is none. */
  async pairAddress(address: string): Promise<void> {
    const known = this.#paths.find(({ localHost }) => localHost === normalizeHost(address));
    const second = known ?? new BoundPath(this.#options, isIPv6(address) ? 'udp6' : 'udp4', address, true);
    if (!known) await this.#add(second);
    for (const path of this.#paths) if (path !== second && sameFamily(path, second)) path.elsewhere = second;
  }

  get localHosts(): string[] {
    return this.#paths.map((path) => path.localHost);
  }

  /** The smallest receive buffer of all sockets, bytes: in a burst, what does not fit is lost. */
  get receiveBufferBytes(): number {
    return Math.min(...this.#paths.map((path) => path.receiveBufferBytes));
  }

  close(): void {
    for (const path of this.#paths) path.close();
    this.#paths.length = 0;
  }

  async #open(): Promise<void> {
    const { bind } = this.#options;
    if (bind !== undefined && bind !== '::' && bind !== '0.0.0.0')
      return this.#add(new BoundPath(this.#options, isIPv6(bind) ? 'udp6' : 'udp4', bind, false));
    const wildcard = await this.#wildcard(bind);
    await this.#add(wildcard);
    const addresses = localAddresses().slice(0, this.#options.limits.maxUdpSockets);
    for (const address of addresses) {
      if (isIPv6(address) ? bind === '0.0.0.0' : false) continue;
      // An address that went away in this moment is no reason to fail: the wildcard socket is there.
      await this.#add(new BoundPath(this.#options, isIPv6(address) ? 'udp6' : 'udp4', address, true)).catch(() => {});
    }
  }

  /** Dual stack where the system has IPv6, else IPv4. Also finds out whether another program has the port. */
  async #wildcard(bind: string | undefined): Promise<BoundPath> {
    const { port } = this.#options;
    // Sockets that share a port must all say so, and then nobody notices a second server; so ask without sharing first.
    const probe = async (family: Family, address: string): Promise<void> => {
      // Our own other processes are there already; whoever started us has asked.
      const socket = await bindSocket(family, address, port, false, this.#options.reusePort);
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    };
    if (bind !== '0.0.0.0') {
      try {
        await probe('dual', '::');
        return new BoundPath(this.#options, 'dual', '::', true);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL' && code !== 'EINVAL') throw error;
      }
    }
    await probe('udp4', '0.0.0.0');
    return new BoundPath(this.#options, 'udp4', '0.0.0.0', true);
  }

  async #add(path: BoundPath): Promise<void> {
    await path.open();
    this.#paths.push(path);
  }
}

/** A socket of all addresses hears both families. */
function sameFamily(path: UdpPath, second: UdpPath): boolean {
  return path.localHost === '' || isIPv6(path.localHost) === isIPv6(second.localHost);
}

const MAPPED = '::ffff:';

/** What the system says of an IPv4 sender at a dual-stack socket needs no parser. */
function hostOf({ address }: RemoteInfo): string {
  return address.startsWith(MAPPED) && address.includes('.') ? address.slice(MAPPED.length) : normalizeHost(address);
}

function bindSocket(family: Family, address: string, port: number, shared: boolean, reusePort = false): Promise<Socket> {
  const socket = createSocket({
    type: family === 'udp4' ? 'udp4' : 'udp6',
    ipv6Only: family === 'udp6',
    reuseAddr: shared,
    ...(reusePort ? { reusePort } : {}),
    // Only addresses are sent to; the resolver would put each answer off to a later turn, and allocate for it.
    lookup: (host, _options, callback) => callback(null, host, host.includes(':') ? 6 : 4),
  });
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', failed);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

/** Every address of this host that a client can ask; link-local IPv6 needs a zone and is left to the wildcard. */
function localAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .map((entry) => entry.address)
    .filter((address) => !address.toLowerCase().startsWith('fe80:'));
}
