import type { Language } from '../../shared/ipc.ts';
import type { Tunnel } from '../../shared/tunnels.ts';
import type { TunnelStatus } from '../../shared/tunnels-state.ts';
import type { Translate } from '../i18n/translate.ts';
import { bitrate } from '../session/units.ts';

/** How a tunnel is called: by its name, else by where it leads. */
export function titleOf(tunnel: Tunnel, t: Translate): string {
  if (tunnel.name !== '') return tunnel.name;
  if (tunnel.kind === 'proxy') return t('tunnels.kind.proxy');
  const target = endpoint(tunnel.host, tunnel.port);
  return tunnel.kind === 'rdp' || tunnel.kind === 'vnc' ? `${t(`tunnels.kind.${tunnel.kind}`)} · ${target}` : target;
}

/** Where programs connect: as it is while the tunnel is up, else as it will be. */
export function listenWords(tunnel: Tunnel, status: TunnelStatus, t: Translate): string {
  if (status.address !== '') return status.address;
  if (tunnel.kind === 'publish') return tunnel.publicHost === '' ? t('tunnels.published') : tunnel.publicHost;
  return tunnel.listenPort === 0 ? t('tunnels.anyPort') : `${tunnel.listenOn === 'network' ? '*' : 'localhost'}:${tunnel.listenPort}`;
}

/** Where connections end; null for a proxy, whose connections end everywhere. */
export function targetWords(tunnel: Tunnel): string | null {
  return tunnel.kind === 'proxy' ? null : endpoint(tunnel.host, tunnel.port);
}

/** Who may use a published service, how much, and who answers, in plain words; empty: everybody, without limits. */
export function limitWords(tunnel: Tunnel, t: Translate): string[] {
  if (tunnel.kind !== 'publish') return [];
  const { allow, user, more, health, maxConnections, bandwidthMbps } = tunnel;
  return [
    ...(allow.length > 0 ? [t('tunnels.limit.allow', { networks: allow.join(', ') })] : []),
    ...(user !== '' ? [t('tunnels.limit.password', { user })] : []),
    ...(maxConnections > 0 ? [t('tunnels.limit.connections', { count: maxConnections })] : []),
    ...(bandwidthMbps > 0 ? [t('tunnels.limit.bandwidth', { rate: bandwidthMbps })] : []),
    ...(more.length > 0 ? [t('tunnels.limit.programs', { count: more.length + 1 })] : []),
    ...(health === 'tcp' ? [t('tunnels.limit.health')] : health !== '' ? [t('tunnels.limit.healthPage', { path: health })] : []),
  ];
}

export function streamWords(count: number, t: Translate): string {
  if (count === 0) return t('tunnels.noStreams');
  return count === 1 ? t('tunnels.stream') : t('tunnels.streams', { count });
}

/** The newest rate of a history in bytes per second, in words. */
export function rateWords(language: Language, history: readonly number[]): string {
  return bitrate(language, (history.at(-1) ?? 0) * 8);
}

function endpoint(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
