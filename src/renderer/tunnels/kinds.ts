import type { TunnelKind } from '../../shared/tunnels.ts';
import type { IconName } from '../ui/icons.tsx';

/** In the order in which they are offered. */
export const TUNNEL_KINDS: readonly { readonly kind: TunnelKind; readonly icon: IconName }[] = [
  { kind: 'tcp', icon: 'server' },
  { kind: 'rdp', icon: 'desktopWindow' },
  { kind: 'vnc', icon: 'screen' },
  { kind: 'proxy', icon: 'globe' },
  { kind: 'udp', icon: 'gamepad' },
  { kind: 'publish', icon: 'publish' },
];

export function iconOf(kind: TunnelKind): IconName {
  return TUNNEL_KINDS.find((each) => each.kind === kind)?.icon ?? 'server';
}
