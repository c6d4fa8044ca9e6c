/**
 * Every bound of the server in one place, each with its reason. Tests and operators may change single values; nothing in
 * the server has another number of this kind.
 */
export const DEFAULT_LIMITS = {
  /** Connections in all, over all TCP and WebSocket ports: well below the usual 65,536 descriptors of a service. */
  maxConnections: 20_000,
  /** Connections from one address: many peers share one behind a carrier's NAT or a proxy, one attacker must not have all. */
  maxConnectionsPerAddress: 1_000,
  /**
   * Connections that have not said anything whole, in all and from one address; beyond it the oldest of them goes. Far
   * more than clients need, who speak within a round trip, and few enough that their buffers do not count.
   */
  maxHalfOpen: 4_096,
  maxHalfOpenPerAddress: 512,
  /** ms until a complete frame must have come, again after each; bytes of an unfinished one do not count (rendezvous §1.2). */
  frameTimeoutMs: 30_000,
  /**
   * ms for PROXY header, TLS and HTTP or WebSocket handshake together, and for the header of each later request; the open
   * server waits for a WebSocket handshake for ever (rendezvous §1.2).
   */
  handshakeTimeoutMs: 10_000,
  /** Payload bytes of one rendezvous frame: a request with a long token fits, a flood of memory does not. */
  maxFrameBytes: 256 * 1024,
  /** Payload bytes of an online query, which alone may be longer: an address book of 400,000. */
  maxOnlineQueryBytes: 5 * 1024 * 1024,
  /** Bytes of one rendezvous message over WebSocket, where the buffers of others cannot be counted. */
  maxWsMessageBytes: 64 * 1024,
  /** Bytes of unfinished frames over all connections, and what each connection may hold of them in any case. */
  maxBufferedBytes: 64 * 1024 * 1024,
  bufferedBytesAlwaysFree: 4 * 1024,
  /** Bytes of a relay frame that must be translated to or from a WebSocket message: a 4K key frame with room. */
  maxRelayMessageBytes: 32 * 1024 * 1024,
  /** Unsent bytes to one rendezvous client, which then counts as not reading and is dropped. */
  maxUnsentBytes: 512 * 1024,
  /** Requests that one connection may send in `requestWindowMs`: a stock client sends 3 in 18 s. */
  maxRequestsPerWindow: 600,
  requestWindowMs: 30_000,
  /** Requests in the air (the `tcp_punch` map, rendezvous §1.3), in all and of one connection. */
  maxAsks: 50_000,
  maxAsksPerConnection: 64,
  /** ms for which the controlled side may answer a request; a stock controller has given up after 18 s. */
  askLifetimeMs: 60_000,
  /** ms that an answer without proof of having been asked waits for one with it (rendezvous/answers.ts). */
  tokenlessAnswerMs: 400,
  /** Wrong answers from one address in `askLifetimeMs`, after which only those with proof count: no guessing of ports. */
  maxWrongAnswers: 256,
  /** Addresses whose wrong answers are counted; the oldest go first. */
  maxWrongAnswerHosts: 10_000,
  /** ms within which two requests of one controller belong together: a stock one sends them 2 ms apart (rendezvous §9.1). */
  pairedRequestMs: 3_000,
  /** Pairs behind one address whose last way is remembered, and ms for which (rendezvous/local-tries.ts). */
  maxLocalTries: 20_000,
  localTryMemoryMs: 3_600_000,
  /** Signed keys that are kept, some 200 bytes each: making one costs about as much as 20 heartbeats. */
  maxSignedKeys: 4_096,
  /** Peer records in memory; beyond it the longest offline go (they stay in the store). */
  maxPeersInMemory: 500_000,
  /** ms an offline record stays in memory. */
  offlineKeepMs: 3_600_000,
  /** ms since the last sign of life for which a peer counts as online (rendezvous §6.1). */
  onlineMs: 30_000,
  /** Bytes of an id, a machine uuid and a device key: no client sends more than 64 of each. */
  maxIdBytes: 253,
  maxKeyBytes: 256,
  /** Ids in one online query. */
  maxOnlineIds: 400_000,
  /** Ids of it that are looked up before others get their turn. */
  onlineIdsPerSlice: 5_000,
  /** Registrations of one id in quick succession (rendezvous §5.8): 3, then one has to wait 6 s. */
  registerBurst: 3,
  registerWindowMs: 6_000,
  /** Registrations of one id that wait while its row is written. */
  maxRegistrationsWaiting: 4,
  /** Registrations of new ids from one address (rendezvous §6.10): 31, until 60 s have passed since the last one counted. */
  addressBurst: 31,
  addressWindowMs: 60_000,
  /** Different new ids from one address a day (rendezvous §6.10). */
  addressIds: 301,
  addressIdsWindowMs: 86_400_000,
  /** Addresses that the limiter remembers; the oldest go first. */
  maxLimitedAddresses: 100_000,
  /** UDP NAT tests: copies from one source within this time get one answer (rendezvous §9.1: a second one misleads). */
  natTestDedupeMs: 40,
  /** UDP NAT test answers in that time over all sources: a ceiling on what can be reflected. */
  maxNatTestsPerSlot: 4_000,
  /** NAT tests that wait for a connection from their address, which answers them; the oldest go first. */
  maxUnansweredNatTests: 1_000,
  /** ms for which a client is dialled back in its NAT test over TCP, and between two such tests of one address. */
  dialBackMs: 1_200,
  dialBackPauseMs: 1_000,
  /** Clients that are dialled back at once; each takes two sockets. */
  maxDialBacks: 64,
  /** Addresses whose UDP bytes are counted (address-credit.ts), a power of two: 3 MiB of memory, whatever is forged. */
  udpCreditSlots: 1 << 19,
  /** UDP bytes that an address can save up; a long push costs some hundred, and the counter has 16 bits. */
  udpCreditBytes: 4_096,
  /** UDP bytes of pushes to an address that never proved itself, in `provenAddressMs`, at the expense of those who ask. */
  udpUnprovenPushBytes: 8_192,
  /** ms for which a proof of an address counts: as long as addresses usually stay with somebody. */
  provenAddressMs: 3_600_000,
  /** ms between two heartbeats on a TCP or WebSocket registration, and the silence after which it is dead. */
  heartbeatMs: 25_000,
  presenceSilenceMs: 75_000,
  /** Told to such clients, in seconds; they reconnect after 1.5 times this silence (rendezvous §5.6). */
  keepAliveSeconds: 60,
  /** ms without a byte after which a client is taken to wait for the key exchange (rendezvous §6.9). */
  greetingDelayMs: 150,
  /** The same on a port where a TLS or HTTP client may come late, because its first segment was lost: a greeting spoils it. */
  onePortGreetingMs: 1_000,
  /** UDP sockets, one for each local address, so that answers leave from the address that was asked. */
  maxUdpSockets: 64,
  /** Several nodes: controllers whose request waits at another node, and those of other nodes that wait here. */
  maxForwardedClients: 20_000,
  /** Answers handed to other nodes in a second: strangers can make us do it, at the price of a look-up each. */
  maxRoutedAnswersPerSecond: 2_000,
  /** ms that a request waits for a shared store that is away; clients repeat theirs after 3 s. */
  directoryHoldMs: 2_500,
  /** Requests that wait for it at one time. */
  maxHeldForDirectory: 10_000,
  /** ms after which other nodes are told again that a peer is still here: well below the time they remember it. */
  claimRefreshMs: 40_000,
  /** ms that another node may take to answer a question. */
  clusterReplyMs: 1_000,
  /** Rows waiting for the store; a disk that hangs must not eat the memory. */
  maxQueuedRows: 50_000,
  /** New ids that one device key may take in a day; 0: any number. 16 where not everybody may enrol. */
  keyIdsPerDay: 0,
  /** Device keys that this is remembered of; the oldest go first. */
  maxLimitedKeys: 100_000,
  /** Computers that wait to be let in, in all and from one address, and ms after the last try until one is forgotten. */
  maxEnrolmentWaiting: 1_000,
  maxEnrolmentWaitingPerAddress: 50,
  enrolmentKeepMs: 3_600_000,
  /** Streams that wait at the relay, in all and from one address. */
  maxRelayWaiting: 4_096,
  maxRelayWaitingPerAddress: 256,
  /** ms that a stream waits for its other half (rendezvous §7.3). */
  relayWaitMs: 30_000,
  /** Streams whose uuid nobody introduced so far, in all and from one address, and ms until they are cut. */
  maxRelayHeld: 1_024,
  maxRelayHeldPerAddress: 64,
  relayHeldMs: 10_000,
  /** ms for which a pair with an end at another address than the server saw waits for the expected one. */
  relayStrangerMs: 1_000,
  /** Relay uuids that passed between two peers, and ms for which each is good: an answer takes up to `askLifetimeMs`. */
  maxIntroductions: 50_000,
  introductionMs: 90_000,
  /** Relay tickets that were shown already and could be shown again. */
  maxUsedTickets: 50_000,
  /** Connections that name a session later, in all and from one address: a computer without UDP keeps one. */
  maxRelayParked: 4_096,
  maxRelayParkedPerAddress: 256,
  /** Streams over UDP at the relay: two for each pair that it may carry would be memory for nobody; the rest uses TCP. */
  maxRelayFlows: 8_192,
  /** Of them those whose address has proven nothing, in all (the oldest go) and from one address, and ms until they are cut. */
  maxRelayUnproven: 1_024,
  maxRelayUnprovenPerAddress: 64,
  relayProofMs: 3_000,
  /** Openings of such streams in a second: each may cost the check of a signature, and its sender can be forged. */
  maxRelayOpeningsPerSecond: 2_000,
  /** Bytes that a waiting stream may send ahead; then it is not read any more. */
  relayEarlyBytes: 64 * 1024,
  maxRelayPairs: 8_192,
  /** ms without data in either direction after which a pair ends (rendezvous §7.5). */
  relayIdleMs: 30_000,
  /**
   * Bits a second of one pair, both directions together, and of all pairs (rendezvous §7.6). 0: no limit. As it comes, a
   * pair in a network of 10 Gbit/s is not held up, and all together leave the processor some room for the rendezvous; the
   * open server's 128 Mbit/s for a pair and 1 Gbit/s in all are for those who pay for their traffic.
   */
  relayPairBps: 10_000_000_000,
  relayTotalBps: 20_000_000_000,
  /** The same for a session with an address on the blacklist, or that was downgraded. */
  relayLimitedBps: 32 * 1024 * 1024,
  /** A session older than this that used more than this share of `relayPairBps` on average is downgraded. */
  relayDowngradeAfterMs: 1_800_000,
  relayDowngradeShare: 0.66,
  /** Lines of blacklist.txt and of blocklist.txt that count. */
  maxListedAddresses: 100_000,
  /** Bytes that a busy connection is read by at a time, and how many connections may be busy in this way: 64 MiB in all. */
  relayReadBytes: 256 * 1024,
  maxRelayReadBuffers: 256,
  /** Unsent bytes at one end of a pair above which the other end is not read. */
  relayBufferBytes: 256 * 1024,
  /** Length of a relay uuid: clients send 36 characters. */
  maxRelayUuidLength: 256,
  /** For an operator to look at: the last introductions, and the ids that changed their address, with so many addresses each. */
  maxLoggedRequests: 1_000,
  maxIpChangeIds: 5_000,
  maxIpChangeAddresses: 16,
  /** Connections to the admin socket, bytes of one command, ms until it must have come and been answered. */
  maxAdminConnections: 16,
  maxAdminRequestBytes: 64 * 1024,
  adminRequestMs: 10_000,
  /** Log lines about decisions in `logWindowMs`, in all and of one reason: a flood must not fill the disk. The rest is summed up. */
  maxLogLines: 1_000,
  maxLogLinesPerReason: 200,
  logWindowMs: 10_000,
  /** Connections to the port of metrics and status page: a few operators, a few scrapers. */
  maxHttpConnections: 64,
  /** ms for the headers and the whole of an HTTP request. */
  httpRequestMs: 10_000,
  /** Open status pages; each gets a picture of the server every `statusIntervalMs`. */
  maxStatusPages: 16,
  statusIntervalMs: 2_000,
  /** Computers and relayed sessions that a status page lists; the numbers count all. */
  maxStatusRows: 100,
  /** ms for which a self-test's result is told again: `/readyz` may be asked by anybody as often as he likes. */
  readyCacheMs: 5_000,
  /** ms for one self-test; a server that needs longer to introduce itself to itself is not ready. */
  selfTestMs: 5_000,
  /** Lobby clients, in all and from one address. */
  maxLobbyPeers: 1_000,
  maxLobbyPeersPerAddress: 50,
  /** Bytes of one lobby message; the older servers had no limit. */
  maxLobbyFrameBytes: 1024 * 1024,
  /** Bytes of a lobby client's name; both ends use short ones. */
  maxLobbyIdBytes: 256,
  /** ms until a lobby client has registered, and until a message that began is complete. */
  lobbyRegisterMs: 30_000,
  /** ms between two pings to lobby clients, and the silence after which one is gone: they answer each ping. */
  lobbyPingMs: 60_000,
  lobbySilenceMs: 150_000,
  /** Unsent bytes to one lobby client above which those who send to it are not read; after `lobbyRegisterMs` it is dropped. */
  maxLobbyUnsentBytes: 1024 * 1024,
  /** Bytes that the lobby holds in all: unfinished messages, and what waits for slow readers. */
  maxLobbyHeldBytes: 128 * 1024 * 1024,
  /** Connections of computers that publish services, in all and of one computer: a program may have one for each service. */
  maxPublishers: 1_000,
  maxPublishersPerPeer: 64,
  /** Services that one computer publishes. */
  maxServicesPerPeer: 64,
  /** Messages on a publisher's control stream in a minute: health changes of all its services every few seconds. */
  maxPublishMessages: 1_000,
  /** ms for which a port or host name is kept for the computer that had it: a reconnect takes up to half of that. */
  publishHoldMs: 60_000,
  /** Ports and names that are kept so; the oldest go first. */
  maxPublishHolds: 10_000,
  /**
   * Connections from outside to published services: in all, from one address, and to the services of one computer. Those of
   * one address that are never read hold 256 KiB each, and must not use up what the computer's link may hold (64 MiB).
   */
  maxPublished: 10_000,
  maxPublishedPerAddress: 200,
  maxPublishedPerPeer: 2_048,
  /** Connections from outside, and HTTP requests, in a second to the services of one computer; twice as many in one moment. */
  publishedOpensPerSecond: 2_000,
  /** Bits a second of the services of one computer, both directions together; 0: no limit. */
  publishedPeerBps: 0,
  /** Unread bytes of all publishers: above it the largest gives way. One publisher alone stays below 64 MiB. */
  maxPublishedHeldBytes: 256 * 1024 * 1024,
  /** ms until a published service has taken a connection, and until it has begun to answer an HTTP request. */
  publishedOpenMs: 20_000,
  publishedAnswerMs: 60_000,
  /** ms without a byte in either direction after which an HTTP exchange ends; WebSockets have no such end. */
  publishedIdleMs: 600_000,
  /** Idle connections to the programs behind one HTTP service that wait for the next request, and for how many ms: most close theirs after 5 s. */
  maxPublishedKept: 24,
  publishedKeepMs: 4_000,
  /** Senders that one published UDP port talks with, of all those at one address, and ms of silence until one is forgotten. */
  maxUdpFlows: 1_024,
  maxUdpFlowsPerAddress: 64,
  udpFlowIdleMs: 60_000,
  /** Bytes to one sender, or from it, that wait; more datagrams are dropped, as a full queue anywhere does. */
  udpFlowQueueBytes: 256 * 1024,
  /** Wrong passwords from one address at a published service in a minute, and passwords that are checked at one time. */
  basicAuthTries: 20,
  maxBasicAuthChecks: 8,
};

export type ServerLimits = Readonly<typeof DEFAULT_LIMITS>;
