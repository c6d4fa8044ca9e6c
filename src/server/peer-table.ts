/** The peers the server knows, and the rules by which they register (rendezvous §5.7, §5.8, §6.1). */
import type { Clock } from '../core/clock.ts';
import { type HostPort, hbb, normalizeHost } from '../core/wire/index.ts';
import { AddressLimiter } from './address-limiter.ts';
import type { Client, UdpPath } from './client.ts';
import { newGuid } from './guid.ts';
import { isChosenId } from './id-format.ts';
import type { ServerLimits } from './limits.ts';
import { isSelfTestId } from './observe/self-test-id.ts';
import type { PeerLine, Presence } from './observe/view.ts';
import { IpChanges } from './ip-changes.ts';
import { NEVER, Peer } from './peer.ts';
import type { PeerRow, PeerStore } from './peer-store.ts';

export type { Peer } from './peer.ts';

const Result = hbb.RegisterPkResponse.Result;
/** Records looked at for the list on the status page. */
const MAX_LOOKED_AT = 10_000;
/** Records counted in one turn of the event loop: some 0.1 ms. */
const CENSUS_SLICE = 1_000;
/** Records that one round of upkeep looks at: a few ms of work. */
const EVICT_SLICE = 20_000;
/** Records that one request looks at when the table is full. */
const ROOM_SLICE = 64;

export interface Registration {
  readonly id: string;
  readonly uuid: Uint8Array;
  readonly pk: Uint8Array;
  readonly from: HostPort;
  readonly path: UdpPath | null;
  readonly client: Client | null;
}

export interface Rename {
  readonly oldId: string;
  readonly newId: string;
  readonly uuid: Uint8Array;
  readonly from: HostPort;
}

export class PeerTable {
  readonly #peers = new Map<string, Peer>();
  readonly #store: PeerStore;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #limiter: AddressLimiter;
  /** Ids that came from another address than before; for an operator. */
  readonly ipChanges: IpChanges;
  /** Other nodes write to the store too. */
  readonly #shared: boolean;
  /** Ids whose row is on its way to the disk, with what came for them meanwhile. */
  readonly #saving = new Map<string, (() => void)[]>();
  #evicting: MapIterator<Peer> | undefined;
  #roomSearch: MapIterator<Peer> | undefined;
  #slowCensus: Promise<Record<Presence, number>> | null = null;

  constructor(store: PeerStore, limits: ServerLimits, clock: Clock, shared = false) {
    this.#shared = shared;
    this.#store = store;
    this.#limits = limits;
    this.#clock = clock;
    this.#limiter = new AddressLimiter(limits, clock);
    this.ipChanges = new IpChanges(limits, clock);
  }

  /** What registrations of new ids are counted with, by address. */
  get limiter(): AddressLimiter {
    return this.#limiter;
  }

