/** Every bound of a session in one place; each says why it has this value. */

/** Host: nothing received for this long ends the session (session §9.2). */
export const RECEIVE_TIMEOUT_MS = 30_000;
/** A write queue without any progress for this long ends the session (session §9.2). */
export const WRITE_STALL_MS = 12_000;
/** For links that watch themselves, end by themselves, and may be without a path for longer than that. */
export const WATCHED_BY_LINK = { receiveMs: Number.POSITIVE_INFINITY, writeStallMs: Number.POSITIVE_INFINITY } as const;
/** One heartbeat a second, before login too (session §3.7). */
export const TEST_DELAY_INTERVAL_MS = 1_000;
/** The first heartbeat follows `hash` by 20–30 ms (session §2.3). */
export const FIRST_TEST_DELAY_MS = 25;
/** An echo that takes longer than this makes the host fall to 2 fps (session §3.7). */
export const SLOW_ECHO_MS = 2_000;
/** A connection may stay without authorisation for this long: the protocol itself has no limit (session §2.6). */
export const UNAUTHORISED_MS = 10 * 60_000;
/** `hash` must follow the handshake within this time (session §9.2, handshake steps). */
export const HASH_TIMEOUT_MS = 18_000;
/** Credentials of a broken session stay good for this long (session §2.8). */
export const RECENT_SESSION_MS = 30_000;
/** Recent sessions kept at most: far more than one machine has viewers. */
export const MAX_RECENT_SESSIONS = 64;
/** Source addresses whose wrong attempts are counted at most; the oldest is forgotten first. */
export const MAX_TRACKED_SOURCES = 4_096;
/** Wrong proofs of one address inside one minute before it must wait (session §2.6). */
export const ATTEMPTS_PER_MINUTE = 6;
/** Wrong proofs of one address in total (session §2.6). */
export const ATTEMPTS_TOTAL = 30;
/** Wrong proofs in a row, from anywhere, before the one-time password changes (session §2.6). */
export const ATTEMPTS_BEFORE_ROTATION = 10;
/** Sets of CPace shares for one address in a minute: far more than people log in from one place, some tenths of a second of the processor. */
export const SHARES_PER_MINUTE = 120;
/** The same for all addresses together: some seconds of the processor. */
export const SHARES_PER_MINUTE_OF_ALL = 600;
/** Two refreshes closer than this are one: a key frame is the most expensive thing to ask for (session §3.5). */
export const REFRESH_INTERVAL_MS = 200;
/** A viewer that acknowledges frames gets the next one after this time even without (session §3.6). */
export const VIDEO_ACK_TIMEOUT_MS = 3_000;
/** How often a full video queue is looked at; a third of a frame at 30 fps. */
export const VIDEO_RESUME_POLL_MS = 10;
/** Captures of one viewer at once: more monitors than that nobody looks at together. */
export const MAX_CAPTURES = 8;
/** Displays believed of a peer. */
export const MAX_DISPLAYS = 64;
/** Replies to a peer that does not read: beyond this many waiting bytes they are dropped. */
export const REPLY_BUFFER_BYTES = 1024 * 1024;
/** Clipboard text after decompression, in bytes: larger texts are not worth stalling the session. */
export const CLIPBOARD_BYTES = 16 * 1024 * 1024;
/** Clipboard text sent; the receiver may be a small machine. */
export const CLIPBOARD_SEND_BYTES = 8 * 1024 * 1024;
/** Typed text in one event, in UTF-16 units. */
export const TYPED_TEXT_LENGTH = 4_096;
/** Chat text, in UTF-16 units. */
export const CHAT_LENGTH = 16_384;
/** Names, platform, versions and reasons of a peer, in UTF-16 units; they are shown to people. */
export const NAME_LENGTH = 256;
/** Side of a pointer shape in pixels; the largest in use are 256. */
export const CURSOR_SIDE = 1_024;
/** Pointer shapes remembered in one session. */
export const MAX_CURSORS = 1_024;
/** Keys a controller may hold down at once: more than keyboards have. */
export const MAX_HELD_KEYS = 256;
/** Round-trip probes in flight. */
export const MAX_PENDING_PINGS = 32;
/** Relative pointer steps are clamped to this (session §4.1). */
export const RELATIVE_MOVE_LIMIT = 10_000;
/** Notches of one wheel event: a broken peer must not scroll for minutes. */
export const WHEEL_LIMIT = 100;
/** Fine units of one wheel event, about as far as WHEEL_LIMIT notches. */
export const WHEEL_FINE_LIMIT = 12_000;
