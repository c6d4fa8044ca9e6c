/**
 * The server's test of itself: it registers a computer of its own over UDP, asks for it over TCP, answers for it, checks
 * the signed key, connects the two ends by what they were told, and sends bytes through the relay. All of it over the same
 * sockets and through the same rules as everybody else; only the id is reserved.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { openIdPk } from '../../core/crypto/index.ts';
import { encodeRendezvous, type HostPort, hbb, mangleAddress, unmangleAddress } from '../../core/wire/index.ts';
import { openTcpProbe, type ProbeChannel, relayUuid, UdpProbe } from '../../net/probe/index.ts';
import { dialTcp } from '../../net/index.ts';
import { sameBytes } from '../peer-table.ts';
import { type SelfTestIdentity, selfTestIdentity } from './self-test-id.ts';
import { type ReadyStage, type SelfTest, StageFailed } from './ready.ts';

const Result = hbb.RegisterPkResponse.Result;
/** Said as the version of both ends: without one the signed key is left out (rendezvous §6.7). */
const VERSION = '1.4.5';
/** For one connection to ourselves; the whole test has its own limit. */
const TIMEOUT_MS = 3_000;

export interface SelfTestTarget {
  /** Where this server reaches itself: an address that it listens on. */
  readonly host: string;
  readonly port: number;
  /** The built-in relay; 0: off, or not the one that clients are sent to. */
  readonly relayPort: number;
  /** What clients send as licence key. */
  readonly licenceKey: string;
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

export function createSelfTest(target: SelfTestTarget): SelfTest {
  return async (onStage, signal) => {
    const run = new Run(target, signal, onStage);
    try {
      await run.all();
    } finally {
      run.close();
    }
  };
}

class Run {
  readonly #target: SelfTestTarget;
  readonly #signal: AbortSignal;
  readonly #onStage: (stage: ReadyStage) => void;
  readonly #closers: (() => void)[] = [];
  readonly #self: SelfTestIdentity;
  readonly #at: HostPort;
  /** A new one each time: an unchanged registration would not be written. */
  readonly #pk = new Uint8Array(randomBytes(32));

  constructor(target: SelfTestTarget, signal: AbortSignal, onStage: (stage: ReadyStage) => void) {
    this.#target = target;
    this.#signal = signal;
    this.#onStage = onStage;
    this.#self = selfTestIdentity(target.host, target.port, target.secretKey);
    this.#at = { host: target.host, port: target.port };
  }

