/** What lobby clients say, read once into types. */
import { WireError } from '../../core/errors.ts';
import { rawMember } from './raw-member.ts';

export type LobbyPeerType = 'server' | 'client';

export type LobbyMessage =
  | { readonly type: 'register'; readonly peerId: string; readonly peerType: LobbyPeerType }
  | { readonly type: 'list_peers' }
  | { readonly type: 'get_peer_info'; readonly targetId: string }
  /** `data` is the JSON text as it came: parsed and written anew, 1.0 would become 1 and long numbers lose digits. */
  | { readonly type: 'relay_data'; readonly targetId: string; readonly data: string }
  | { readonly type: 'heartbeat' }
  | { readonly type: 'unknown' };

/** @throws WireError for what is no JSON object, or has fields of wrong types */
export function readLobbyMessage(text: string, maxIdBytes: number): LobbyMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new WireError('LOBBY_NOT_JSON', 'a message that is no JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new WireError('LOBBY_NOT_OBJECT', 'a message that is no object');
  const message = value as Record<string, unknown>;
  const id = (name: string): string => {
    const given = Object.hasOwn(message, name) ? message[name] : undefined;
    if (typeof given !== 'string' || given === '' || Buffer.byteLength(given) > maxIdBytes)
      throw new WireError('LOBBY_BAD_FIELD', `a message without a proper ${name}`);
    return given;
  };
  const type = Object.hasOwn(message, 'type') ? message.type : undefined;
  switch (type) {
    case 'register': {
      const peerType = Object.hasOwn(message, 'peer_type') ? message.peer_type : undefined;
      if (peerType !== 'server' && peerType !== 'client')
        throw new WireError('LOBBY_BAD_FIELD', 'a registration without a proper peer_type');
      return { type, peerId: id('peer_id'), peerType };
    }
    case 'get_peer_info':
      return { type, targetId: id('target_id') };
    case 'relay_data':
      return { type, targetId: id('target_id'), data: rawMember(text, 'data') ?? 'null' };
    case 'list_peers':
    case 'heartbeat':
      return { type };
    default:
      if (type !== undefined && typeof type !== 'string') throw new WireError('LOBBY_BAD_FIELD', 'a message whose type is no text');
      return { type: 'unknown' };
  }
}
