/**
 * Every bound of the server in one place, each with its reason. Tests and operators may change single values; nothing in
 * the server has another number of this kind.
 */
export interface ServerLimits {
  /** Connections in all, over all TCP and WebSocket ports: well below the usual 65,536 descriptors of a service. */
  readonly maxConnections: number;
  /** Connections from one address: many peers share one behind a carrier's NAT or a proxy, one attacker must not have all. */
  readonly maxConnectionsPerAddress: number;
  /**
   * Connections that have not said anything whole, in all and from one address; beyond it the oldest of them goes. Far
   * more than clients need, who speak within a round trip, and few enough that their buffers do not count.
   */
  readonly maxHalfOpen: number;
  readonly maxHalfOpenPerAddress: number;
  /** ms until a complete frame must have come, again after each; bytes of an unfinished one do not count (rendezvous §1.2). */
  readonly frameTimeoutMs: number;
  /**
   * ms for PROXY header, TLS and HTTP or WebSocket handshake together, and for the header of each later request; the open
   * server waits for a WebSocket handshake for ever (rendezvous §1.2).
   */
  readonly handshakeTimeoutMs: number;
  /** Payload bytes of one rendezvous frame: a request with a long token fits, a flood of memory does not. */
  readonly maxFrameBytes: number;
  /** Payload bytes of an online query, which alone may be longer: an address book of 400,000. */
  readonly maxOnlineQueryBytes: number;
  /** Bytes of one rendezvous message over WebSocket, where the buffers of others cannot be counted. */
  readonly maxWsMessageBytes: number;
  /** Bytes of unfinished frames over all connections, and what each connection may hold of them in any case. */
  readonly maxBufferedBytes: number;
  readonly bufferedBytesAlwaysFree: number;
  /** Bytes of a relay frame that must be translated to or from a WebSocket message: a 4K key frame with room. */
  readonly maxRelayMessageBytes: number;
  /** Unsent bytes to one rendezvous client, which then counts as not reading and is dropped. */
  readonly maxUnsentBytes: number;
  /** Requests that one connection may send in `requestWindowMs`: a stock client sends 3 in 18 s. */
  readonly maxRequestsPerWindow: number;
  readonly requestWindowMs: number;
  /** Requests in the air (the `tcp_punch` map, rendezvous §1.3), in all and of one connection. */
  readonly maxAsks: number;
  readonly maxAsksPerConnection: number;
  /** ms for which the controlled side may answer a request; a stock controller has given up after 18 s. */
  readonly askLifetimeMs: number;
  /** ms that an answer without proof of having been asked waits for one with it (rendezvous/answers.ts). */
  readonly tokenlessAnswerMs: number;
  /** Wrong answers from one address in `askLifetimeMs`, after which only those with proof count: no guessing of ports. */
  readonly maxWrongAnswers: number;
  /** Addresses whose wrong answers are counted; the oldest go first. */
  readonly maxWrongAnswerHosts: number;
  /** ms within which two requests of one controller belong together: a stock one sends them 2 ms apart (rendezvous §9.1). */
  readonly pairedRequestMs: number;
  /** Pairs behind one address whose last way is remembered, and ms for which (rendezvous/local-tries.ts). */
  readonly maxLocalTries: number;
  readonly localTryMemoryMs: number;
  /** Signed keys that are kept, some 200 bytes each: making one costs about as much as 20 heartbeats. */
  readonly maxSignedKeys: number;
  /** Peer records in memory; beyond it the longest offline go (they stay in the store). */
  readonly maxPeersInMemory: number;
  /** ms an offline record stays in memory. */
  readonly offlineKeepMs: number;
  /** ms since the last sign of life for which a peer counts as online (rendezvous §6.1). */
  readonly onlineMs: number;
  /** Bytes of an id, a machine uuid and a device key: no client sends more than 64 of each. */
  readonly maxIdBytes: number;
  readonly maxKeyBytes: number;
  /** Ids in one online query. */
  readonly maxOnlineIds: number;
  /** Ids of it that are looked up before others get their turn. */
  readonly onlineIdsPerSlice: number;
  /** Registrations of one id in quick succession (rendezvous §5.8): 3, then one has to wait 6 s. */
  readonly registerBurst: number;
  readonly registerWindowMs: number;
  /** Registrations of one id that wait while its row is written. */
  readonly maxRegistrationsWaiting: number;
  /** Registrations of new ids from one address (rendezvous §6.10): 31, until 60 s have passed since the last one counted. */
  readonly addressBurst: number;
  readonly addressWindowMs: number;
  /** Different new ids from one address a day (rendezvous §6.10). */
  readonly addressIds: number;
  readonly addressIdsWindowMs: number;
  /** Addresses that the limiter remembers; the oldest go first. */
  readonly maxLimitedAddresses: number;
  /** UDP NAT tests: copies from one source within this time get one answer (rendezvous §9.1: a second one misleads). */
  readonly natTestDedupeMs: number;
  /** UDP NAT test answers in that time over all sources: a ceiling on what can be reflected. */
  readonly maxNatTestsPerSlot: number;
  /** NAT tests that wait for a connection from their address, which answers them; the oldest go first. */
  readonly maxUnansweredNatTests: number;
  /** ms for which a client is dialled back in its NAT test over TCP, and between two such tests of one address. */
  readonly dialBackMs: number;
  readonly dialBackPauseMs: number;
  /** Clients that are dialled back at once; each takes two sockets. */
  readonly maxDialBacks: number;
  /** Addresses whose UDP bytes are counted (address-credit.ts), a power of two: 3 MiB of memory, whatever is forged. */
  readonly udpCreditSlots: number;
  /** UDP bytes that an address can save up; a long push costs some hundred, and the counter has 16 bits. */
  readonly udpCreditBytes: number;
  /** UDP bytes of pushes to an address that never proved itself, in `provenAddressMs`, at the expense of those who ask. */
  readonly udpUnprovenPushBytes: number;
  /** ms for which a proof of an address counts: as long as addresses usually stay with somebody. */
  readonly provenAddressMs: number;
  /** ms between two heartbeats on a TCP or WebSocket registration, and the silence after which it is dead. */
  readonly heartbeatMs: number;
  readonly presenceSilenceMs: number;
  /** Told to such clients, in seconds; they reconnect after 1.5 times this silence (rendezvous §5.6). */
  readonly keepAliveSeconds: number;
  /** ms without a byte after which a client is taken to wait for the key exchange (rendezvous §6.9). */
  readonly greetingDelayMs: number;
  /** The same on a port where a TLS or HTTP client may come late, because its first segment was lost: a greeting spoils it. */
  readonly onePortGreetingMs: number;
  /** UDP sockets, one for each local address, so that answers leave from the address that was asked. */
  readonly maxUdpSockets: number;
  /** Several nodes: controllers whose request waits at another node, and those of other nodes that wait here. */
  readonly maxForwardedClients: number;
  /** Answers handed to other nodes in a second: strangers can make us do it, at the price of a look-up each. */
  readonly maxRoutedAnswersPerSecond: number;
  /** ms that a request waits for a shared store that is away; clients repeat theirs after 3 s. */
  readonly directoryHoldMs: number;
  /** Requests that wait for it at one time. */
  readonly maxHeldForDirectory: number;
  /** ms after which other nodes are told again that a peer is still here: well below the time they remember it. */
  readonly claimRefreshMs: number;
  /** ms that another node may take to answer a question. */
  readonly clusterReplyMs: number;
  /** Rows waiting for the store; a disk that hangs must not eat the memory. */
  readonly maxQueuedRows: number;
  /** New ids that one device key may take in a day; 0: any number. 16 where not everybody may enrol. */
  readonly keyIdsPerDay: number;
  /** Device keys that this is remembered of; the oldest go first. */
  readonly maxLimitedKeys: number;
  /** Computers that wait to be let in, in all and from one address, and ms after the last try until one is forgotten. */
  readonly maxEnrolmentWaiting: number;
  readonly maxEnrolmentWaitingPerAddress: number;
  readonly enrolmentKeepMs: number;
  /** Streams that wait at the relay, in all and from one address. */
  readonly maxRelayWaiting: number;
  readonly maxRelayWaitingPerAddress: number;
  /** ms that a stream waits for its other half (rendezvous §7.3). */
  readonly relayWaitMs: number;
  /** Streams whose uuid nobody introduced so far, in all and from one address, and ms until they are cut. */
  readonly maxRelayHeld: number;
  readonly maxRelayHeldPerAddress: number;
  readonly relayHeldMs: number;
  /** ms for which a pair with an end at another address than the server saw waits for the expected one. */
  readonly relayStrangerMs: number;
  /** Relay uuids that passed between two peers, and ms for which each is good: an answer takes up to `askLifetimeMs`. */
  readonly maxIntroductions: number;
  readonly introductionMs: number;
  /** Relay tickets that were shown already and could be shown again. */
  readonly maxUsedTickets: number;
  /** Connections that name a session later, in all and from one address: a computer without UDP keeps one. */
  readonly maxRelayParked: number;
  readonly maxRelayParkedPerAddress: number;
  /** Streams over UDP at the relay: two for each pair that it may carry would be memory for nobody; the rest uses TCP. */
  readonly maxRelayFlows: number;
  /** Of them those whose address has proven nothing, in all (the oldest go) and from one address, and ms until they are cut. */
  readonly maxRelayUnproven: number;
  readonly maxRelayUnprovenPerAddress: number;
  readonly relayProofMs: number;
  /** Openings of such streams in a second: each may cost the check of a signature, and its sender can be forged. */
  readonly maxRelayOpeningsPerSecond: number;
  /** Bytes that a waiting stream may send ahead; then it is not read any more. */
  readonly relayEarlyBytes: number;
  readonly maxRelayPairs: number;
  /** ms without data in either direction after which a pair ends (rendezvous §7.5). */
  readonly relayIdleMs: number;
  /**
   * Bits a second of one pair, both directions together, and of all pairs (rendezvous §7.6). 0: no limit. As it comes, a
   * pair in a network of 10 Gbit/s is not held up, and all together leave the processor some room for the rendezvous; the
   * open server's 128 Mbit/s for a pair and 1 Gbit/s in all are for those who pay for their traffic.
   */
  readonly relayPairBps: number;
  readonly relayTotalBps: number;
  /** The same for a session with an address on the blacklist, or that was downgraded. */
  readonly relayLimitedBps: number;
  /** A session older than this that used more than this share of `relayPairBps` on average is downgraded. */
  readonly relayDowngradeAfterMs: number;
  readonly relayDowngradeShare: number;
  /** Lines of blacklist.txt and of blocklist.txt that count. */
  readonly maxListedAddresses: number;
  /** Bytes that a busy connection is read by at a time, and how many connections may be busy in this way: 64 MiB in all. */
  readonly relayReadBytes: number;
  readonly maxRelayReadBuffers: number;
  /** Unsent bytes at one end of a pair above which the other end is not read. */
  readonly relayBufferBytes: number;
  /** Length of a relay uuid: clients send 36 characters. */
  readonly maxRelayUuidLength: number;
  /** For an operator to look at: the last introductions, and the ids that changed their address, with so many addresses each. */
  readonly maxLoggedRequests: number;
  readonly maxIpChangeIds: number;
  readonly maxIpChangeAddresses: number;
  /** Connections to the admin socket, bytes of one command, ms until it must have come and been answered. */
  readonly maxAdminConnections: number;
  readonly maxAdminRequestBytes: number;
  readonly adminRequestMs: number;
  /** Log lines about decisions in `logWindowMs`, in all and of one reason: a flood must not fill the disk. The rest is summed up. */
  readonly maxLogLines: number;
  readonly maxLogLinesPerReason: number;
  readonly logWindowMs: number;
  /** Connections to the port of metrics and status page: a few operators, a few scrapers. */
  readonly maxHttpConnections: number;
  /** ms for the headers and the whole of an HTTP request. */
  readonly httpRequestMs: number;
  /** Open status pages; each gets a picture of the server every `statusIntervalMs`. */
  readonly maxStatusPages: number;
  readonly statusIntervalMs: number;
  /** Computers and relayed sessions that a status page lists; the numbers count all. */
  readonly maxStatusRows: number;
  /** ms for which a self-test's result is told again: `/readyz` may be asked by anybody as often as he likes. */
  readonly readyCacheMs: number;
  /** ms for one self-test; a server that needs longer to introduce itself to itself is not ready. */
  readonly selfTestMs: number;
  /** Lobby clients, in all and from one address. */
  readonly maxLobbyPeers: number;
  readonly maxLobbyPeersPerAddress: number;
  /** Bytes of one lobby message; the older servers had no limit. */
  readonly maxLobbyFrameBytes: number;
  /** Bytes of a lobby client's name; both ends use short ones. */
  readonly maxLobbyIdBytes: number;
  /** ms until a lobby client has registered, and until a message that began is complete. */
  readonly lobbyRegisterMs: number;
  /** ms between two pings to lobby clients, and the silence after which one is gone: they answer each ping. */
  readonly lobbyPingMs: number;
  readonly lobbySilenceMs: number;
  /** Unsent bytes to one lobby client above which those who send to it are not read; after `lobbyRegisterMs` it is dropped. */
  readonly maxLobbyUnsentBytes: number;
  /** Bytes that the lobby holds in all: unfinished messages, and what waits for slow readers. */
  readonly maxLobbyHeldBytes: number;
  /** Connections of computers that publish services, in all and of one computer: a program may have one for each service. */
  readonly maxPublishers: number;
  readonly maxPublishersPerPeer: number;
  /** Services that one computer publishes. */
  readonly maxServicesPerPeer: number;
  /** Messages on a publisher's control stream in a minute: health changes of all its services every few seconds. */
  readonly maxPublishMessages: number;
  /** ms for which a port or host name is kept for the computer that had it: a reconnect takes up to half of that. */
  readonly publishHoldMs: number;
  /** Ports and names that are kept so; the oldest go first. */
  readonly maxPublishHolds: number;
  /**
   * Connections from outside to published services: in all, from one address, and to the services of one computer. Those of
   * one address that are never read hold 256 KiB each, and must not use up what the computer's link may hold (64 MiB).
   */
  readonly maxPublished: number;
  readonly maxPublishedPerAddress: number;
  readonly maxPublishedPerPeer: number;
  /** Connections from outside, and HTTP requests, in a second to the services of one computer; twice as many in one moment. */
  readonly publishedOpensPerSecond: number;
  /** Bits a second of the services of one computer, both directions together; 0: no limit. */
  readonly publishedPeerBps: number;
  /** Unread bytes of all publishers: above it the largest gives way. One publisher alone stays below 64 MiB. */
  readonly maxPublishedHeldBytes: number;
  /** ms until a published service has taken a connection, and until it has begun to answer an HTTP request. */
  readonly publishedOpenMs: number;
  readonly publishedAnswerMs: number;
  /** ms without a byte in either direction after which an HTTP exchange ends; WebSockets have no such end. */
  readonly publishedIdleMs: number;
  /** Idle connections to the programs behind one HTTP service that wait for the next request, and for how many ms: most close theirs after 5 s. */
  readonly maxPublishedKept: number;
  readonly publishedKeepMs: number;
  /** Senders that one published UDP port talks with, of all those at one address, and ms of silence until one is forgotten. */
  readonly maxUdpFlows: number;
  readonly maxUdpFlowsPerAddress: number;
  readonly udpFlowIdleMs: number;
  /** Bytes to one sender, or from it, that wait; more datagrams are dropped, as a full queue anywhere does. */
  readonly udpFlowQueueBytes: number;
  /** Wrong passwords from one address at a published service in a minute, and passwords that are checked at one time. */
  readonly basicAuthTries: number;
  readonly maxBasicAuthChecks: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  maxConnections: 20_000,
  maxConnectionsPerAddress: 1_000,
  maxHalfOpen: 4_096,
  maxHalfOpenPerAddress: 512,
  frameTimeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
  maxFrameBytes: 256 * 1024,
  maxOnlineQueryBytes: 5 * 1024 * 1024,
  maxWsMessageBytes: 64 * 1024,
  maxBufferedBytes: 64 * 1024 * 1024,
  bufferedBytesAlwaysFree: 4 * 1024,
  maxRelayMessageBytes: 32 * 1024 * 1024,
  maxUnsentBytes: 512 * 1024,
  maxRequestsPerWindow: 600,
  requestWindowMs: 30_000,
  maxAsks: 50_000,
  maxAsksPerConnection: 64,
  askLifetimeMs: 60_000,
  tokenlessAnswerMs: 400,
  maxWrongAnswers: 256,
  maxWrongAnswerHosts: 10_000,
  pairedRequestMs: 3_000,
  maxLocalTries: 20_000,
  localTryMemoryMs: 3_600_000,
  maxSignedKeys: 4_096,
  maxPeersInMemory: 500_000,
  offlineKeepMs: 3_600_000,
  onlineMs: 30_000,
  maxIdBytes: 253,
  maxKeyBytes: 256,
  maxOnlineIds: 400_000,
  onlineIdsPerSlice: 5_000,
  registerBurst: 3,
  registerWindowMs: 6_000,
  maxRegistrationsWaiting: 4,
  addressBurst: 31,
  addressWindowMs: 60_000,
  addressIds: 301,
  addressIdsWindowMs: 86_400_000,
  maxLimitedAddresses: 100_000,
  natTestDedupeMs: 40,
  maxNatTestsPerSlot: 4_000,
  maxUnansweredNatTests: 1_000,
  dialBackMs: 1_200,
  dialBackPauseMs: 1_000,
  maxDialBacks: 64,
  udpCreditSlots: 1 << 19,
  udpCreditBytes: 4_096,
  udpUnprovenPushBytes: 8_192,
  provenAddressMs: 3_600_000,
  heartbeatMs: 25_000,
  presenceSilenceMs: 75_000,
  keepAliveSeconds: 60,
  greetingDelayMs: 150,
  onePortGreetingMs: 1_000,
  maxUdpSockets: 64,
  maxForwardedClients: 20_000,
  maxRoutedAnswersPerSecond: 2_000,
  directoryHoldMs: 2_500,
  maxHeldForDirectory: 10_000,
  claimRefreshMs: 40_000,
  clusterReplyMs: 1_000,
  maxQueuedRows: 50_000,
  keyIdsPerDay: 0,
  maxLimitedKeys: 100_000,
  maxEnrolmentWaiting: 1_000,
  maxEnrolmentWaitingPerAddress: 50,
  enrolmentKeepMs: 3_600_000,
  maxRelayWaiting: 4_096,
  maxRelayWaitingPerAddress: 256,
  relayWaitMs: 30_000,
  maxRelayHeld: 1_024,
  maxRelayHeldPerAddress: 64,
  relayHeldMs: 10_000,
  relayStrangerMs: 1_000,
  maxIntroductions: 50_000,
  introductionMs: 90_000,
  maxUsedTickets: 50_000,
  maxRelayParked: 4_096,
  maxRelayParkedPerAddress: 256,
  maxRelayFlows: 8_192,
  maxRelayUnproven: 1_024,
  maxRelayUnprovenPerAddress: 64,
  relayProofMs: 3_000,
  maxRelayOpeningsPerSecond: 2_000,
  relayEarlyBytes: 64 * 1024,
  maxRelayPairs: 8_192,
  relayIdleMs: 30_000,
  relayPairBps: 10_000_000_000,
  relayTotalBps: 20_000_000_000,
  relayLimitedBps: 32 * 1024 * 1024,
  relayDowngradeAfterMs: 1_800_000,
  relayDowngradeShare: 0.66,
  maxListedAddresses: 100_000,
  relayReadBytes: 256 * 1024,
  maxRelayReadBuffers: 256,
  relayBufferBytes: 256 * 1024,
  maxRelayUuidLength: 256,
  maxLoggedRequests: 1_000,
  maxIpChangeIds: 5_000,
  maxIpChangeAddresses: 16,
  maxAdminConnections: 16,
  maxAdminRequestBytes: 64 * 1024,
  adminRequestMs: 10_000,
  maxLogLines: 1_000,
  maxLogLinesPerReason: 200,
  logWindowMs: 10_000,
  maxHttpConnections: 64,
  httpRequestMs: 10_000,
  maxStatusPages: 16,
  statusIntervalMs: 2_000,
  maxStatusRows: 100,
  readyCacheMs: 5_000,
  selfTestMs: 5_000,
  maxLobbyPeers: 1_000,
  maxLobbyPeersPerAddress: 50,
  maxLobbyFrameBytes: 1024 * 1024,
  maxLobbyIdBytes: 256,
  lobbyRegisterMs: 30_000,
  lobbyPingMs: 60_000,
  lobbySilenceMs: 150_000,
  maxLobbyUnsentBytes: 1024 * 1024,
  maxLobbyHeldBytes: 128 * 1024 * 1024,
  maxPublishers: 1_000,
  maxPublishersPerPeer: 64,
  maxServicesPerPeer: 64,
  maxPublishMessages: 1_000,
  publishHoldMs: 60_000,
  maxPublishHolds: 10_000,
  maxPublished: 10_000,
  maxPublishedPerAddress: 200,
  maxPublishedPerPeer: 2_048,
  publishedOpensPerSecond: 2_000,
  publishedPeerBps: 0,
  maxPublishedHeldBytes: 256 * 1024 * 1024,
  publishedOpenMs: 20_000,
  publishedAnswerMs: 60_000,
  publishedIdleMs: 600_000,
  maxPublishedKept: 24,
  publishedKeepMs: 4_000,
  maxUdpFlows: 1_024,
  maxUdpFlowsPerAddress: 64,
  udpFlowIdleMs: 60_000,
  udpFlowQueueBytes: 256 * 1024,
  basicAuthTries: 20,
  maxBasicAuthChecks: 8,
};
