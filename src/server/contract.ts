/** What a server is started with and what its owner holds of it. */
import type { Clock } from '../core/clock.ts';
import type { WorkerPlace } from './cluster/worker.ts';
import type { EnrolmentMode } from './enrolment/enrolment.ts';
import type { Rotation } from './key-ring.ts';
import type { ServerLimits } from './limits.ts';
import type { HttpHandler } from './one-port/web-front.ts';
import type { ReadyReport } from './observe/ready.ts';
import type { PeerStore } from './peer-store.ts';
import type { ServerPorts, WantedPorts } from './ports.ts';
import type { PublishSettings } from './publish/publishing.ts';

/** `debug`: what was ignored; `info`: decisions; `warn`: what an operator should look at. */
export type ServerLog = (level: 'debug' | 'info' | 'warn', event: string, fields: Record<string, unknown>) => void;

export interface ServerOptions {
  /** Key pair and peers; made when missing. */
  readonly dataDir: string;
  /** One local address; absent: all, IPv4 and IPv6. */
  readonly bind?: string | undefined;
  /** Absent: 21115 to 21119. `rendezvous: -1` takes a free block in the same layout. */
  readonly ports?: WantedPorts;
  /** `redis://…`: shared with other nodes (cluster/redis-url.ts); absent: a store of this process in dataDir. */
  readonly storeUrl?: string | undefined;
  /** Only the relay ports: a relay for the nodes that share the store. */
  readonly relayOnly?: boolean;
  /** With storeUrl: `host[:port]` at which clients reach this relay; absent: a guess. */
  readonly relayAddress?: string | undefined;
  /** This process is one of several of one server. */
  readonly worker?: WorkerPlace | undefined;
  /** Relays `host[:port]` that clients are sent to; none: the built-in one. */
  readonly relays?: readonly string[];
  /** Licence key as in rendezvous §1.6: absent or `-` the key pair's own, '' none, a secret key, or any text. */
  readonly key?: string | undefined;
  /** Which new computers may register (enrolment/enrolment.ts); absent: all. */
  readonly enrolment?: EnrolmentMode;
  readonly alwaysRelay?: boolean;
  /** The relay joins whoever names the same uuid, not only those that this server introduced. */
  readonly openRelay?: boolean;
  /** IPv4 network that counts as LAN, and the relay address for peers inside it. */
  readonly mask?: string | undefined;
  readonly localIp?: string | undefined;
  /** Deprecated server list for clients whose serial is lower (rendezvous §6.8). */
  readonly serial?: number;
  readonly rendezvousServers?: readonly string[];
  /** Deprecated: the newest version, as `.../name-1.2.3.ext`, for clients that ask (rendezvous §6.8). */
  readonly softwareUrl?: string | undefined;
  /** Certificate chain and key, PEM: TLS on the single port and the WebSocket ports. Read again when they change. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Reverse proxies that are believed about their clients: addresses, or networks as address/bits. */
  readonly trustedProxies?: readonly string[];
  /** Those may name their clients in PROXY headers, versions 1 and 2, on every TCP port. */
  readonly proxyProtocol?: boolean;
  /** `[wss://]HOST[:PORT]` under which clients reach the server, where it is not an address of this computer (public-address.ts). */
  readonly publicHost?: string | undefined;
  /** Another address of this computer, from which NAT tests are answered as well. */
  readonly secondAddress?: string | undefined;
  /** What answers HTTP requests on the single port, asked in order. */
  readonly httpHandlers?: readonly HttpHandler[];
  readonly limits?: Partial<ServerLimits>;
  /** Bytes of the UDP port's receive buffer; absent or 0: 4 MiB. */
  readonly udpReceiveBuffer?: number;
  readonly log?: ServerLog;
  /** Whole ids in logs and on the status page; else they are masked. */
  readonly logIds?: boolean;
  /** Where metrics, health and status page are served; absent: nowhere. Port 0: any free one. */
  readonly http?: { readonly host: string; readonly port: number } | undefined;
  readonly clock?: Clock;
  /** Where computers may publish services, besides the ports `http` and `https`; absent: nowhere else. */
  readonly publish?: PublishSettings;
  /** Database of hbbs to take peers over from; absent: `db_v2.sqlite3` in dataDir, when it is there. */
  readonly importDb?: string | undefined;
  /** SQLite file of the peers; absent: `peers.sqlite3` in dataDir. */
  readonly storeFile?: string | undefined;
  /** Another store than the one in dataDir; the server closes it. */
  readonly store?: PeerStore;
}

export interface RunningServer {
  /** What really listens; 0: off. */
  readonly ports: ServerPorts;
  /** What clients configure as the key: base64 of the public key, unless `key` said otherwise. */
  readonly publicKey: string;
  /** The line to hand out (src/shared/invitation.ts); '' for a relay alone, which no client is pointed at. */
  readonly invitation: string;
  /** The address in the invitation. */
  readonly host: string;
  /** Where the status page is, for the operator's eyes; '' : it is off. The token, where one is needed, is in a file. */
  readonly statusUrl: string;
  /** Which new computers may register. */
  readonly enrolment: EnrolmentMode;
  /** Replaces the key pair; clients with the old key are served for `overlapMs` more (key-ring.ts). */
  rotateKey(overlapMs: number): Rotation;
  /** Decisions by reason since the start, and what is held now. */
  stats(): Record<string, number>;
  /** Tests itself through its own sockets (at most every few seconds) and says at which stage that failed. */
  ready(): Promise<ReadyReport>;
  /** Reads again what may change while the server runs: certificate and key, and the relay's lists of addresses. */
  reload(): Promise<void>;
  /** Closes every socket and timer and flushes the store; done well within 2 s. */
  close(): Promise<void>;
}
