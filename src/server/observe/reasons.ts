/**
 * Every decision of the server has a name from this list: the counters, the metrics, the logs and the status page share
 * it, so that a number in one can be looked up in the other. A new decision gets its line here first; the names never
 * come from the network, so that no map of them grows.
 */

/**
 * - `done`: the server did what was asked.
 * - `refused`: somebody asked for something and did not get it, whether he was told or just cut.
 * - `ignored`: bytes that were dropped without a word.
 * - `ended`: something that had been granted came to its end.
 */
export type ReasonKind = 'done' | 'refused' | 'ignored' | 'ended';

export interface ReasonInfo {
  readonly kind: ReasonKind;
  /** What happened, one line in English; docs/observability.md and the status page show it. */
  readonly text: string;
}

export const REASONS = {
  // Registration (rendezvous §5.7, §5.8)
  registered: { kind: 'done', text: 'a computer registered' },
  renamed: { kind: 'done', text: 'a computer took another id' },
  'presence-lost': { kind: 'ended', text: 'the connection that was a registration has ended' },
  'register-uuid-mismatch': { kind: 'refused', text: 'the id belongs to another machine' },
  'register-id-exists': { kind: 'refused', text: 'the new id is taken' },
  'register-too-frequent': { kind: 'refused', text: 'too many registrations of this id or from this address' },
  'register-invalid-id-format': { kind: 'refused', text: 'the id or key is too long or not allowed' },
  'register-not-support': { kind: 'refused', text: 'a kind of registration that is not offered' },
  'register-server-error': { kind: 'refused', text: 'the registration could not be written to the store' },
  'register-not-deployed': { kind: 'refused', text: 'the computer is not enrolled at this server' },
  // Enrolment of new computers
  'enrol-needs-token': { kind: 'refused', text: 'a new computer came without an invitation' },
  'enrol-bad-token': { kind: 'refused', text: 'the invitation of a new computer is not good, or not any more' },
  'enrol-waits': { kind: 'refused', text: 'a new computer waits for the operator' },
  'enrol-denied': { kind: 'refused', text: 'the operator keeps this computer out' },
  'enrol-key-quota': { kind: 'refused', text: 'one device key took too many ids in a day' },
  'enrol-not-saved': { kind: 'refused', text: 'the use of an invitation could not be written' },
  // Introduction (rendezvous §6.2 to §6.6)
  'introduced-tcp': { kind: 'done', text: 'two computers were introduced for a TCP connection through their NATs' },
  'introduced-udp': { kind: 'done', text: 'two computers were introduced for a UDP connection through their NATs' },
  'introduced-local': { kind: 'done', text: 'two computers behind one address were introduced in their own network' },
  'introduced-relay': { kind: 'done', text: 'two computers were sent to a relay' },
  'punch-id-not-exist': { kind: 'refused', text: 'nobody has that id' },
  'punch-offline': { kind: 'refused', text: 'the computer is offline' },
  'punch-license-mismatch': { kind: 'refused', text: 'the request names another server key' },
  'punch-license-overuse': { kind: 'refused', text: 'the key is used too often' },
  'punch-too-many': { kind: 'refused', text: 'too many requests are in the air' },
  'punch-unanswered': { kind: 'ended', text: 'the controlled computer never answered' },
  'relay-unknown-id': { kind: 'refused', text: 'a relay was asked for with a computer that is not here' },
  'relay-too-many': { kind: 'refused', text: 'too many requests for a relay are in the air' },
  'answer-unasked': { kind: 'ignored', text: 'an answer that nobody had asked this sender for' },
  // Several nodes (src/server/cluster)
  'cluster-forwarded': { kind: 'done', text: 'a request was handed to the node where the computer is registered' },
  'cluster-answer-routed': { kind: 'done', text: 'an answer was handed to the node that waits for it' },
  'cluster-moved-away': { kind: 'ended', text: 'a computer registered with another node' },
  'cluster-claim-late': { kind: 'ended', text: 'the other nodes learn of a registration later, since the shared store is away' },
  'cluster-resynchronised': { kind: 'done', text: 'the shared store was away, and has been told again what this node holds' },
  'cluster-away': { kind: 'refused', text: 'the computer is not registered here, and the shared store is away' },
  'cluster-not-a-message': { kind: 'ignored', text: 'another node sent something that is no message' },
  // Bytes that make no sense
  'not-a-message': { kind: 'ignored', text: 'bytes that are no message' },
  'udp-not-handled': { kind: 'ignored', text: 'a message that is not served over UDP' },
  'tcp-not-handled': { kind: 'ignored', text: 'a message that is not served on a connection' },
  'nat-port-not-handled': { kind: 'ignored', text: 'a message that is not served on the NAT test port' },
  'nat-test-repeated': { kind: 'ignored', text: 'a copy of a UDP NAT test' },
  'udp-unproven': { kind: 'ignored', text: 'an answer would have been longer than what its address has sent' },
  'push-unproven': { kind: 'ignored', text: 'a computer registered by UDP never showed that it gets what is sent there' },
  // Relay (rendezvous §7)
  'relay-paired': { kind: 'done', text: 'the relay joined two connections' },
  'relay-ended': { kind: 'ended', text: 'a relayed session ended' },
  'relay-blocked': { kind: 'refused', text: 'the address is on the blocklist' },
  'relay-cut': { kind: 'ended', text: 'an operator ended a relayed session, or blocked one of its addresses' },
  'relay-idle': { kind: 'ended', text: 'a relayed session was silent for too long' },
  'relay-not-a-message': { kind: 'refused', text: 'the relay got bytes that are no message' },
  'relay-not-a-request': { kind: 'refused', text: 'the relay got a message that is no request' },
  'relay-wrong-key': { kind: 'refused', text: 'the relay was asked with another server key' },
  'relay-too-many-pairs': { kind: 'refused', text: 'the relay carries as many sessions as it may' },
  'relay-too-many-waiting': { kind: 'refused', text: 'too many connections wait at the relay' },
  'relay-nobody-came': { kind: 'ended', text: 'the other end never came to the relay' },
  'relay-not-introduced': { kind: 'refused', text: 'nobody introduced the two that would have met at the relay' },
  'relay-too-many-unintroduced': { kind: 'refused', text: 'too many connections at the relay that nobody introduced' },
  'relay-ticket-forged': { kind: 'refused', text: 'the relay was shown a ticket that this server did not sign' },
  'relay-ticket-expired': { kind: 'refused', text: 'the relay was shown a ticket that is too old' },
  'relay-ticket-replayed': { kind: 'refused', text: 'the relay was shown a ticket for the second time' },
  'relay-too-many-parked': { kind: 'refused', text: 'too many connections are kept at the relay for later' },
  'relay-came-twice': { kind: 'ended', text: 'an end came to the relay by another way after it had been joined' },
  'relay-too-many-openings': { kind: 'refused', text: 'too many ask for the relay by datagrams, or hold a place without having proven their address' },
  'relay-unproven': { kind: 'refused', text: 'an address that asked for the relay by datagrams never showed that it is its own' },
  'relay-stranger': { kind: 'done', text: 'the relay joined an end that came from another address than the server saw' },
  // Connections
  'connection-full': { kind: 'refused', text: 'the server holds as many connections as it may' },
  'connection-full-address': { kind: 'refused', text: 'too many connections from one address' },
  'connection-half-open': { kind: 'refused', text: 'a connection that had said nothing whole made room for a newer one' },
  'connection-mute': { kind: 'refused', text: 'a connection did not say in time what it speaks' },
  'connection-garbled': { kind: 'refused', text: 'a connection speaks nothing that is served on its port' },
  'proxy-header-refused': { kind: 'refused', text: 'a PROXY header came from an address that is no listed proxy' },
  'proxy-header-broken': { kind: 'refused', text: 'a listed proxy sent a PROXY header that cannot be read' },
  'tls-not-offered': { kind: 'refused', text: 'a client began TLS, but there is no certificate' },
  'tls-failed': { kind: 'refused', text: 'a TLS handshake failed or took too long' },
  'client-silent': { kind: 'ended', text: 'a client finished no message in time' },
  'presence-silent': { kind: 'ended', text: 'a registration over a connection gave no more sign of life' },
  'client-not-reading': { kind: 'refused', text: 'a client did not read its answers' },
  'client-too-many-requests': { kind: 'refused', text: 'a connection made too many requests' },
  'client-too-long': { kind: 'refused', text: 'a client sent a longer message than it may' },
  'client-garbled': { kind: 'refused', text: 'a client sent bytes that are no frames' },
  // HTTP
  'http-unauthorised': { kind: 'refused', text: 'the status page was asked for without its token' },
  // Published services
  'publisher-connected': { kind: 'done', text: 'a computer connected to publish services' },
  'publisher-gone': { kind: 'ended', text: 'the connection of a computer that published services has ended' },
  'publisher-refused': { kind: 'refused', text: 'a computer that is not registered, or may not, wanted to publish services' },
  'publisher-full': { kind: 'refused', text: 'as many computers publish services as may' },
  'publisher-handshake-failed': { kind: 'refused', text: 'somebody who wanted to publish services did not finish the key exchange' },
  'publisher-broke-rules': { kind: 'ended', text: 'a computer that published services sent something that is not part of the protocol' },
  'service-published': { kind: 'done', text: 'a service was published' },
  'service-refused': { kind: 'refused', text: 'a service was not taken: the port, the name or the number is not for this computer' },
  'service-withdrawn': { kind: 'ended', text: 'a published service was withdrawn, or its computer went' },
  'published-opened': { kind: 'done', text: 'a connection from outside was led to a published service' },
  'published-reused': { kind: 'done', text: 'an HTTP request to a published service went over a connection that was kept' },
  'published-ended': { kind: 'ended', text: 'a connection to a published service has ended' },
  'published-address-not-allowed': { kind: 'refused', text: 'the address is not on the list of a published service' },
  'published-no-backend': { kind: 'refused', text: 'nothing healthy stands behind a published service' },
  'published-quota': { kind: 'refused', text: 'a published service, or its computer, has as many connections as it may' },
  'published-failed': { kind: 'refused', text: 'a published service could not be reached behind its computer' },
  'published-bad-request': { kind: 'refused', text: 'an HTTP request to a published service could be read in two ways' },
  'published-unknown-host': { kind: 'refused', text: 'nobody publishes that host name' },
  'published-unauthorised': { kind: 'refused', text: 'user or password of a published service was wrong' },
  'published-too-many-tries': { kind: 'refused', text: 'too many wrong passwords for published services from one address' },
  'published-udp-dropped': { kind: 'ignored', text: 'a datagram to a published service for which there was no room' },
  'published-overloaded': { kind: 'ended', text: 'a connection to a published service gave way, since unread bytes took too much memory' },
  // Lobby
  'lobby-registered': { kind: 'done', text: 'a lobby client registered' },
  'lobby-introduced': { kind: 'done', text: 'a lobby client got the address of another one' },
  'lobby-left': { kind: 'ended', text: 'a lobby client left' },
  'lobby-replaced': { kind: 'ended', text: 'a lobby client registered anew and took the place of its older connection' },
  'lobby-bad-input': { kind: 'refused', text: 'a lobby client sent something that is no message' },
  'lobby-not-registered': { kind: 'refused', text: 'a lobby client did not register first' },
  'lobby-unknown-target': { kind: 'refused', text: 'a lobby client asked for somebody who is not here' },
  'lobby-full': { kind: 'refused', text: 'the lobby is full' },
  'lobby-slow': { kind: 'refused', text: 'a lobby client did not read or did not finish a message' },
} as const satisfies Record<string, ReasonInfo>;

export type Reason = keyof typeof REASONS;

/** What a log line says about one decision, besides its reason. All of it may come from the network. */
export interface Detail {
  /** Id of the computer that it is about. */
  readonly id?: string | undefined;
  /** Address that asked. */
  readonly from?: string | undefined;
  readonly via?: 'udp' | 'tcp' | 'ws' | 'kcp' | undefined;
  /** Why this way and not another, where there was a choice. */
  readonly why?: string | undefined;
  /** How long it took, ms. */
  readonly ms?: number | undefined;
  readonly bytes?: number | undefined;
}
