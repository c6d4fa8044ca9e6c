/**
 * Why a stream was reset or a mux ended. The numbers are what travels (docs/tunnels.md, "On the wire"); the names are what
 * programs and logs see. A number never changes its meaning.
 */
export const STREAM_CODES = {
  /** Whoever used the stream lost interest. */
  cancelled: 1,
  /** The rules of the side that dials do not allow the target. */
  'refused-by-rule': 2,
  /** The host's name does not resolve there. */
  dns: 3,
  /** No route to the target. */
  unreachable: 4,
  /** The target refused the connection. */
  refused: 5,
  /** The target did not answer in time. */
  timeout: 6,
  /** The target's connection broke. */
  'target-reset': 7,
  /** The target cannot be read, or is of a kind that the other side does not know. */
  'target-invalid': 8,
  /** No service of that name is offered. */
  'unknown-service': 9,
  /** As many streams are open as the other side takes. */
  'too-many-streams': 10,
  /** More streams were opened in a second than the other side takes. */
  'too-many-opens': 11,
  /** Given up because its unread bytes kept all the others from going on. */
  overloaded: 12,
  /** The other end sent more than it had credit for. */
  'flow-control': 13,
  /** The other end sent something that is not part of the protocol. */
  protocol: 14,
  /** Nothing moved for longer than the dialling side keeps a connection. */
  idle: 15,
  /** The other side is being ended. */
  'shutting-down': 16,
  /** A fault of the program. */
  internal: 17,
  /** The service has been withdrawn, or is over its quota. */
  unavailable: 18,
  /** Never sent: the link under the streams is gone. */
  'link-lost': 100,
  /** Never sent: a number that this version does not know. */
  unknown: 101,
} as const;

export type StreamCode = keyof typeof STREAM_CODES;

const names = new Map<number, StreamCode>(
  Object.entries(STREAM_CODES).map(([name, number]) => [number, name as StreamCode]),
);

/** The name of a code that came over the wire. */
export function streamCode(number: number): StreamCode {
  return names.get(number) ?? 'unknown';
}

/** A stream that ended otherwise than in order, as the error of whoever reads or writes it. */
export class StreamResetError extends Error {
  override readonly name = 'StreamResetError';
  readonly code: StreamCode;
  /** Who ended it: the user of this end, the other end, or the link. */
  readonly by: 'local' | 'remote' | 'link';

  constructor(code: StreamCode, reason: string, by: 'local' | 'remote' | 'link') {
    super(reason === '' ? code : `${code}: ${reason}`);
    this.code = code;
    this.by = by;
  }
}
