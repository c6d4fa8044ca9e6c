/**
 * A place at a relay over UDP (docs/protocol.md, "The relay over UDP"): the opening names the pair, and the stream is there
 * at once, so that what is sent first leaves right behind it.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { type AddressInfo, isIPv6 } from 'node:net';
import { type Clock, systemClock } from '../core/clock.ts';
import { KcpEndpoint } from '../core/kcp/index.ts';
import { encodeOpening, encodeProof, type hbb, type HostPort, readRelayDatagram, RELAY_TRIPLE } from '../core/wire/index.ts';
import type { DatagramSocket } from './datagram-socket.ts';
import { formatHostPort } from './endpoint.ts';
import { abortError, dialError, dialTimeout } from './errors.ts';
import { KcpLink, type KcpLinkOptions } from './kcp-link.ts';
import { createPunchSocket } from './punch-udp.ts';

/** ms between two openings until the relay is heard: a lost one must not cost as much as a connect over TCP. */
const OPENING_REPEAT_MS = [15, 35, 60, 100, 200, 400, 800, 1_000, 1_000, 1_000] as const;

export interface RelayUdpOptions {
  /** An IP literal. */
  readonly relay: HostPort;
  readonly request: hbb.IRequestRelay;
  readonly signal: AbortSignal;
  readonly link?: KcpLinkOptions;
}

/**
 * The link, before anything has come back; it breaks when the relay stays silent. Errors: those of opening a UDP socket,
 * WireError FRAME_TOO_LARGE, ABORTED.
 */
export async function openRelayUdp(options: RelayUdpOptions): Promise<KcpLink> {
  const { relay, request, signal, link = {} } = options;
  const conv = randomBytes(4).readUInt32LE();
  const opening = encodeOpening(conv, request);
  if (signal.aborted) throw abortError(signal, 'relay');
  const socket = createPunchSocket(isIPv6(relay.host) ? 'udp6' : 'udp4');
  try {
    await connected(socket, relay);
  } catch (error) {
    socket.close();
    throw dialError(error, formatHostPort(relay), 'relay');
  }
  if (signal.aborted) {
    socket.close();
    throw abortError(signal, 'relay');
  }
  const clock = link.clock ?? systemClock;
  const flow = new RelayFlow(socket, conv, opening, clock);
  const endpoint = new KcpEndpoint({ role: 'connector', nowMs: clock.now(), conv, opened: RELAY_TRIPLE });
  const kcp = new KcpLink(flow, endpoint, { ...link, clock });
  flow.start(() => kcp.destroy(dialTimeout(formatHostPort(relay), 'relay')));
  return kcp;
}

function connected(socket: Socket, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, host, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}

/** The socket as the stream sees it, and what goes on beside: the opening until it is heard, the proof whenever it is asked for. */
class RelayFlow extends EventEmitter implements DatagramSocket {
  readonly #socket: Socket;
  readonly #conv: number;
  readonly #opening: Uint8Array;
  readonly #clock: Clock;
  #onSilent: () => void = () => {};
  #repeats = 0;
  #heard = false;
  #cancel: (() => void) | null = null;

  constructor(socket: Socket, conv: number, opening: Uint8Array, clock: Clock) {
    super();
    this.#socket = socket;
    this.#conv = conv;
    this.#opening = opening;
    this.#clock = clock;
    socket.on('message', (datagram) => this.#onMessage(datagram));
    socket.on('error', (error) => {
      // Before the relay was heard only its silence is final: a NAT may refuse what it lets through a moment later.
      if (this.#heard) this.emit('error', error);
    });
    socket.on('close', () => this.emit('close'));
  }

  /** Sends the opening. @param onSilent nobody answers */
  start(onSilent: () => void): void {
    this.#onSilent = onSilent;
    this.#open();
  }

  address(): AddressInfo {
    return this.#socket.address();
  }
  remoteAddress(): AddressInfo {
    return this.#socket.remoteAddress();
  }
  getSendQueueSize(): number {
    return this.#socket.getSendQueueSize();
  }
  setRecvBufferSize(bytes: number): void {
    this.#socket.setRecvBufferSize(bytes);
  }
  setSendBufferSize(bytes: number): void {
    this.#socket.setSendBufferSize(bytes);
  }
  send(bytes: Uint8Array, offset: number, length: number): void {
    this.#socket.send(bytes, offset, length);
  }
  close(): this {
    this.#cancel?.();
    this.#socket.close();
    return this;
  }

  #open(): void {
    const waitMs = OPENING_REPEAT_MS[this.#repeats++];
    if (waitMs === undefined) return this.#onSilent();
    this.#answer(this.#opening);
    this.#cancel = this.#clock.setTimer(waitMs, () => this.#open());
  }

  #onMessage(datagram: Buffer): void {
    const read = readRelayDatagram(datagram);
    if (read?.conv !== this.#conv || (read.kind !== 'prove' && read.kind !== 'stream')) return;
    this.#heard = true;
    this.#cancel?.();
    if (read.kind === 'prove') this.#answer(encodeProof('proof', this.#conv, read.token));
    else this.emit('message', datagram);
  }

  #answer(bytes: Uint8Array): void {
    // A datagram that cannot leave is a loss.
    this.#socket.send(bytes, () => {});
  }
}
