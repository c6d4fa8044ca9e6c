/** KCP parameters which both ends of a RustDesk connection use (rendezvous §10.4). */
export const KCP_MTU = 1200;
export const KCP_HEADER = 24;
export const KCP_MSS = KCP_MTU - KCP_HEADER;
/** Segments that a stock peer sends beyond the first unacknowledged one, and free receive slots that it announces. */
export const KCP_WINDOW = 1024;
/**
 * Ours take more once they have read more: 4096 segments are 100 ms of 385 Mbit/s. A stock sender keeps to its own 1024
 * whatever is announced.
 */
export const KCP_MAX_WINDOW = 4096;
export const KCP_INTERVAL_MS = 10;
/** A segment is lost when this many later ones have arrived, as long as the path has never reordered. */
export const KCP_FAST_RESEND = 2;
export const KCP_RTO_INITIAL_MS = 200;
export const KCP_RTO_MIN_MS = 30;
export const KCP_PROBE_FIRST_MS = 7_000;
export const KCP_PROBE_MAX_MS = 120_000;
/** What a receiver is assumed to take until it says so. */
export const KCP_REMOTE_WINDOW = 128;

export const CMD_PUSH = 81;
export const CMD_ACK = 82;
export const CMD_WASK = 83;
export const CMD_WINS = 84;

/** The header in front of each KCP packet (rendezvous §10.2). */
export const ENDPOINT_HEADER = 14;
/** Largest datagram that we send before the path has shown that it carries more. */
export const DATAGRAM = ENDPOINT_HEADER + KCP_MTU;
/** Largest datagram that we ever send: an Ethernet frame's 1500 bytes without the headers of IPv4 and UDP. */
export const MAX_DATAGRAM = 1500 - 28;
/** The most data that one segment has then. */
export const MAX_SEGMENT = MAX_DATAGRAM - ENDPOINT_HEADER - KCP_HEADER;
/** Stock peers receive into 1500 bytes; longer datagrams are not theirs. */
export const MAX_DATAGRAM_IN = 1500;
/** What a segment costs on the way beside its data: the headers of KCP, the endpoint, UDP and IPv4. */
export const SEGMENT_OVERHEAD = KCP_HEADER + ENDPOINT_HEADER + 8 + 20;
/** A full segment on the way, in bytes. */
export const FULL_SEGMENT = KCP_MSS + SEGMENT_OVERHEAD;
