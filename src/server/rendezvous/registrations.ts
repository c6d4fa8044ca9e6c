/** RegisterPeer and RegisterPk, over UDP, TCP and WebSocket (rendezvous §5.6 to §5.8). */
import { KEY_ID_BYTES } from '../../core/crypto/index.ts';
import { encodeRendezvous, type HostPort, hbb } from '../../core/wire/index.ts';
import type { Client, UdpPath } from '../client.ts';
import { isOwnSelfTest, isSelfTestId } from '../observe/self-test-id.ts';
import type { Reason } from '../observe/reasons.ts';
import { registerReason } from '../observe/wire-reasons.ts';
import { NO_BYTES } from './fields.ts';
import type { RendezvousOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import type { ServerList } from './server-list.ts';

const Result = hbb.RegisterPkResponse.Result;
const HEARTBEAT_OK = encodeRendezvous({ registerPeerResponse: {} });
const HEARTBEAT_SEND_PK = encodeRendezvous({ registerPeerResponse: { requestPk: true } });

export class Registrations {
  readonly #o: RendezvousOptions;
  readonly #outbox: Outbox;
  readonly #list: ServerList;
  /** Ids registered by a connection. */
  readonly #presences = new Map<Client, string>();

  constructor(options: RendezvousOptions, outbox: Outbox, list: ServerList) {
    this.#o = options;
    this.#outbox = outbox;
    this.#list = list;
  }

  /** Whether this connection is a registration. */
  isPresence(client: Client): boolean {
    return this.#presences.has(client);
  }

  onClosed(client: Client): void {
    const id = this.#presences.get(client);
    if (id === undefined) return;
    this.#presences.delete(client);
    this.#o.counters.count('presence-lost', { id, from: client.remote.host, via: client.kind });
    this.#lost(id, client);
  }

  onRegisterPeer(message: hbb.IRegisterPeer | null | undefined, from: HostPort, path: UdpPath): void {
    const id = message?.id ?? '';
    if (id === '') return;
    this.#outbox.reply(path, from, this.#o.peers.heartbeat(id, from, path) ? HEARTBEAT_SEND_PK : HEARTBEAT_OK);
    const configureUpdate = this.#list.newerThan(message?.serial);
    if (configureUpdate) this.#outbox.reply(path, from, encodeRendezvous({ configureUpdate }));
  }

  onRegisterPk(message: hbb.IRegisterPk | null | undefined, from: HostPort, path: UdpPath): void {
    this.#register(message, from, path, null, (result) =>
      this.#outbox.reply(path, from, encodeRendezvous({ registerPkResponse: { result, ...this.#keyHint(message) } })),
    );
  }

  /** Registration over TCP or WebSocket: the connection stays and is the presence (rendezvous §5.6). */
  onRegisterPkByClient(client: Client, message: hbb.IRegisterPk | null | undefined): void {
    // A change of id, told apart by its missing key (rendezvous §5.5).
    if (message?.oldId && !message.pk?.length) return this.#onNewId(client, message.oldId, message);
    const accepted = this.#register(message, client.remote, null, client, (result) => {
      const keepAlive = result === Result.OK ? this.#o.limits.keepAliveSeconds : 0;
      client.send(encodeRendezvous({ registerPkResponse: { result, keepAlive, ...this.#keyHint(message) } }));
      if (result !== Result.OK) return;
      // It went while the disk wrote: its end has been told already.
      if (client.closed) return this.#lost(message?.id ?? '', client);
      const before = this.#presences.get(client);
      const id = message?.id ?? '';
      // One connection, one id: the earlier one would else stay online through it.
      if (before !== undefined && before !== id) this.#lost(before, client);
      this.#presences.set(client, id);
      client.keepAsPresence();
    });
    if (!accepted) client.close();
  }

  #onNewId(client: Client, oldId: string, message: hbb.IRegisterPk): void {
    const { cluster, counters, peers } = this.#o;
    const newId = message.id ?? '';
    const done = (result: hbb.RegisterPkResponse.Result): void => {
      counters.count(result === Result.OK ? 'renamed' : registerReason(result), { id: newId, from: client.remote.host, via: client.kind });
      if (result === Result.OK) {
        const presence = peers.inMemory(newId)?.client;
        if (presence && this.#presences.get(presence) === oldId) this.#presences.set(presence, newId);
        cluster?.release(oldId);
      }
      client.send(encodeRendezvous({ registerPkResponse: { result } }));
      if (!this.#presences.has(client)) client.close();
    };
    const { uuid } = message;
    if (!uuid?.length) return client.close();
    if (isSelfTestId(oldId) || oldId.length > this.#o.limits.maxIdBytes) return done(Result.UUID_MISMATCH);
    const rename = (): void =>
      peers.rename({ oldId, newId, uuid, from: client.remote }, (result) => {
        if (cluster && result === Result.OK) void cluster.claim(newId).then(() => done(result));
        else done(result);
      });
    if (!cluster) return rename();
    const both = async (): Promise<void> => {
      // Into memory one after the other: what was fetched from the other nodes' store stays only for a moment.
      for (const id of [newId, oldId]) {
        await cluster.refresh(id);
        peers.find(id);
      }
      rename();
    };
    both().catch(() => done(Result.SERVER_ERROR));
  }

  /** For a device that says which key it knows, when that is not the present one. */
  #keyHint(message: hbb.IRegisterPk | null | undefined): hbb.IRegisterPkResponse {
    const known = message?.serverKeyId;
    const newer = known?.length === KEY_ID_BYTES ? this.#o.keys.newerThan(known) : null;
    return newer ? { serverKeyId: newer } : {};
  }

  #register(
    message: hbb.IRegisterPk | null | undefined,
    from: HostPort,
    path: UdpPath | null,
    client: Client | null,
    reply: (result: hbb.RegisterPkResponse.Result) => void,
  ): boolean {
    const { id = '', uuid = NO_BYTES, pk = NO_BYTES } = message ?? {};
    if (!uuid?.length || !pk?.length) return false;
    const { clock, cluster, counters, gate, keys, peers } = this.#o;
    const startedAt = clock.now();
    const done = (result: hbb.RegisterPkResponse.Result, refusal?: Reason): void => {
      const ms = result === Result.OK ? clock.now() - startedAt : undefined;
      counters.count(refusal ?? registerReason(result), { id: id ?? '', from: from.host, via: client?.kind ?? 'udp', ms });
      reply(result);
    };
    // Whoever took the id of the server's self-test would make a sound server look broken.
    if (isSelfTestId(id ?? '') && !isOwnSelfTest(id ?? '', uuid, keys.current.secretKey)) {
      done(Result.UUID_MISMATCH);
      return true;
    }
    const register = (registered: typeof done): void =>
      peers.register({ id: id ?? '', uuid, pk, from, path, client }, (result) => {
        // Told only once every node finds the peer: whoever it tells its id may ask any of them.
        if (cluster && result === Result.OK) void cluster.claim(id ?? '').then(() => registered(result));
        else registered(result);
      });
    const judge = (): void => {
      if (!gate || isSelfTestId(id ?? '')) return register(done);
      const candidate = { id: id ?? '', uuid, pk, host: from.host, proof: message?.enrolmentProof ?? NO_BYTES };
      gate.pass(candidate, () => peers.find(id ?? '')?.owned === true, register, done);
    };
    if (cluster) cluster.refresh(id ?? '').then(judge, () => done(Result.SERVER_ERROR));
    else judge();
    return true;
  }

  #lost(id: string, client: Client): void {
    const { cluster, peers } = this.#o;
    peers.lostClient(id, client);
    const peer = peers.inMemory(id);
    if (cluster && !(peer && peers.isOnline(peer))) cluster.release(id);
  }
}
