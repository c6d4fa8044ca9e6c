/** Every bound and interval of a link over several paths in one place; each says why it has this value. */

/** Paths of one session at once: relay, LAN, IPv4, IPv6 and some tries of each. */
export const MAX_PATHS = 8;
/**
 * Largest piece of a frame in one record, in bytes: what costs a record at both ends is little beside the seal of so much. A
 * receiver holds one such piece of each path before it knows who sent it.
 */
export const MAX_FRAGMENT_BYTES = 256 * 1024;
/** A frame that is longer than a piece by no more than this is not cut: the header of a mux frame is no piece of its own. */
export const FRAGMENT_SLACK_BYTES = 16;
/** Pieces above this only where the path carries them in so many milliseconds: an urgent record waits for one. */
export const LARGE_FRAGMENT = { bytes: 64 * 1024, ms: 2 } as const;
/** Smallest piece on a slow path: 16 ms at 1 Mbit/s, and little beside what each record costs. */
export const MIN_FRAGMENT_BYTES = 2048;
/** Bytes that a receiver lets come in one channel before its reader has taken what is there: 80 MB/s at 100 ms. */
export const RECEIVE_WINDOW_BYTES = 8 * 1024 * 1024;
/** The same before anybody reads the channel, and for whoever has not logged in: strangers fill no memory. */
export const CLOSED_WINDOW_BYTES = 256 * 1024;
/** Counted for each record beside its bytes, so that many empty ones fill the window too. */
export const RECORD_COST = 64;
/** Bytes waiting in one channel above which `send` answers false, and below which onDrain is called. */
export const CHANNEL_MARKS = { high: 1024 * 1024, low: 256 * 1024 } as const;
/** A sender that goes on after send() said no is stopped here, before it eats the machine's memory. */
export const MAX_QUEUED_BYTES = 128 * 1024 * 1024;

/** Bytes on the way by one path: before it is known, at least, and at most (what a window lets through). */
export const IN_FLIGHT_BYTES = { initial: 32 * 1024, min: 6 * 1024, max: 8 * 1024 * 1024 } as const;
/** Queue that bulk may build up in a path, in milliseconds at its rate: input and picture wait behind it. */
export const PATH_QUEUE_MS = 50;
/** The same in bytes, for fast paths: more would only leave the processor's cache before it leaves the machine. */
export const PATH_QUEUE_BYTES = 1024 * 1024;
/** The shortest round trip of a path is measured anew when it was not seen for so long, in milliseconds. */
export const MIN_RTT_LIFE_MS = 15_000;
/** The highest rate of a path is believed for one to two of these, in milliseconds. */
export const RATE_LIFE_MS = 2_000;

/** A receiver acknowledges after so many bytes: each acknowledgement costs a seal at both ends. */
export const ACK_BYTES = 512 * 1024;
/** The same after so many milliseconds: silence that is longer means something. */
export const ACK_DELAY_MS = 5;
/** Answers to probes are awaited for this many of them at once. */
export const MAX_PROBES = 4;
/** Probes of a path that carries traffic, in milliseconds: its round trip is known, and acks show that it lives. */
export const BUSY_PROBE_MS = 1_000;
/** Probes of a path at rest: below the 15 to 30 s after which NATs and relays forget it. */
export const IDLE_PROBE_MS = 10_000;
/** A new path is probed so often until it has been measured this many times. */
export const FRESH_PROBE = { everyMs: 50, samples: 3 } as const;
/** Probes of paths that should answer and do not: first soon, then less often. */
export const LOST_PROBE_MS = { first: 100, max: 2_000 } as const;

/** Silence on a path that owes an answer after which the others are used: at least, and at most however it behaved. */
export const SUSPECT_MS = { min: 200, max: 3_000 } as const;
/** A path that owed an answer and stayed silent so long is given up. */
export const DEAD_MS = 60_000;
/** A path that was suspected wrongly counts that against it for about this long. */
export const STALL_LIFE_MS = 20_000;
/** Rest between two moves that are only improvements. */
export const MOVE_REST_MS = 1_000;
/** With every path silent for this long, another one is looked for. */
export const SEARCH_AFTER_MS = 500;
/** A session without any path waits so long for one; then it ends. A train through a tunnel, a laptop carried upstairs. */
export const DARK_MS = 120_000;
/**
 * A host whose controller has closed a direct path, or the last of all, and is silent on the others, waits so long: a program that ended or
 * crashed does that, and a computer that roams does not. Longer than a relay takes to start anew, which may look the same from here.
 */
export const CLOSED_MS = 30_000;
/** What was under way by other paths when one was closed still comes for so long. */
export const STILL_COMING_MS = 1_000;
/** The same before the login is accepted: nothing is lost then, and strangers take no place. */
export const DARK_STRANGER_MS = 15_000;
/** How long an orderly close waits for what was sent to be acknowledged; a program ends within 2 s. */
export const CLOSE_FLUSH_MS = 1_500;
/** Length of a reason that goes over the wire, in bytes. */
export const MAX_REASON_BYTES = 256;
