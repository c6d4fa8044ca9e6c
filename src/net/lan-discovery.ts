/** Finding peers on the local network (rendezvous §12): a question by broadcast, answers by unicast, UDP. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { type Clock, systemClock } from '../core/clock.ts';
import { decodeRendezvous, encodeRendezvous } from '../core/wire/proto.ts';
import { localIPv4Interfaces, macFacing, plainAddress } from './endpoint.ts';
import { abortError } from './errors.ts';

const LAN_DISCOVERY_PORT = 21119;

/** The asker gives up after this long without a new answer (rendezvous §12). */
const LAN_SILENCE_MS = 3000;

/** Peers listed from one search; a flood of invented answers ends here. */
export const MAX_LAN_PEERS = 256;

/** A question or an answer is some 100 bytes; anything much larger is none. */
const MAX_DATAGRAM = 2048;
const MAX_TEXT = 255;
/** Answers sent per second at most, so that forged questions do not make us a source of traffic. */
const MAX_ANSWERS_PER_SECOND = 50;

export interface LanIdentity {
  id: string;
  username: string;
  hostname: string;
  /** `Windows`, `Linux`, `Mac OS`, `Android` … */
  platform: string;
}

export interface LanPeerInfo extends LanIdentity {
  /** IP address it answered from. */
  address: string;
  /** `aa:bb:cc:dd:ee:ff`, or empty. */
  mac: string;
}

export interface LanResponderOptions extends Omit<LanIdentity, 'id'> {
  /** Asked anew for each question, since the id may change. Empty: stay silent. */
  id: () => string;
  /** False: stay silent. Asked for each question. */
  enabled?: () => boolean;
  host?: string;
  port?: number;
  /** Hardware address of the interface facing an address. Default: this machine's. */
  macFor?: (address: string) => string;
  clock?: Clock;
}

/** Answers the questions of others. */
export class LanDiscoveryResponder {
  readonly #options: LanResponderOptions;
  readonly #clock: Clock;
  #socket: Socket | undefined;
  #second = 0;
  #answered = 0;

