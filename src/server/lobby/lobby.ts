/**
 * The lobby: a small, older protocol by which clients of a Python remote desktop find each other (docs/protocol-server.md).
 * Who has registered sees those of the other kind, gets their address, and may send them JSON through the server.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { HostPort } from '../../core/wire/index.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import { encodeLobby, encodeLobbyText } from './frame.ts';
import { LobbyBudget, LobbyConnection } from './lobby-connection.ts';
import { type LobbyMessage, type LobbyPeerType, readLobbyMessage } from './message.ts';

/** The port that its clients know. */
export const LOBBY_PORT = 8877;

export interface LobbyOptions {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
}

interface LobbyPeer {
  readonly id: string;
  readonly type: LobbyPeerType;
  readonly connection: LobbyConnection;
}

const PING = encodeLobby({ type: 'ping' });
const HEARTBEAT_ACK = encodeLobby({ type: 'heartbeat_ack' });

export class Lobby {
  readonly #o: LobbyOptions;
  readonly #connections = new Set<LobbyConnection>();
  readonly #byHost = new Map<string, number>();
  readonly #peers = new Map<string, LobbyPeer>();
  readonly #own = new Map<LobbyConnection, LobbyPeer>();
  readonly #budget: LobbyBudget;
  #cancelPing: () => void;

  constructor(options: LobbyOptions) {
    this.#o = options;
    this.#budget = new LobbyBudget(options.limits.maxLobbyHeldBytes);
    const round = (): void => {
      this.#cancelPing = options.clock.setTimer(options.limits.lobbyPingMs, round);
      for (const { connection } of this.#peers.values()) connection.send(PING);
    };
    this.#cancelPing = options.clock.setTimer(options.limits.lobbyPingMs, round);
  }

  /** Clients that have registered. */
  get size(): number {
    return this.#peers.size;
  }

  /** Bytes held of unfinished messages and for slow readers. */
  get heldBytes(): number {
    return this.#budget.bytes;
  }

  /** Takes over a connection; `settle` is called once it has registered. */
  onTcp(socket: Socket, remote: HostPort, settle: () => void = () => {}): void {
    const { limits, clock, counters } = this.#o;
    const own = this.#byHost.get(remote.host) ?? 0;
    if (this.#connections.size >= limits.maxLobbyPeers || own >= limits.maxLobbyPeersPerAddress) {
      counters.count('lobby-full', { from: remote.host, via: 'tcp' });
      socket.on('error', () => {});
      return void socket.destroy();
    }
    const connection = new LobbyConnection(socket, remote, limits, clock, this.#budget, {
      onRegistered: settle,
      onMessage: (from, text) => this.#onMessage(from, readLobbyMessage(text, limits.maxLobbyIdBytes)),
      onClosed: (gone) => this.#onClosed(gone),
      onFault: (from, reason) => counters.count(reason, { id: this.#own.get(from)?.id, from: from.remote.host, via: 'tcp' }),
    });
    this.#connections.add(connection);
    this.#byHost.set(remote.host, own + 1);
  }

  close(): void {
    this.#cancelPing();
    for (const connection of this.#connections) connection.destroy();
  }

  #onMessage(connection: LobbyConnection, message: LobbyMessage): void {
    if (message.type === 'register') return this.#register(connection, message.peerId, message.peerType);
    const peer = this.#own.get(connection);
    if (!peer) return connection.fault('lobby-not-registered');
    switch (message.type) {
      case 'list_peers':
        return this.#list(peer);
      case 'get_peer_info':
        return this.#introduce(peer, message.targetId);
      case 'relay_data':
        return this.#relay(peer, message.targetId, message.data);
      case 'heartbeat':
        return void connection.send(HEARTBEAT_ACK);
      default:
        // Of a newer client, perhaps; ignored as the older servers do.
        return;
    }
  }

  #register(connection: LobbyConnection, id: string, type: LobbyPeerType): void {
    this.#leave(connection);
    const older = this.#peers.get(id)?.connection;
    const peer: LobbyPeer = { id, type, connection };
    // Before the older connection ends: its end must not take the new registration away.
    this.#peers.set(id, peer);
    this.#own.set(connection, peer);
    const { host, port } = connection.remote;
    if (older) {
      this.#own.delete(older);
      this.#count('lobby-replaced', peer);
      older.destroy();
    }
    this.#count('lobby-registered', peer);
    connection.registered();
    connection.send(encodeLobby({ type: 'registered', peer_id: id, public_ip: host, public_port: port }));
  }

  #list(peer: LobbyPeer): void {
    const peers: { peer_id: string; peer_type: LobbyPeerType }[] = [];
    for (const other of this.#peers.values())
      if (other.type !== peer.type) peers.push({ peer_id: other.id, peer_type: other.type });
    peer.connection.send(encodeLobby({ type: 'peer_list', peers }));
  }

  #introduce(peer: LobbyPeer, targetId: string): void {
    const target = this.#find(peer, targetId);
    if (!target) return;
    const { remote } = target.connection;
    this.#count('lobby-introduced', peer);
    peer.connection.send(
      encodeLobby({
        type: 'peer_info',
        peer_id: target.id,
        peer_type: target.type,
        public_ip: remote.host,
        public_port: remote.port,
      }),
    );
    this.#pass(
      peer,
      target,
      encodeLobby({
        type: 'connection_request',
        from_peer_id: peer.id,
        from_peer_type: peer.type,
        from_public_ip: peer.connection.remote.host,
        from_public_port: peer.connection.remote.port,
      }),
    );
  }

  #relay(peer: LobbyPeer, targetId: string, data: string): void {
    const target = this.#find(peer, targetId);
    if (!target) return;
    this.#pass(
      peer,
      target,
      encodeLobbyText(`{"type":"relayed_data","from_peer_id":${JSON.stringify(peer.id)},"data":${data}}`),
    );
  }

  /** Sends to another one, no faster than it reads. */
  #pass(from: LobbyPeer, to: LobbyPeer, frame: Buffer): void {
    if (!to.connection.send(frame) && to !== from) from.connection.holdFor(to.connection);
  }

  #find(peer: LobbyPeer, targetId: string): LobbyPeer | null {
    const target = this.#peers.get(targetId);
    if (target) return target;
    this.#count('lobby-unknown-target', peer);
    peer.connection.send(encodeLobby({ type: 'error', message: `Peer ${targetId} not found` }));
    return null;
  }

  #onClosed(connection: LobbyConnection): void {
    this.#connections.delete(connection);
    const { host } = connection.remote;
    const left = (this.#byHost.get(host) ?? 1) - 1;
    if (left > 0) this.#byHost.set(host, left);
    else this.#byHost.delete(host);
    this.#leave(connection);
  }

  /** Ends the registration of this connection, and of no other that has taken its id since. */
  #leave(connection: LobbyConnection): void {
    const peer = this.#own.get(connection);
    if (!peer) return;
    this.#own.delete(connection);
    if (this.#peers.get(peer.id) !== peer) return;
    this.#peers.delete(peer.id);
    this.#count('lobby-left', peer);
  }

  #count(reason: 'lobby-registered' | 'lobby-replaced' | 'lobby-introduced' | 'lobby-left' | 'lobby-unknown-target', peer: LobbyPeer): void {
    this.#o.counters.count(reason, { id: peer.id, from: peer.connection.remote.host, via: 'tcp' });
  }
}
