/** Every bound of tunnels in one place; each says why it has this value. */

/** A target that is there answers much sooner; beyond it the user is told instead of waiting on. */
export const DIAL_TIMEOUT_MS = 10_000;
/** Stock controllers wait for so long (session §7.2). */
export const STOCK_DIAL_TIMEOUT_MS = 3_000;
/** After a direct path to a stock peer was not found, its next connections wait for none for so long: each would wait anew. */
export const STOCK_RELAY_MS = 300_000;
/** A stock tunnel without a byte in either direction (session §7.8). */
export const STOCK_IDLE_MS = 3_600_000;
/** After a client has ended its direction of a stock tunnel: an answer that pauses for longer is over, or never comes. */
export const STOCK_QUIET_MS = 2_000;
/** Names that are looked up at one time for all peers, and for one: each takes one of the program's threads (THREADS in net/endpoint.ts). */
export const MAX_LOOKUPS = 12;
export const MAX_LOOKUPS_PER_PEER = 6;
/** A UDP flow without a datagram in either direction: longer than NATs keep theirs, so that it is never us. */
export const UDP_IDLE_MS = 180_000;
/** Unsent bytes of a UDP flow above which datagrams are dropped: what waits longer than this is stale. */
export const UDP_QUEUE_BYTES = 128 * 1024;
/** Datagrams handed to the system and not sent yet; more than that is a system that does not send. */
export const UDP_UNSENT_DATAGRAMS = 256;
/** Senders that one UDP listener tells apart. */
export const MAX_UDP_FLOWS = 1_024;
/** Datagrams of a flow that wait while its stream is being opened; games and DNS send again what is lost. */
export const UDP_WAITING_DATAGRAMS = 32;
/** Connections that one listener takes at once; each is a stream, and a mux has 4,096. */
export const MAX_CONNECTIONS = 2_048;
/** New connections wait for a link that is being restored; who waits longer is refused, so that programs notice. */
export const LINK_WAIT_MS = 30_000;
/** Pauses between attempts to restore a link: the first, doubling up to the last. */
export const RETRY_FIRST_MS = 500;
export const RETRY_LAST_MS = 15_000;
/** A login that nobody answers ends here: nobody types a password into a tunnel. */
export const LOGIN_TIMEOUT_MS = 30_000;
/** After a UDP flow was refused, its sender is not heard for so long: each datagram would ask again. */
export const UDP_REFUSED_MS = 2_000;
/** What a client of the proxy may take to say what it wants. */
export const PROXY_GREETING_MS = 15_000;
/** Header of a request to the proxy. */
export const PROXY_HEADER_BYTES = 32 * 1024;
/** Connections to targets that a proxy keeps for the next plain HTTP request, for each target, and for how long. */
export const PROXY_KEPT_CONNECTIONS = 8;
export const PROXY_KEEP_MS = 15_000;
/** Targets of one UDP association; a resolver asks a handful of servers. */
export const MAX_ASSOCIATION_TARGETS = 128;
