/** KCP parameters which both ends of a RustDesk connection use (rendezvous §10.4). */
export const KCP_MTU = 1200;
export const KCP_HEADER = 24;
export const KCP_MSS = KCP_MTU - KCP_HEADER;
/** Segments in flight and free receive slots; a power of two, since slots are `sn & (window - 1)`. */
export const KCP_WINDOW = 1024;
export const KCP_INTERVAL_MS = 10;
/** A segment is sent again after this many later acks. */
export const KCP_FAST_RESEND = 2;
/** … but only while it was sent at most this often; then only its timeout does it. */
export const KCP_FAST_LIMIT = 5;
export const KCP_RTO_INITIAL_MS = 200;
export const KCP_RTO_MIN_MS = 30;
export const KCP_RTO_MAX_MS = 60_000;
export const KCP_PROBE_FIRST_MS = 7_000;
export const KCP_PROBE_MAX_MS = 120_000;
/** What a receiver is assumed to take until it says so. */
export const KCP_REMOTE_WINDOW = 128;

export const CMD_PUSH = 81;
export const CMD_ACK = 82;
export const CMD_WASK = 83;
export const CMD_WINS = 84;

/** Queued and unacknowledged segments together stay below this (the send loop of §10.4). */
export const SEND_LIMIT_SEGMENTS = 2 * KCP_WINDOW;

/** The header in front of each KCP packet (rendezvous §10.2). */
export const ENDPOINT_HEADER = 14;
/** Largest datagram that we send. */
export const MAX_DATAGRAM = ENDPOINT_HEADER + KCP_MTU;
/** Stock peers receive into 1500 bytes; longer datagrams are not theirs. */
export const MAX_DATAGRAM_IN = 1500;
