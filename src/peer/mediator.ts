/**
 * The rendezvous mediator: keeps this computer registered with its server over UDP, over TCP where UDP does not get
 * through (rendezvous §5.2, §5.6), tests the NAT (§8), and hands what the server pushes to the acceptor.
 */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { systemClock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { keyId, proveEnrolment } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { decodeRendezvous, encodeRendezvous } from '../core/wire/index.ts';
import type { HostPort, hbb } from '../core/wire/index.ts';
import { serverSilent, serverUnreachable } from './errors.ts';
import { randomId } from './identity.ts';
import type { IdentityStore } from './identity.ts';
import { testNat } from './nat-test.ts';
import type { NatType } from './nat-test.ts';
import { type MeasuredRelay, measureRelays } from './relay-latency.ts';
import { Registration } from './registration.ts';
import type { RegisteredIdentity } from './registration.ts';
import { resolveServer } from './rendezvous-client.ts';
import { routeTo } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';
import { type RegistrationBasics, TcpPresence } from './tcp-presence.ts';

/** When UDP has been silent for so many messages, TCP is tried beside it. */
const UDP_FAILURES_UNTIL_TCP = 1;
/** From the end of a TCP registration to the heartbeats that make sure of the one over UDP; what was lost of TCP comes late. */
const AFTER_TCP_MS = [500, 2_500] as const;
/** Unanswered messages until the name is looked up again and the socket made anew (§5.2). */
const FAILURES_UNTIL_REBIND = 4;
/** Pause before everything is started again when the server's name or port could not be reached at all. */
const RESTART_MS = 3_000;
/** Pause after the server turned out to have another key; somebody has to look at it. */
const DISTRUST_RETRY_MS = 60_000;
/** How long registration waits for the NAT test. */
const NAT_HEAD_START_MS = 600;
const NAT_RETRY_MS = [1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 127_000, 300_000];

export type MediatorState =
  | { state: 'off' }
  | { state: 'registering'; attempt: number }
  | { state: 'ready'; transport: 'udp' | 'tcp'; latencyMs: number | null }
  | { state: 'offline'; error: LiteDeskError; retryInMs: number };

interface MediatorEvents {
  state: MediatorState;
  nat: NatType;
  /** The server signs with another key than the one that is known here; its id. */
  'server-key': Uint8Array;
  /** PunchHole, FetchLocalAddr or RequestRelay. */
  push: hbb.RendezvousMessage;
  id: string;
}

export interface MediatorOptions {
  readonly server: ServerAddress;
  readonly identity: IdentityStore;
  /** False: only the NAT is tested; this computer cannot be found. */
  readonly share: boolean;
  readonly knownNat: NatType;
}

export class Mediator extends Emitter<MediatorEvents> {
  readonly #options: MediatorOptions;
  readonly #abort = new AbortController();
  #state: MediatorState = { state: 'off' };
  #nat: NatType;
  #relays: readonly MeasuredRelay[] = [];
  #relayUdp = false;
  #address: HostPort | null = null;
  #socket: Socket | null = null;
  #udp: Registration | null = null;
  #tcp: TcpPresence | null = null;
  #udpReady = false;
  #udpFailures = 0;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: MediatorOptions) {
    super();
    this.#options = options;
    this.#nat = options.knownNat;
  }

  get state(): MediatorState {
    return this.#state;
  }

  /** How far the server's relays are, as far as that is known. */
  get relays(): readonly MeasuredRelay[] {
    return this.#relays;
  }

  /** The server's own relay takes datagrams, too; false as long as it has not said so. */
  get relayUdp(): boolean {
    return this.#relayUdp;
  }

  /** Registered over UDP. */
  get hasUdp(): boolean {
    return this.#udpReady;
  }

  get nat(): NatType {
    return this.#nat;
  }

  /** The server's resolved address; null until it is known. */
  get address(): HostPort | null {
    return this.#address;
  }

  get #serverName(): string {
    const { host, port } = this.#options.server;
    return `${host}:${port}`;
  }

  start(): void {
    void this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#udp?.stop();
    this.#stopTcp();
    const socket = this.#socket;
    this.#socket = null;
    if (socket) await new Promise<void>((resolve) => socket.close(() => resolve()));
    this.#setState({ state: 'off' });
  }

  /** The server no longer vouches for our key as it should: register it again (rendezvous §11.2). */
  unconfirmKey(): void {
    this.#udp?.unconfirmKey();
    this.#udp?.poke();
  }

  /** The server may have started anew and not know us: tells it now instead of at the next heartbeat. */
  refresh(): void {
    this.#udp?.poke();
  }

  /** Gives up for a while: the server is not the one that it should be. */
  distrust(error: LiteDeskError): void {
    this.#udp?.stop();
    this.#stopTcp();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#udpReady = false;
    this.#offline(error, DISTRUST_RETRY_MS);
    this.#after(DISTRUST_RETRY_MS, () => void this.#run());
  }

  async #run(): Promise<void> {
    const signal = this.#abort.signal;
    try {
      if (this.#options.share && this.#state.state === 'off') this.#setState({ state: 'registering', attempt: 0 });
      this.#address = await resolveServer(this.#options.server, signal);
      if (signal.aborted) return;
      // The label belongs to what the first registration reports, and the test takes milliseconds where it works.
      await Promise.race([
        this.#natLoop(this.#address),
        new Promise<void>((resolve) => this.#after(NAT_HEAD_START_MS, resolve)),
      ]);
      if (this.#options.share && !signal.aborted) this.#startUdp(this.#address);
    } catch (error) {
      if (signal.aborted) return;
      this.#offline(error instanceof LiteDeskError ? error : serverUnreachable(this.#serverName, error), RESTART_MS);
      this.#after(RESTART_MS, () => void this.#run());
    }
  }

  async #natLoop(address: HostPort): Promise<void> {
    const signal = this.#abort.signal;
    const route = routeTo(this.#options.server, 'id');
    for (let attempt = 0; !signal.aborted; attempt++) {
      let nat: NatType = 'unknown';
      try {
        nat = await testNat(address, this.#serverName, signal, route, ({ relays, relayUdp }) => {
          this.#relayUdp = relayUdp;
          void measureRelays(relays, address.host, signal).then((measured) => (this.#relays = measured));
        });
        // With one port there is nothing more to learn, and the server has answered.
        if (route) return;
      } catch (error) {
        // The dial is also the quickest way to learn that nothing listens there at all.
        if (error instanceof LiteDeskError && !signal.aborted && this.#state.state === 'registering')
          this.#offline(error, RESTART_MS);
      }
      if (signal.aborted) return;
      if (nat !== 'unknown') {
        this.#nat = nat;
        this.emit('nat', nat);
        return;
      }
      await new Promise<void>((resolve) =>
        this.#after(NAT_RETRY_MS[Math.min(attempt, NAT_RETRY_MS.length - 1)] ?? RESTART_MS, resolve),
      );
    }
  }

  #startUdp(address: HostPort): void {
    const socket = createSocket(isIPv6(address.host) ? 'udp6' : 'udp4');
    this.#socket = socket;
    socket.on('message', (data) => this.#onDatagram(data));
    // ICMP errors only repeat what silence tells, and arrive for sends of long ago.
    socket.on('error', () => {});
    const registration = new Registration({
      ...this.#basics(),
      mode: 'udp',
      send: (message) => {
        if (this.#socket === socket) socket.send(encodeRendezvous(message), address.port, address.host, () => {});
      },
      onReady: (latencyMs) => {
        this.#udpReady = true;
        this.#udpFailures = 0;
        if (this.#tcp) {
          this.#stopTcp();
          // What was on its way over TCP may have registered us after this answer left, and its end would leave us offline.
          for (const afterMs of AFTER_TCP_MS) this.#after(afterMs, () => this.#udp?.poke());
        }
        this.#setState({ state: 'ready', transport: 'udp', latencyMs });
      },
      onTrying: (failures) => this.#onUdpSilent(failures, null),
      onOffline: (error) => this.#onUdpSilent(this.#udpFailures + 1, error),
    });
    this.#udp = registration;
    registration.start();
  }

  #onUdpSilent(failures: number, error: LiteDeskError | null): void {
    this.#udpFailures = failures;
    if (failures >= UDP_FAILURES_UNTIL_TCP && error === null) this.#startTcp();
    if (failures >= FAILURES_UNTIL_REBIND && failures % FAILURES_UNTIL_REBIND === 0) void this.#rebind();
    if (this.#tcp?.ready) return;
    if (error) this.#offline(error, RESTART_MS);
    else if (failures >= 2) {
      this.#udpReady = false;
      // A refusal seen on TCP is the better explanation; keep it.
      const known = this.#state.state === 'offline' ? this.#state.error : serverSilent(this.#serverName);
      this.#offline(known, RESTART_MS);
    } else if (!this.#udpReady && this.#state.state !== 'offline')
      this.#setState({ state: 'registering', attempt: failures });
  }

  /** The server may have moved to another address (§5.2). */
  async #rebind(): Promise<void> {
    const signal = this.#abort.signal;
    try {
      const address = await resolveServer(this.#options.server, signal);
      if (signal.aborted || !this.#address || address.host === this.#address.host) return;
      this.#address = address;
      this.#udp?.stop();
      this.#socket?.close();
      this.#startUdp(address);
    } catch {
      // The old address stays in use; the loop goes on.
    }
  }

  #onDatagram(data: Uint8Array): void {
    let message: hbb.RendezvousMessage;
    try {
      message = decodeRendezvous(data);
    } catch {
      return;
    }
    if (!this.#udp?.handle(message)) this.#onPush(message);
  }

  #onPush(message: hbb.RendezvousMessage): void {
    if (message.union === 'punchHole' || message.union === 'fetchLocalAddr' || message.union === 'requestRelay')
      this.emit('push', message);
  }

  #startTcp(): void {
    if (this.#tcp || this.#abort.signal.aborted || !this.#address) return;
    this.#tcp = new TcpPresence({
      ...this.#basics(),
      address: this.#address,
      serverName: this.#serverName,
      route: routeTo(this.#options.server, 'id'),
      onReady: (latencyMs) => {
        if (!this.#udpReady || this.#udpFailures > 0) this.#setState({ state: 'ready', transport: 'tcp', latencyMs });
      },
      onMessage: (message) => this.#onPush(message),
      onUnreachable: (error) => {
        if (!this.#udpReady) this.#offline(error, RESTART_MS);
      },
      onRefused: (error) => this.#offline(error, RESTART_MS),
      onLost: () => {
        if (!this.#udpReady) this.#setState({ state: 'registering', attempt: 1 });
      },
      // The next silence over UDP starts another one.
      onOver: () => (this.#tcp = null),
    });
    this.#tcp.start();
  }

  #stopTcp(): void {
    this.#tcp?.stop();
    this.#tcp = null;
  }

  #basics(): RegistrationBasics {
    return {
      clock: systemClock,
      identity: () => this.#options.identity.current,
      takeNewId: () => this.#takeNewId(),
      credentials: (own) => this.#credentials(own),
      onOtherServerKey: (id) => this.emit('server-key', id),
    };
  }

  #credentials({ id, uuid, publicKey }: RegisteredIdentity): hbb.IRegisterPk {
    const { key, token } = this.#options.server;
    return {
      ...(key === '' ? {} : { serverKeyId: keyId(key) }),
      ...(token ? { enrolmentProof: proveEnrolment(token, key, { id, uuid, pk: publicKey }) } : {}),
    };
  }

  #takeNewId(): void {
    this.#options.identity.changeId(randomId());
    this.emit('id', this.#options.identity.current.id);
  }

  #offline(error: LiteDeskError, retryInMs: number): void {
    this.#setState({ state: 'offline', error, retryInMs });
  }

  #setState(state: MediatorState): void {
    if (this.#abort.signal.aborted && state.state !== 'off') return;
    this.#state = state;
    this.emit('state', state);
  }

  #after(delayMs: number, fn: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, delayMs);
    this.#timers.add(timer);
  }
}
