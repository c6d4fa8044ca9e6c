/**
 * Rendezvous or relay, by the first message of a connection that may be for either. Only RequestRelay goes to both: a
 * controller asks the server for it with the relay's name, `secure` and no licence key (rendezvous §9.2b), and both peers
 * join the relay with their licence key, the controlled one without an id (§7). Ours say which of the two they mean.
 */
import { decodeRendezvous } from '../../core/wire/index.ts';
import type { Service } from './arrival.ts';

/** Field 18, length-delimited. */
const REQUEST_RELAY_TAG = [0x92, 0x01] as const;
/** Field 1003, length-delimited: another server tells the relay what it introduced (relay-links.ts). */
const RELAY_INTRODUCTION_TAG = [0xda, 0x3e] as const;
/** Field 1007, length-delimited: a connection to the relay that names its session later (relay-parking.ts). */
const RELAY_PARK_TAG = [0xfa, 0x3e] as const;
const RELAY_ONLY_TAGS = [RELAY_INTRODUCTION_TAG, RELAY_PARK_TAG];
/** Field 23, length-delimited. */
const ONLINE_REQUEST_TAG = [0xba, 0x01] as const;
/** A RequestRelay has some 150 bytes, with a token perhaps a few KiB; what is longer is for the rendezvous to refuse. */
const MAX_REQUEST_RELAY_BYTES = 16 * 1024;

export const MAX_FIRST_BYTES = MAX_REQUEST_RELAY_BYTES + 4;

/** Whether a RequestRelay that names an id, but no relay, is meant for the relay: its form does not tell. */
export type Joins = (request: { readonly id: string; readonly uuid: string; readonly licenceKey: string }) => boolean;

/** By a whole message. */
export function serviceOfMessage(message: Uint8Array, joins: Joins): Service {
  if (RELAY_ONLY_TAGS.some((tag) => beginsWith(message, tag))) return 'relay';
  if (!beginsWith(message, REQUEST_RELAY_TAG)) return 'rendezvous';
  try {
    const request = decodeRendezvous(message).requestRelay;
    if (request?.uuid && request.atRelay) return 'relay';
    if (!request?.uuid || request.relayServer || request.secure || request.socketAddr?.length || request.wantTicket)
      return 'rendezvous';
    const { id, uuid, licenceKey } = request;
    if (!id || request.relayTicket?.length) return 'relay';
    return joins({ id, uuid, licenceKey: licenceKey ?? '' }) ? 'relay' : 'rendezvous';
  } catch {
    return 'rendezvous';
  }
}

/** By the beginning of a framed stream; null: more is needed. Waits for a whole frame only where it matters. */
export function serviceOfFrames(bytes: Uint8Array, joins: Joins): Service | null {
  const [first] = bytes;
  if (first === undefined) return null;
  const header = (first & 3) + 1;
  if (bytes.length < header) return null;
  let value = 0;
  for (let i = header - 1; i >= 0; i--) value = value * 256 + (bytes[i] ?? 0);
  const length = Math.floor(value / 4);
  if (length < REQUEST_RELAY_TAG.length || length > MAX_REQUEST_RELAY_BYTES) return 'rendezvous';
  const message = bytes.subarray(header, header + length);
  const mayBe = (tag: readonly number[]): boolean => tag.every((byte, i) => message[i] === undefined || message[i] === byte);
  if (RELAY_ONLY_TAGS.some((tag) => mayBe(tag) && message.length >= tag.length)) return 'relay';
  if (![REQUEST_RELAY_TAG, ...RELAY_ONLY_TAGS].some(mayBe)) return 'rendezvous';
  return message.length < length ? null : serviceOfMessage(message, joins);
}

/** Asked on port P-1 where there is one (rendezvous §6.8). */
export function isOnlineRequest(message: Uint8Array): boolean {
  return beginsWith(message, ONLINE_REQUEST_TAG);
}

function beginsWith(message: Uint8Array, tag: readonly number[]): boolean {
  return tag.every((byte, i) => message[i] === byte);
}
