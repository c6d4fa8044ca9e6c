import type { ConnectionPath } from '../../shared/ipc.ts';
import type { SessionRoute } from '../../shared/route.ts';
import type { Translate } from '../i18n/translate.ts';
import { reasonText } from './route-reasons.ts';

/** What the picture shows: two lanes, of which one carries the session. */
export interface RouteView {
  taken: 'relay' | 'direct';
  /** Both computers are in one network: no router on the way. */
  sameNetwork: boolean;
  /** The direct way, taken or in reserve; null where there is none. */
  direct: { kind: ConnectionPath; rttMs: number | null } | null;
  /** The relayed way, taken or in reserve; null where there is none. */
  relay: { rttMs: number | null } | null;
  /** No direct way stands, and it is not known that there is none. */
  searching: boolean;
}

/** @param rttMs of the way that is taken, as the session measures it. */
export function routeView(route: SessionRoute, rttMs: number | null = null): RouteView {
  const taken = route.path === 'relay' ? 'relay' : 'direct';
  const best = [...route.paths].sort((a, b) => Number(b.active) - Number(a.active));
  const direct = best.find(({ kind }) => kind !== 'relay') ?? null;
  const relay = best.find(({ kind }) => kind === 'relay') ?? null;
  const timeOf = (path: SessionRoute['paths'][number]) => (path.active ? (rttMs ?? path.rttMs) : path.rttMs);
  return {
    taken,
    sameNetwork: direct?.kind === 'lan' && taken === 'direct',
    direct: direct && { kind: direct.kind, rttMs: timeOf(direct) },
    relay: relay && { rttMs: timeOf(relay) },
    searching: taken === 'relay' && direct === null && !failures(route).length,
  };
}

/** Why the session takes the way that it takes, as a sentence. */
export function whyWords(route: SessionRoute, t: Translate): string {
  switch (route.path) {
    case 'lan':
      return t('route.why.lan');
    case 'ipv6':
      return t('route.why.ipv6');
    case 'mapped':
      return t('route.why.mapped');
    case 'direct':
      return t('route.why.address');
    case 'tcp':
    case 'udp':
      return t('route.why.direct');
    case 'relay': {
      const failed = failures(route);
      if (failed.length === 0) return t('route.why.searching');
      const reason = reasonText(failed.at(-1)?.reason ?? '', t);
      return reason === '' ? t('route.why.relayPlain') : t('route.why.relay', { reason });
    }
  }
}

/** Direct ways that did not work, the one that says most last. */
function failures({ attempts }: SessionRoute): SessionRoute['attempts'] {
  const direct = attempts.filter(({ path, outcome }) => path !== 'relay' && outcome === 'failed');
  return direct.sort((a, b) => weight(a.path) - weight(b.path));
}

/** UDP goes where anything goes: what kept it back explains most. */
function weight(path: ConnectionPath): number {
  return path === 'udp' ? 2 : path === 'tcp' ? 1 : 0;
}

/** Attempts as they are listed: the latest of each way with the same end, the newest first. */
export function attemptsOf({ attempts }: SessionRoute, limit: number): SessionRoute['attempts'] {
  const latest = new Map<string, SessionRoute['attempts'][number]>();
  for (const attempt of attempts) {
    const key = `${attempt.path} ${attempt.outcome} ${attempt.reason}`;
    latest.delete(key);
    latest.set(key, attempt);
  }
  return [...latest.values()].reverse().slice(0, limit);
}