  /** How a known id is here; looks into the store when it is not in memory. */
  line(id: string): (PeerLine & { readonly ip: string; readonly port: number; readonly pk: Uint8Array; readonly uuid: Uint8Array }) | null {
    const peer = this.find(id);
    if (!peer?.owned) return null;
    const silentMs = peer.client || peer.lastSeen === NEVER ? null : Math.round(this.#clock.now() - peer.lastSeen);
    return { id, via: this.#presence(peer), host: peer.host, port: peer.port, silentMs, ip: peer.ip, pk: peer.pk, uuid: peer.uuid };
  }

  /**
   * Forgets an id and whose it is; the next machine that registers it gets it. Resolves once that is on disk.
   * @returns whether it was known, or null where the store cannot forget. Rejects when the disk refuses
   */
  async forget(id: string): Promise<boolean | null> {
    if (!this.#store.remove) return null;
    const known = await this.#store.remove(id);
    return this.drop(id) || known;
  }

  /** Forgets what memory has of an id. @returns whether it had anything */
  drop(id: string): boolean {
    const peer = this.#peers.get(id);
    if (!peer) return false;
    this.#peers.delete(id);
    peer.client?.close();
    return true;
  }

  get size(): number {
    return this.#peers.size;
  }

  /** Computers that are here; looks at each. */
  get onlineCount(): number {
    const { udp, tcp, ws } = this.census();
    return udp + tcp + ws;
  }

  /** Computers in memory by how they are here; looks at each. */
  census(): Record<Presence, number> {
    const census = { udp: 0, tcp: 0, ws: 0, none: 0 };
    for (const peer of this.#peers.values()) if (!isSelfTestId(peer.id)) census[this.#presence(peer)]++;
    return census;
  }

  /** The same in small pieces, so that no session waits for it: 100,000 computers take some 10 ms. */
  slowCensus(): Promise<Record<Presence, number>> {
    this.#slowCensus ??= this.#countSlowly().finally(() => {
      this.#slowCensus = null;
    });
    return this.#slowCensus;
  }

  async #countSlowly(): Promise<Record<Presence, number>> {
    const census = { udp: 0, tcp: 0, ws: 0, none: 0 };
    let looked = 0;
    // A Map may change while it is walked through.
    for (const peer of this.#peers.values()) {
      if (!isSelfTestId(peer.id)) census[this.#presence(peer)]++;
      if (++looked % CENSUS_SLICE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return census;
  }

  /** Some of the computers that are here; a bounded look, since it runs for a picture and not for anybody's request. */
  here(limit: number): PeerLine[] {
    const lines: PeerLine[] = [];
    let looked = 0;
    for (const peer of this.#peers.values()) {
      if (lines.length >= limit || ++looked > MAX_LOOKED_AT) break;
      const via = this.#presence(peer);
      if (via === 'none' || isSelfTestId(peer.id)) continue;
      const silentMs = peer.client ? null : Math.round(this.#clock.now() - peer.lastSeen);
      lines.push({ id: peer.id, via, host: peer.host, silentMs });
    }
    return lines;
  }

  inMemory(id: string): Peer | undefined {
    return this.#peers.get(id);
  }

  /** The peer, loaded from the store when it is not in memory. A store that cannot be read counts as not knowing it. */
  find(id: string): Peer | undefined {
    const known = this.#peers.get(id);
    if (known || id === '' || id.length > this.#limits.maxIdBytes) return known;
    let row: PeerRow | null;
    try {
      row = this.#store.get(id);
    } catch {
      return undefined;
    }
    if (!row) return undefined;
    // Somebody who asks for old ids does not make the table grow; nor does a registered one stay out.
    this.#hasRoom();
    const peer = this.#add(id);
    peer.setKeys(row.guid, row.uuid, row.pk);
    peer.ip = normalizeHost(row.ip);
    return peer;
  }

  isOnline(peer: Peer): boolean {
    return peer.client !== null || this.#clock.now() - peer.lastSeen < this.#limits.onlineMs;
  }

  /** RegisterPeer (rendezvous §5.7): true when the client has to send RegisterPk. */
  heartbeat(id: string, from: HostPort, path: UdpPath): boolean {
    const peer = this.#peers.get(id);
    if (!peer) return true;
    // A datagram with a forged source must not end a living connection; RegisterPk, which names the uuid, may.
    if (peer.client) return true;
    // It may have been with another node, and changed there: its RegisterPk brings the record up to date.
    if (this.#shared && !this.isOnline(peer)) return true;
    const lastIp = peer.port === 0 ? peer.ip : peer.host;
    if (!peer.hasKey || (from.host !== lastIp && !isLoopback(from.host))) return true;
    this.#heard(peer, from, path, null);
    return false;
  }

  /** RegisterPk (rendezvous §5.8). `done` gets the result; OK only once the registration is on disk. */
  register(request: Registration, done: (result: hbb.RegisterPkResponse.Result) => void): void {
    const limits = this.#limits;
    const { id, uuid, pk, from } = request;
    const idBytes = Buffer.byteLength(id);
    if (idBytes < 6) return done(Result.UUID_MISMATCH);
    if (idBytes > limits.maxIdBytes || uuid.length > limits.maxKeyBytes || pk.length > limits.maxKeyBytes)
      return done(Result.INVALID_ID_FORMAT);
    const waiting = this.#saving.get(id);
    if (waiting) {
      // Nothing that depends on a row is said before that row is on disk, least of all OK.
      if (waiting.length >= limits.maxRegistrationsWaiting) return done(Result.TOO_FREQUENT);
      waiting.push(() => this.register(request, done));
      return;
    }
    const known = this.find(id);
    const own = known !== undefined && known.hasUuid(uuid);
    // Only strangers count: after a restart all peers behind one address come back at once, and must. Nor does the server
    // itself, whose address may be that of a proxy, and so of many others.
    if (!own && !isSelfTestId(id) && !this.#limiter.allow(from.host, id)) return done(Result.TOO_FREQUENT);
    const ipChanged = known !== undefined && from.host !== known.ip;
    const pkChanged = known !== undefined && !known.hasPk(pk);
    if (known?.owned && (!own || (ipChanged && pkChanged))) return done(Result.UUID_MISMATCH);
    if (known && !this.#countRegistration(known)) return done(Result.TOO_FREQUENT);
    if (known?.owned && !ipChanged && !pkChanged) {
      this.#heard(known, from, request.path, request.client);
      return done(Result.OK);
    }
    if (!known && !this.#hasRoom()) return done(Result.TOO_FREQUENT);
    const row: PeerRow = {
      guid: known?.owned ? known.guid : newGuid(Date.now()),
      id,
      uuid: known?.owned ? known.uuid : uuid,
      pk,
      ip: from.host,
    };
    const held: (() => void)[] = [];
    this.#saving.set(id, held);
    this.#store.save(row, (error) => {
      this.#saving.delete(id);
      if (error) {
        // What is not on disk was never registered; the client tries again.
        done(Result.SERVER_ERROR);
      } else {
        const peer = this.#peers.get(id) ?? this.#add(id);
        if (peer.registerCount === 0) this.#countRegistration(peer);
        peer.setKeys(row.guid, row.uuid, row.pk);
        if (ipChanged) this.ipChanges.note(id, peer.ip, row.ip);
        peer.ip = row.ip;
        this.#heard(peer, from, request.path, request.client);
        done(Result.OK);
      }
      for (const next of held) next();
    });
  }

  /**
   * A machine takes another id (rendezvous §5.5). Whoever knows its uuid is the machine. `done` gets OK only once the
   * change is on disk; the machine is reachable under the new id at once.
   */
  rename(request: Rename, done: (result: hbb.RegisterPkResponse.Result) => void): void {
    const { oldId, newId, uuid, from } = request;
    if (!isChosenId(newId)) return done(Result.INVALID_ID_FORMAT);
    const waiting = this.#saving.get(newId) ?? this.#saving.get(oldId);
    if (waiting) {
      if (waiting.length >= this.#limits.maxRegistrationsWaiting) return done(Result.TOO_FREQUENT);
      waiting.push(() => this.rename(request, done));
      return;
    }
    const taken = this.find(newId);
    // A repeated request whose answer was lost, too.
    if (taken?.owned) return done(taken.hasUuid(uuid) ? Result.OK : Result.ID_EXISTS);
    const old = this.find(oldId);
    if (!old?.owned || !old.hasUuid(uuid)) return done(Result.UUID_MISMATCH);
    if (!this.#countRegistration(old) || !this.#limiter.allow(from.host, newId)) return done(Result.TOO_FREQUENT);
    const row: PeerRow = { guid: old.guid, id: newId, uuid: old.uuid, pk: old.pk, ip: old.ip, formerId: oldId };
    const held: (() => void)[] = [];
    for (const id of [oldId, newId]) this.#saving.set(id, held);
    this.#store.save(row, (error) => {
      for (const id of [oldId, newId]) this.#saving.delete(id);
      if (error) done(Result.SERVER_ERROR);
      else {
        const peer = this.#add(newId);
        peer.setKeys(row.guid, row.uuid, row.pk);
        // What it has become meanwhile: it may have gone, or come by another way.
        const last = this.#peers.get(oldId);
        const { ip, host, port, path, client, lastSeen } = last ?? peer;
        Object.assign(peer, { ip: ip || row.ip, host, port, path, client, lastSeen });
        this.#peers.delete(oldId);
        done(Result.OK);
      }
      for (const next of held) next();
    });
  }

  /** The connection that was this peer's registration has ended. */
  lostClient(id: string, client: Client): void {
    const peer = this.#peers.get(id);
    if (peer?.client !== client) return;
    peer.client = null;
    peer.lastSeen = NEVER;
  }

  /** ms since the peer was last heard. */
  ageMs(peer: Peer): number {
    return peer.client !== null ? 0 : Math.max(0, this.#clock.now() - peer.lastSeen);
  }

  /** The record as it is in the shared store now; null: it is not there. A peer that is registered here is not touched. */
  refresh(id: string, row: PeerRow | null): void {
    const peer = this.#peers.get(id);
    if (!peer || this.isOnline(peer)) return;
    if (!row) return void this.#peers.delete(id);
    peer.setKeys(row.guid, row.uuid, row.pk);
    peer.ip = normalizeHost(row.ip);
  }

  /** What is on disk about a peer in memory. */
  rowOf(id: string): PeerRow | undefined {
    const peer = this.#peers.get(id);
    return peer?.owned ? { guid: peer.guid, id, uuid: peer.uuid, pk: peer.pk, ip: peer.ip } : undefined;
  }

  /** The peer has registered with another node. */
  movedAway(id: string): void {
    const peer = this.#peers.get(id);
    if (!peer) return;
    const { client } = peer;
    peer.client = null;
    peer.lastSeen = NEVER;
    client?.close();
  }

  /** Drops records that have long been offline; they stay in the store. Looks at some of them; call now and then. */
  evict(): void {
    const keepSince = this.#clock.now() - this.#limits.offlineKeepMs;
    this.#evicting ??= this.#peers.values();
    for (let looked = 0; looked < EVICT_SLICE; looked++) {
      const { value: peer, done } = this.#evicting.next();
      if (done) {
        this.#evicting = undefined;
        return;
      }
      if (!peer.client && peer.lastSeen < keepSince) this.#peers.delete(peer.id);
    }
  }

  #heard(peer: Peer, from: HostPort, path: UdpPath | null, client: Client | null): void {
    // The string that is there has long settled in memory; a new one a heartbeat would have to be moved there.
    if (peer.host !== from.host) peer.host = from.host === peer.ip ? peer.ip : from.host;
    peer.port = from.port;
    peer.lastSeen = Math.floor(this.#clock.now());
    if (path) peer.path = path;
    // A peer that comes by UDP has left its connection; one that comes by a new connection has left the old one.
    const old = peer.client;
    peer.client = client;
    if (old && old !== client) old.close();
  }

  #presence(peer: Peer): Presence {
    if (peer.client) return peer.client.kind;
    return this.isOnline(peer) ? 'udp' : 'none';
  }

  #countRegistration(peer: Peer): boolean {
    const now = Math.floor(this.#clock.now());
    if (now - peer.registerAt > this.#limits.registerWindowMs) peer.registerCount = 0;
    else if (peer.registerCount >= this.#limits.registerBurst) return false;
    peer.registerCount++;
    peer.registerAt = now;
    return true;
  }

  #add(id: string): Peer {
    const peer = new Peer(id);
    this.#peers.set(id, peer);
    return peer;
  }

  /**
   * Whether one more fits, after offline records have made room for it. Those who are online are never pushed out, however
   * many come. A bounded look, since this runs within a request; it goes on where the last one ended.
   */
  #hasRoom(): boolean {
    // Those on their way to the disk will want a place too.
    const max = this.#limits.maxPeersInMemory - this.#saving.size;
    for (let looked = 0; looked < ROOM_SLICE && this.#peers.size >= max; looked++) {
      this.#roomSearch ??= this.#peers.values();
      const { value: peer, done } = this.#roomSearch.next();
      if (done) this.#roomSearch = undefined;
      else if (!this.isOnline(peer)) this.#peers.delete(peer.id);
    }
    return this.#peers.size < max;
  }
}

export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1';
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