  constructor(options: LanResponderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Port in use, 0 before start. */
  get port(): number {
    return this.#socket?.address().port ?? 0;
  }

  /** Binds; rejects with the system's error when the port cannot be had even shared. */
  async start(): Promise<void> {
    if (this.#socket) return;
    // Another program of this kind on the same machine listens on the same port.
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    this.#socket = socket;
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(this.#options.port ?? LAN_DISCOVERY_PORT, this.#options.host ?? '0.0.0.0', () => {
          socket.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      this.#socket = undefined;
      socket.close();
      throw error;
    }
    // An answer that did not get through is the asker's loss, not ours.
    socket.on('error', () => {});
    socket.on('message', (datagram, from) => this.#onMessage(datagram, from));
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) await new Promise<void>((resolve) => socket.close(resolve));
  }

  #onMessage(datagram: Uint8Array, from: RemoteInfo): void {
    if (this.#options.enabled?.() === false) return;
    const mac = this.#options.macFor ?? macFacing;
    const answer = lanAnswer(datagram, { ...this.#options, id: this.#options.id() }, () => mac(from.address));
    if (!answer || from.port === 0) return;
    const second = Math.floor(this.#clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#answered = 0;
    }
    if (++this.#answered > MAX_ANSWERS_PER_SECOND) return;
    this.#socket?.send(answer, from.port, from.address, () => {});
  }
}

/** The answer to one datagram, or null when it asks nothing of us. Never throws on hostile bytes. */
export function lanAnswer(datagram: Uint8Array, self: LanIdentity, mac: () => string): Uint8Array | null {
  const question = readDiscovery(datagram);
  if (question?.cmd !== 'ping' || question.id === self.id || !isValidPeerId(self.id)) return null;
  return encodeRendezvous({
    peerDiscovery: {
      cmd: 'pong',
      mac: mac(),
      id: self.id,
      username: self.username,
      hostname: self.hostname === 'localhost' ? 'unknown' : self.hostname,
      platform: self.platform,
    },
  });
}

/** Empty, too long, or with characters that have no business in an id or a file name (rendezvous §12). */
export function isValidPeerId(id: string): boolean {
  return id.length > 0 && Buffer.byteLength(id) <= 253 && !/[\p{Cc}\s"</>\\|?*]/u.test(id);
}

export interface DiscoverOptions {
  /** Ends after this long without a new answer. Default 3000 ms. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Our own id: peers with it do not answer. The stock desktop leaves it empty. */
  id?: string;
  port?: number;
  /** Local addresses to ask from. Default: each IPv4 address and the wildcard. */
  sources?: readonly string[];
  /** Addresses to ask. Default: 255.255.255.255 and the broadcast address of each local network. */
  targets?: readonly string[];
  /** Hardware address of the interface facing an address. Default: this machine's. */
  macFor?: (address: string) => string;
  /** Called for each peer as soon as it answers. */
  onPeer?: (peer: LanPeerInfo) => void;
  clock?: Clock;
}

/**
 * Asks the local networks and collects who answers, each id once, at most 256. Sockets that cannot be opened or sent from are
 * left out. Throws LiteDeskError ABORTED only.
 */
export async function discoverLan(options: DiscoverOptions = {}): Promise<LanPeerInfo[]> {
  const { signal, port = LAN_DISCOVERY_PORT, timeoutMs = LAN_SILENCE_MS, clock = systemClock } = options;
  if (signal?.aborted) throw abortError(signal, 'lookup');
  const interfaces = localIPv4Interfaces();
  const sources = options.sources ?? ['0.0.0.0', ...interfaces.map((entry) => entry.address)];
  const targets = options.targets ?? ['255.255.255.255', ...interfaces.map((entry) => entry.broadcast)];
  const macFor = options.macFor ?? macFacing;
  const question = encodeRendezvous({
    peerDiscovery: { cmd: 'ping', ...(options.id && { id: options.id }) },
  });
  const peers = new Map<string, LanPeerInfo>();
  const sockets: Socket[] = [];
  return await new Promise<LanPeerInfo[]>((resolve, reject) => {
    let done = false;
    const settle = (finish: () => void): void => {
      if (done) return;
      done = true;
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      for (const socket of sockets) socket.close();
      finish();
    };
    const finish = (): void => settle(() => resolve([...peers.values()]));
    const onAbort = (): void => settle(() => reject(abortError(signal as AbortSignal, 'lookup')));
    let cancelTimer = clock.setTimer(timeoutMs, finish);
    signal?.addEventListener('abort', onAbort, { once: true });
    const onMessage = (datagram: Uint8Array, from: RemoteInfo): void => {
      const peer = lanPeer(datagram, from.address, macFor);
      if (!peer || done || peers.has(peer.id)) return;
      peers.set(peer.id, peer);
      options.onPeer?.(peer);
      cancelTimer();
      if (peers.size >= MAX_LAN_PEERS) finish();
      else if (!done) cancelTimer = clock.setTimer(timeoutMs, finish);
    };
    for (const source of new Set(sources)) {
      const socket = createSocket('udp4');
      sockets.push(socket);
      // Networks come and go; the other sockets still ask.
      socket.on('error', () => {});
      socket.on('message', onMessage);
      socket.bind(0, source, () => {
        if (done) return;
        socket.setBroadcast(true);
        for (const target of new Set(targets)) socket.send(question, port, target, () => {});
      });
    }
  });
}

/** The peer that one answer describes, or null. Never throws on hostile bytes. */
export function lanPeer(
  datagram: Uint8Array,
  address: string,
  macFor: (address: string) => string,
): LanPeerInfo | null {
  const answer = readDiscovery(datagram);
  if (answer?.cmd !== 'pong' || !isValidPeerId(answer.id)) return null;
  // Ourselves: the same interface answered. Two empty ones say nothing.
  if (answer.mac !== '' && answer.mac.toLowerCase() === macFor(address).toLowerCase()) return null;
  return {
    id: answer.id,
    username: answer.username.slice(0, MAX_TEXT),
    hostname: answer.hostname.slice(0, MAX_TEXT),
    platform: answer.platform.slice(0, MAX_TEXT),
    mac: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(answer.mac) ? answer.mac.toLowerCase() : '',
    address: plainAddress(address),
  };
}

interface Discovery extends LanIdentity {
  cmd: string;
  mac: string;
}

function readDiscovery(datagram: Uint8Array): Discovery | null {
  if (datagram.length > MAX_DATAGRAM) return null;
  try {
    const message = decodeRendezvous(datagram).peerDiscovery;
    if (!message) return null;
    const { cmd, mac, id, username, hostname, platform } = message;
    return {
      cmd: cmd ?? '',
      mac: mac ?? '',
      id: id ?? '',
      username: username ?? '',
      hostname: hostname ?? '',
      platform: platform ?? '',
    };
  } catch {
    return null;
  }
}
