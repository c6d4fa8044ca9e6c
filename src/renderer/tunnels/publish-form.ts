/** What is typed about a published service beside where it is: who may come, how much, and who answers. */
import type { PublishTunnel } from '../../shared/tunnels.ts';

export interface PublishForm {
  /** `host:port`, separated by commas or blanks. */
  more: string;
  /** Addresses and networks, likewise. */
  allow: string;
  health: 'none' | 'tcp' | 'page';
  healthPath: string;
  maxConnections: string;
  bandwidthMbps: string;
}

export const NO_LIMITS: PublishForm = { more: '', allow: '', health: 'none', healthPath: '/', maxConnections: '', bandwidthMbps: '' };

type Limits = Pick<PublishTunnel, 'more' | 'allow' | 'health' | 'maxConnections' | 'bandwidthMbps'>;

const numberText = (value: number): string => (value === 0 ? '' : String(value));

export function formOfLimits({ more, allow, health, maxConnections, bandwidthMbps }: Limits): PublishForm {
  return {
    more: more.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(', '),
    allow: allow.join(', '),
    health: health === '' ? 'none' : health === 'tcp' ? 'tcp' : 'page',
    healthPath: health.startsWith('/') ? health : '/',
    maxConnections: numberText(maxConnections),
    bandwidthMbps: numberText(bandwidthMbps),
  };
}

/** For the schema, which refuses what cannot be. Only web services have pages to look at. */
export function draftOfLimits(form: PublishForm, protocol: PublishTunnel['protocol']): object {
  const page = protocol === 'http' ? form.healthPath.trim() : 'tcp';
  const health = { none: '', tcp: 'tcp', page }[form.health];
  return {
    more: words(form.more).map(endpointOf),
    allow: words(form.allow),
    health: protocol === 'udp' ? '' : health,
    maxConnections: numberOf(form.maxConnections),
    bandwidthMbps: numberOf(form.bandwidthMbps),
  };
}

/** The setting has something that is not the usual. */
export function hasLimits(form: PublishForm): boolean {
  return (Object.keys(NO_LIMITS) as (keyof PublishForm)[]).some((field) => form[field] !== NO_LIMITS[field]);
}

function words(typed: string): string[] {
  return typed.split(/[\s,;]+/).filter((word) => word !== '');
}

function endpointOf(word: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(word) ?? [];
  return { host: bracketed ?? plain ?? '', port: Number(port) };
}

/** Empty is none; what is no number is refused by the schema. */
function numberOf(typed: string): number {
  const plain = typed.trim().replace(',', '.');
  return /^\d+(\.\d+)?$/.test(plain) ? Number(plain) : plain === '' ? 0 : Number.NaN;
}
