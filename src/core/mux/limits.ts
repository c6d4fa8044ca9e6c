/** Every bound of a mux in one place; each says why it has this value. */

/** Part of the protocol: what each stream may send before the first credit comes, so that data may follow Open at once. */
export const INITIAL_STREAM_CREDIT = 256 * 1024;
/** A window of this size fills 1.3 Gbit/s at 100 ms; more for one stream would be at the expense of all others. */
export const MAX_STREAM_WINDOW = 16 * 1024 * 1024;
/**
 * Part of the protocol: what all streams together may send before credit for the link comes, and so the memory that unread
 * bytes can ever take at a receiver.
 */
export const LINK_CREDIT = 64 * 1024 * 1024;
/** Windows may grow by this much in all; the rest of LINK_CREDIT is for streams that keep the initial one. */
export const WINDOW_GROWTH_BYTES = 48 * 1024 * 1024;
/** A single stream takes at most this share of what is left of it: some always remains for the next. */
export const WINDOW_GROWTH_SHARE = 1 / 3;
/** Round trips shorter than this are not told apart: the event loops at both ends take as long when they are busy. */
export const MIN_WINDOW_RTT_MS = 10;
/** A window that grew goes back to its first size when its stream rested for this long. */
export const WINDOW_REST_MS = 10_000;
/** Link credit below this holds streams up… */
export const LINK_CREDIT_LOW = 4 * 1024 * 1024;
/** … and if that lasts this long, the stream with the most unread bytes is reset, until there is room again. */
export const CONGESTED_MS = 2_000;

/** Most bytes in one turn of the writer: 1 ms on a path of 130 Mbit/s, so that a keystroke does not wait for a bulk copy. */
export const TURN_BYTES = 16 * 1024;
/** The same for few streams on a link which has shown to be fast: each frame costs a seal at both ends. */
export const LONE_TURN_BYTES = 256 * 1024;
/** Larger frames than any version sends break the rules: a receiver must not be made to hold more at once. */
export const MAX_FRAME_BYTES = 256 * 1024 + 16;
/** Part of the protocol: small frames that leave together share one frame of the link of up to this size, and so one seal… */
export const GROUP_BYTES = 16 * 1024;
/** … and these are small: copying them costs less than a seal at both ends. */
export const GROUPED_FRAME_BYTES = 2 * 1024;
/** That a target was reached waits so long for the answer to what the opener has sent already, to leave with it. */
export const OPENED_WAIT_MS = 5;
/**
 * What the link itself is told to take: more than any frame has, since a channel of a native link keeps the small window that
 * strangers get for whoever takes no more than 256 KiB.
 */
export const MAX_LINK_PAYLOAD_BYTES = 512 * 1024;
/**
 * The link is fed while less than this waits in it; what is beside it (the screen, the mouse, other streams) waits no longer
 * than that. More for a link that runs empty before it is looked at again, less for one that is slow: 32 KiB are 0.25 s at
 * 1 Mbit/s, 1 MiB is 10 ms at 1 Gbit/s.
 */
export const WRITE_AHEAD_BYTES = { first: 128 * 1024, min: 32 * 1024, max: 1024 * 1024 } as const;
/** How soon a link is looked at again that is full, but has not said that it will tell. */
export const WRITE_POLL_MS = 1;

/** Unsent bytes of one stream above which `write` answers false; as much as the initial credit. */
export const STREAM_QUEUE_HIGH = 256 * 1024;
/** … and at or below which its user is told to go on. */
export const STREAM_QUEUE_LOW = 64 * 1024;
/** Unsent bytes of all streams above which each may keep one turn only: bounds a link that stands still. */
export const MUX_QUEUE_HIGH = 32 * 1024 * 1024;
/** A user who writes on after `write` answered false is stopped here; it is a fault of the program. */
export const STREAM_QUEUE_MAX = 4 * 1024 * 1024;
/** Frames about streams that wait for the link; a peer that makes us answer and does not read is given up. */
export const MAX_CONTROL_FRAMES = 16_384;

/** Streams from one peer at once, in each direction: a browser has some hundred connections, a busy office a thousand. */
const MAX_STREAMS = 4_096;
/** Streams that a peer may open at one moment, and how many more in each second after that. */
export const OPEN_BURST = 2_000;
const OPENS_PER_SECOND = 500;
/** Opens refused for their number that are answered with a reset each; who goes on after that is flooding. */
export const REFUSED_OPENS = 10_000;
/** Kind, port, and two names of at most 255 bytes. */
export const MAX_TARGET_BYTES = 520;
/** Bytes of the text in a reset; it is shown to people. */
export const MAX_REASON_BYTES = 200;

/** A quiet link is asked for a sign of life after this time… */
export const KEEP_ALIVE_MS = 15_000;
/** … and given up when nothing came for this long. */
export const DEAD_MS = 45_000;
/** While data moves, the round trip is measured this often. */
export const MEASURE_MS = 500;

/** What may be lowered for a link, beside the values above. */
export interface MuxLimits {
  readonly maxStreams: number;
  readonly openBurst: number;
  readonly opensPerSecond: number;
  /** 0: the link below knows by itself when it is dead. */
  readonly deadMs: number;
}

export const DEFAULT_LIMITS: MuxLimits = {
  maxStreams: MAX_STREAMS,
  openBurst: OPEN_BURST,
  opensPerSecond: OPENS_PER_SECOND,
  deadMs: DEAD_MS,
};
