/**
 * The computer that the doctor plays to be registered, asked for and relayed to: one id per installation, so that a server
 * gets one row from it however often it runs, and never the id of this computer, whose registration it would take away.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signKeyPair } from '../../core/crypto/index.ts';
import { type HostPort, hbb, mangleAddress, unmangleAddress } from '../../core/wire/index.ts';
import { type ProbeChannel, UdpProbe } from '../../net/probe/index.ts';
import { WIRE_VERSION } from '../../peer/version.ts';
import { at, openRendezvous, step, type Target } from './target.ts';

const Result = hbb.RegisterPkResponse.Result;
const SEED_FILE = 'doctor_seed';
const SEED_BYTES = 32;
/** A reachable registration needs one round of these; more is a server that does not want us. */
const MAX_HEARTBEATS = 3;

export interface StandInIdentity {
  readonly id: string;
  readonly uuid: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** The id of this installation's doctor; made up for this run where the folder cannot be written. */
export function standInIdentity(dataDir: string): StandInIdentity {
  const file = join(dataDir, SEED_FILE);
  let seed: Buffer;
  try {
    seed = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
    if (seed.length !== SEED_BYTES) throw new Error('not a seed');
  } catch {
    seed = randomBytes(SEED_BYTES);
    try {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      writeFileSync(file, seed.toString('base64'), { mode: 0o600 });
    } catch {
      // Only used once, then.
    }
  }
  const digest = (what: string): Buffer => createHash('sha256').update(what).update(seed).digest();
  return {
    id: `doctor-${digest('id').toString('hex').slice(0, 12)}`,
    uuid: Buffer.from(digest('uuid').toString('hex').slice(0, 32)),
    publicKey: signKeyPair(new Uint8Array(digest('key'))).publicKey,
  };
}

export interface Push {
  /** Where the server sees the asking connection. */
  readonly asker: HostPort;
  readonly how: 'local' | 'punch' | 'relay';
  readonly relayServer: string;
}

/** Registered at the server, and answering like a controlled computer until it is closed. */
export class StandIn {
  readonly identity: StandInIdentity;
  readonly via: 'udp' | 'tcp';
  readonly #target: Target;
  readonly #channels = new Set<ProbeChannel>();
  readonly #stop = new AbortController();
  readonly #udp: UdpProbe | null;
  readonly #presence: ProbeChannel | null;
  readonly #onPush = new Set<(push: Push) => void>();

  private constructor(target: Target, identity: StandInIdentity, udp: UdpProbe | null, presence: ProbeChannel | null) {
    this.#target = target;
    this.identity = identity;
    this.#udp = udp;
    this.#presence = presence;
    this.via = udp ? 'udp' : 'tcp';
    void this.#serve().catch(() => {});
  }

  /** Registers over UDP. Answers the result when that is not OK. Throws when nothing comes. */
  static async byUdp(target: Target, identity: StandInIdentity): Promise<StandIn | hbb.RegisterPkResponse.Result> {
    const server = at(target, target.ports.rendezvous);
    const { options } = step(target);
    const udp = await UdpProbe.open(server);
    try {
      const { id, uuid, publicKey: pk } = identity;
      const result = await udp.ask(
        { registerPk: { id, uuid, pk } },
        server,
        (message) => message.registerPkResponse && { code: message.registerPkResponse.result ?? Result.OK },
        options.signal,
      );
      if (result.code !== Result.OK) return result.code;
      // Stock servers take the address of a known computer from its next heartbeat only (rendezvous §5.7).
      for (let i = 0; i < MAX_HEARTBEATS; i++) {
        const answer = await udp.ask({ registerPeer: { id } }, server, (message) => message.registerPeerResponse, options.signal);
        if (!answer.requestPk) break;
      }
      return new StandIn(target, identity, udp, null);
    } catch (error) {
      udp.close();
      throw error;
    }
  }

  /** Registers over TCP, where UDP does not come through (rendezvous §5.6). */
  static async byTcp(target: Target, identity: StandInIdentity): Promise<StandIn | hbb.RegisterPkResponse.Result> {
    const { options } = step(target);
    const channel = await openRendezvous(target, options);
    try {
      const { id, uuid, publicKey: pk } = identity;
      channel.send({ registerPk: { id, uuid, pk } });
      const result = await channel.next(
        (message) => message.registerPkResponse && { code: message.registerPkResponse.result ?? Result.OK },
        options.signal,
      );
      if (result.code === Result.OK) return new StandIn(target, identity, null, channel);
      channel.close();
      return result.code;
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  /** Calls back for each request that reaches this computer; the returned function ends it. */
  onPush(listener: (push: Push) => void): () => void {
    this.#onPush.add(listener);
    return () => void this.#onPush.delete(listener);
  }

  close(): void {
    this.#stop.abort();
    this.#udp?.close();
    this.#presence?.close();
    for (const channel of this.#channels) channel.close();
  }

  async #serve(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#target.signal]);
    const take = (message: hbb.RendezvousMessage): hbb.RendezvousMessage | null =>
      message.fetchLocalAddr || message.punchHole || message.requestRelay ? message : null;
    for (;;) {
      const message = await (this.#udp ? this.#udp.nextMessage(take, signal) : this.#presence?.next(take, signal));
      if (!message) return;
      const { fetchLocalAddr, punchHole, requestRelay } = message;
      const asked = fetchLocalAddr ?? punchHole ?? requestRelay;
      const socketAddr = Uint8Array.from(asked?.socketAddr ?? []);
      const relayServer = asked?.relayServer ?? '';
      const how = fetchLocalAddr ? 'local' : punchHole ? 'punch' : 'relay';
      for (const listener of this.#onPush) listener({ asker: unmangleAddress(socketAddr), how, relayServer });
      await this.#answer(how, socketAddr, relayServer, signal).catch(() => {});
    }
  }

  async #answer(how: Push['how'], socketAddr: Uint8Array, relayServer: string, signal: AbortSignal): Promise<void> {
    const { id } = this.identity;
    const version = WIRE_VERSION;
    const channel = await openRendezvous(this.#target, { signal, timeoutMs: 3_000 });
    this.#channels.add(channel);
    const natType = hbb.NatType.ASYMMETRIC;
    if (how === 'local') {
      // Nobody dials it here; a WebSocket does not tell its own.
      const local = channel.local.host === '' ? { host: '127.0.0.1', port: 9 } : channel.local;
      const localAddr = mangleAddress(local, Date.now() * 1000);
      channel.send({ localAddr: { id, socketAddr, localAddr, relayServer, version } });
    } else if (how === 'punch') channel.send({ punchHoleSent: { id, socketAddr, relayServer, natType, version } });
    else channel.send({ relayResponse: { socketAddr, version } });
  }
}
