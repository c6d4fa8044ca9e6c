/** What becomes of a connection behind each port: a client of the rendezvous or of the relay. */
import type { WebSocket } from 'ws';
import type { Clock } from '../core/clock.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { ClientEvents } from './client-base.ts';
import type { Greetings } from './greetings.ts';
import type { Introductions } from './introductions.ts';
import type { KeyRing } from './key-ring.ts';
import type { ServerLimits } from './limits.ts';
import type { Arrival } from './one-port/arrival.ts';
import type { OnePortServices, ServeFrames } from './one-port/doors.ts';
import { isOnlineRequest } from './one-port/service-of.ts';
import type { PeerTable } from './peer-table.ts';
import type { Relay } from './relay.ts';
import type { Rendezvous } from './rendezvous.ts';
import { TcpClient } from './tcp-client.ts';
import { WsClient } from './ws-client.ts';

export interface ServingOptions {
  readonly rendezvous: Rendezvous;
  readonly relay: Relay;
  readonly greetings: Greetings;
  readonly budget: BufferBudget;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly keys: KeyRing;
  readonly introductions: Introductions;
  readonly peers: PeerTable;
  /** The relay joins whoever names the same uuid. */
  readonly openRelay: boolean;
}

type ServeWs = (ws: WebSocket, arrival: Arrival) => void;

export interface Serving {
  readonly rendezvous: ServeFrames;
  readonly natTest: ServeFrames;
  readonly relay: ServeFrames;
  readonly rendezvousWs: ServeWs;
  readonly relayWs: ServeWs;
  readonly onePort: OnePortServices;
}

export function serving(options: ServingOptions): Serving {
  const { rendezvous, relay, greetings, budget, limits, clock, keys, introductions, peers } = options;
  const events: ClientEvents = {
    onOpen: rendezvous.onOpen.bind(rendezvous),
    onMessage: rendezvous.onMessage.bind(rendezvous),
    onClosed: rendezvous.onClosed.bind(rendezvous),
    onCut: rendezvous.onCut.bind(rendezvous),
    waits: rendezvous.waits.bind(rendezvous),
  };
  const natTestEvents: ClientEvents = { ...events, onMessage: rendezvous.onNatTestMessage.bind(rendezvous) };
  // Clients of the single port have no port P-1: they ask here who is online, and web clients do too (rendezvous §9.6).
  const allEvents: ClientEvents = {
    ...events,
    onMessage: (client, bytes) =>
      isOnlineRequest(bytes) ? natTestEvents.onMessage(client, bytes) : events.onMessage(client, bytes),
  };
  const tcp =
    (of: ClientEvents, greeted: boolean): ServeFrames =>
    (socket, arrival, silent) => {
      const { host } = arrival.remote;
      const keyExchange = greeted ? greetings.for(host) : null;
      const onGreetingRefused = (): void => greetings.refused(host);
      new TcpClient({ socket, arrival, limits, budget, clock, events: of, keyExchange, onGreetingRefused, silent });
    };
  const ws =
    (of: ClientEvents): ServeWs =>
    (socket, arrival) => {
      new WsClient(socket, { arrival, limits, clock, events: of });
    };
  const serveRelay: ServeFrames = (socket, arrival) => relay.onTcp(socket, arrival.remote.host, arrival.settle);
  const serveRelayWs: ServeWs = (socket, arrival) => relay.onWs(socket, arrival.remote.host, arrival.settle);
  return {
    rendezvous: tcp(events, true),
    natTest: tcp(natTestEvents, false),
    relay: serveRelay,
    rendezvousWs: ws(events),
    relayWs: serveRelayWs,
    onePort: {
      // At the relay a controller names a uuid that has passed here before. Where the id is of this server, that is certain.
      joins: ({ id, uuid, licenceKey }) => {
        const peer = peers.inMemory(id);
        if (licenceKey === '' && !keys.accepts('')) return false;
        return options.openRelay || introductions.get(uuid) !== null || !peer || !peers.isOnline(peer);
      },
      frames: { rendezvous: tcp(allEvents, true), relay: serveRelay },
      ws: { rendezvous: ws(allEvents), relay: serveRelayWs },
    },
  };
}