  async all(): Promise<void> {
    const udp = await this.#register();
    await this.#introduce(udp);
    if (this.#target.relayPort > 0) await this.#relay(udp);
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  async #register(): Promise<UdpProbe> {
    const { id, uuid } = this.#self;
    this.#onStage('udp');
    const udp = await UdpProbe.open(this.#at);
    this.#closers.push(() => udp.close());
    await udp.ask({ registerPeer: { id } }, this.#at, (message) => message.registerPeerResponse, this.#signal);
    this.#onStage('register');
    const result = await udp.ask(
      { registerPk: { id, uuid, pk: this.#pk } },
      this.#at,
      (message) => message.registerPkResponse && { code: message.registerPkResponse.result ?? Result.OK },
      this.#signal,
    );
    if (result.code === Result.SERVER_ERROR) throw new StageFailed('store', 'A registration could not be written to the store.');
    if (result.code !== Result.OK)
      throw new StageFailed('register', `The registration was refused (${Result[result.code] ?? result.code}).`);
    return udp;
  }

  /** Both ends of an introduction, whichever way the rules choose; then the two meet. */
  async #introduce(udp: UdpProbe): Promise<void> {
    const { id } = this.#self;
    const signal = this.#signal;
    this.#onStage('tcp');
    const asker = await this.#connect(this.#target.port);
    this.#onStage('lookup');
    const askerUdp = await UdpProbe.open(this.#at);
    this.#closers.push(() => askerUdp.close());
    asker.send({
      punchHoleRequest: {
        id,
        licenceKey: this.#target.licenceKey,
        natType: hbb.NatType.ASYMMETRIC,
        version: VERSION,
        udpPort: askerUdp.port,
      },
    });
    const answer = asker.next((message) => message.punchHoleResponse, signal);
    const refused = answer.then((response) => {
      throw new StageFailed('lookup', `The own id was not found (${hbb.PunchHoleResponse.Failure[response.failure ?? 0]}).`);
    });
    const pushed = udp.nextMessage(
      (message) =>
        message.fetchLocalAddr
          ? { local: true, socketAddr: message.fetchLocalAddr.socketAddr ?? new Uint8Array(0) }
          : message.punchHole
            ? { local: false, socketAddr: message.punchHole.socketAddr ?? new Uint8Array(0) }
            : null,
      signal,
    );
    const push = await Promise.race([pushed, refused]);
    refused.catch(() => {});
    this.#onStage('introduce');
    const door = push.local ? await this.#openDoor() : null;
    if (door) {
      const host = await this.#connect(this.#target.port);
      const localAddr = mangleAddress(door.address, Date.now() * 1000);
      host.send({ localAddr: { id, socketAddr: push.socketAddr, localAddr, version: VERSION } });
    } else udp.send(sent(id, push.socketAddr), this.#at);
    const response = await answer;
    this.#onStage('signature');
    const signed = openIdPk(response.pk ?? new Uint8Array(0), this.#target.publicKey);
    if (signed?.id !== id || !sameBytes(signed.pk, this.#pk))
      throw new StageFailed('signature', 'The key in the answer is not signed with the key of this server.');
    this.#onStage('connect');
    const peer = unmangleAddress(response.socketAddr ?? new Uint8Array(0));
    if (door) return door.visited(peer, signal);
    askerUdp.send(new Uint8Array(0), peer);
    const from = askerUdp.port;
    for (;;) if ((await udp.next(signal)).from.port === from) return;
  }

  async #relay(udp: UdpProbe): Promise<void> {
    const { id } = this.#self;
    const { licenceKey, relayPort } = this.#target;
    const signal = this.#signal;
    this.#onStage('relay');
    const uuid = relayUuid();
    const asker = await this.#connect(this.#target.port);
    asker.send({ requestRelay: { id, uuid, licenceKey } });
    const request = await udp.nextMessage((message) => message.requestRelay, signal);
    const host = await this.#connect(this.#target.port);
    host.send({ relayResponse: { socketAddr: request.socketAddr ?? new Uint8Array(0), version: VERSION } });
    await asker.next((message) => message.relayResponse, signal);
    const ends = [await this.#connect(relayPort), await this.#connect(relayPort)] as const;
    for (const end of ends) end.send({ requestRelay: { uuid, licenceKey } });
    for (const [from, to] of [ends, [ends[1], ends[0]] as const]) {
      const said = new Uint8Array(randomBytes(32));
      from.sendPayload(said);
      if (!sameBytes(await to.nextPayload(signal), said)) throw new StageFailed('relay', 'The relay changed what it carried.');
    }
  }

  async #connect(port: number): Promise<ProbeChannel> {
    const channel = await openTcpProbe({ host: this.#target.host, port }, { signal: this.#signal, timeoutMs: TIMEOUT_MS });
    this.#closers.push(() => channel.close());
    return channel;
  }

  /** A listener that the asking end must find by the address it is told. */
  async #openDoor(): Promise<{ address: HostPort; visited: (at: HostPort, signal: AbortSignal) => Promise<void> }> {
    const word = randomBytes(16);
    const guests = new Set<Socket>();
    const server: Server = createServer((socket) => {
      guests.add(socket);
      socket.on('error', () => socket.destroy());
      socket.end(word);
    });
    this.#closers.push(() => {
      server.close();
      for (const guest of guests) guest.destroy();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: this.#target.host, port: 0 }, () => resolve());
    });
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    return {
      address: { host: this.#target.host, port },
      visited: async (at, signal) => {
        const socket = await dialTcp({ ...at, signal, timeoutMs: TIMEOUT_MS });
        const heard = await new Promise<Buffer>((resolve, reject) => {
          const chunks: Buffer[] = [];
          socket.on('data', (chunk) => chunks.push(chunk));
          socket.once('end', () => resolve(Buffer.concat(chunks)));
          socket.once('error', reject);
          socket.once('close', () => reject(new Error('the connection was cut')));
          this.#closers.push(() => socket.destroy());
        });
        if (!heard.equals(word)) throw new StageFailed('connect', 'Something else listens at the address that was told.');
      },
    };
  }
}

function sent(id: string, socketAddr: Uint8Array): Uint8Array {
  return encodeRendezvous({ punchHoleSent: { id, socketAddr, natType: hbb.NatType.ASYMMETRIC, version: VERSION } });
}
