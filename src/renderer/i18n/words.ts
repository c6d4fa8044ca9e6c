import type { ConnectionPath, IncomingSession } from '../../shared/ipc.ts';
import { formatId } from '../home/format-id.ts';
import type { PlainKey, Translate } from './translate.ts';

export const PATH_WORDS: Readonly<Record<ConnectionPath, PlainKey>> = {
  lan: 'path.lan',
  tcp: 'path.tcp',
  udp: 'path.udp',
  ipv6: 'path.ipv6',
  mapped: 'path.mapped',
  direct: 'path.direct',
  relay: 'path.relay',
};

/** How to call whoever is at the other end: the name it gives, else its id, else its address. */
export function nameOf(session: IncomingSession, t: Translate): string {
  if (session.peerName !== '') return session.peerName;
  if (session.peerId !== '') return formatId(session.peerId);
  return session.remoteAddress === '' ? t('accept.unknownName') : session.remoteAddress;
}
