import type { Link } from '../link.ts';
import { CHANNEL, type MultipathChannels } from '../native/contract.ts';

/** The channel for virtual streams beside a session; null on a link that has no channels. */
export function streamsLink(link: Link): Link | null {
  return 'channel' in link ? (link as MultipathChannels).channel(CHANNEL.streams) : null;
}
