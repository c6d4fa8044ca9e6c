/** What nodes say to one another. A JSON head and, behind it, the bytes of the client's own message. */

export type BusMessage =
  /** A controller's request, for the node that holds the peer. `ref` names the client at its own node. */
  | {
      readonly type: 'request';
      readonly ref: number;
      readonly kind: 'tcp' | 'ws';
      readonly host: string;
      readonly port: number;
      readonly localHost: string;
      readonly bytes: Uint8Array;
    }
  /** What the controller gets. */
  | { readonly type: 'reply'; readonly ref: number; readonly bytes: Uint8Array }
  /** The controller has gone. */
  | { readonly type: 'gone'; readonly ref: number }
  /** The controller is to be cut. */
  | { readonly type: 'cut'; readonly ref: number }
  /** A controlled side's answer that came to a node where nobody waits for it. */
  | {
      readonly type: 'answer';
      readonly kind: 'tcp' | 'ws' | 'udp';
      readonly host: string;
      readonly port: number;
      readonly bytes: Uint8Array;
    }
  /** These peers have registered with the sender. */
  | { readonly type: 'moved'; readonly ids: readonly string[] }
  /** An operator had these forgotten. */
  | { readonly type: 'removed'; readonly ids: readonly string[] }
  /** An operator changed what holds until the next start; what is not named stays. */
  | { readonly type: 'settings'; readonly alwaysRelay?: boolean; readonly relays?: readonly string[] }
  /** Which of these are online with you? */
  | { readonly type: 'online'; readonly ref: number; readonly ids: readonly string[] }
  | { readonly type: 'states'; readonly ref: number; readonly online: readonly boolean[] }
  /** Two were introduced to a relay: the ends that name this uuid, expected from these addresses, may be joined. */
  | { readonly type: 'introduced'; readonly uuid: string; readonly hosts: readonly string[] }
  /** Something about keys or enrolment (enrolment/shared.ts), as JSON. */
  | { readonly type: 'enrolment'; readonly text: string };

/** A client's message is at most one frame; ids come in batches below this. */
const MAX_BUS_MESSAGE = 1024 * 1024;
const NO_BYTES = new Uint8Array(0);
const HEAD_LENGTH = 4;

export function encodeBusMessage(message: BusMessage): Uint8Array {
  const { bytes = NO_BYTES, ...head } = message as BusMessage & { bytes?: Uint8Array };
  const json = Buffer.from(JSON.stringify(head));
  const out = Buffer.allocUnsafe(HEAD_LENGTH + json.length + bytes.length);
  out.writeUInt32BE(json.length, 0);
  json.copy(out, HEAD_LENGTH);
  out.set(bytes, HEAD_LENGTH + json.length);
  return out;
}

/** @returns null when it is none of ours: another version, or somebody else on the channel */
export function decodeBusMessage(data: Uint8Array): BusMessage | null {
  if (data.length < HEAD_LENGTH || data.length > MAX_BUS_MESSAGE) return null;
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.length);
  const end = HEAD_LENGTH + buffer.readUInt32BE(0);
  if (end > buffer.length) return null;
  let head: unknown;
  try {
    head = JSON.parse(buffer.toString('utf8', HEAD_LENGTH, end));
  } catch {
    return null;
  }
  if (typeof head !== 'object' || head === null) return null;
  return shaped(head as Record<string, unknown>, data.subarray(end));
}

function shaped(head: Record<string, unknown>, bytes: Uint8Array): BusMessage | null {
  const { type, ref, kind, host, port, localHost, ids, uuid, hosts, online, text } = head;
  const hasRef = typeof ref === 'number' && Number.isSafeInteger(ref);
  const from = typeof host === 'string' && typeof port === 'number' && port >= 0 && port <= 0xffff ? { host, port } : null;
  switch (type) {
    case 'request':
      if (!hasRef || !from || (kind !== 'tcp' && kind !== 'ws') || typeof localHost !== 'string') return null;
      return { type, ref, kind, ...from, localHost, bytes };
    case 'reply':
      return hasRef ? { type, ref, bytes } : null;
    case 'gone':
    case 'cut':
      return hasRef ? { type, ref } : null;
    case 'answer':
      if (!from || (kind !== 'tcp' && kind !== 'ws' && kind !== 'udp')) return null;
      return { type, kind, ...from, bytes };
    case 'moved':
    case 'removed':
      return isStrings(ids) ? { type, ids } : null;
    case 'settings':
      return {
        type,
        ...(typeof head.alwaysRelay === 'boolean' ? { alwaysRelay: head.alwaysRelay } : {}),
        ...(isStrings(head.relays) ? { relays: head.relays } : {}),
      };
    case 'online':
      return hasRef && isStrings(ids) ? { type, ref, ids } : null;
    case 'states':
      return hasRef && Array.isArray(online) ? { type, ref, online: online.map(Boolean) } : null;
    case 'introduced':
      return typeof uuid === 'string' && isStrings(hosts) ? { type, uuid, hosts } : null;
    case 'enrolment':
      return typeof text === 'string' ? { type, text } : null;
    default:
      return null;
  }
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}
