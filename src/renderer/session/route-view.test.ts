import { describe, expect, test } from 'vitest';
import { TCP_CLASSES, UDP_CLASSES, UNKNOWN_NETWORK } from '../../core/nat/network.ts';
import { planWays, whyNotDirect } from '../../core/nat/plan.ts';
import type { ConnectionPath } from '../../shared/ipc.ts';
import type { SessionRoute } from '../../shared/route.ts';
import { translator } from '../i18n/translate.ts';
import { reasonText } from './route-reasons.ts';
import { attemptsOf, routeView, whyWords } from './route-view.ts';

const path = (kind: ConnectionPath, active: boolean, rttMs: number | null = 20) => ({ id: 1, kind, active, rttMs, localAddress: '', remoteAddress: '' });
const route = (change: Partial<SessionRoute>): SessionRoute => ({ path: 'relay', encrypted: true, paths: [], attempts: [], changes: [], ...change });
const failed = (kind: ConnectionPath, reason: string) => ({ path: kind, outcome: 'failed' as const, ms: 5_000, reason });
const en = translator('en');

describe('the picture', () => {
  test('has the direct way, with the relay in reserve', () => {
    expect(routeView(route({ path: 'udp', paths: [path('relay', false, 50), path('udp', true)] }))).toEqual({
      taken: 'direct',
      sameNetwork: false,
      direct: { kind: 'udp', rttMs: 20 },
      relay: { rttMs: 50 },
      searching: false,
    });
  });

  test('shows that a way is looked for until one failed', () => {
    const paths = [path('relay', true)];
    expect(routeView(route({ paths })).searching).toBe(true);
    expect(routeView(route({ paths, attempts: [failed('udp', 'x')] })).searching).toBe(false);
  });

  test('has no routers within one network', () => {
    expect(routeView(route({ path: 'lan', paths: [path('lan', true)] })).sameNetwork).toBe(true);
  });
});

describe('the reason', () => {
  test('for the relay is that of UDP, in plain words', () => {
    const attempts = [failed('udp', 'udp-birthday: one network lets no datagrams through'), failed('tcp', 'x'), failed('lan', 'y')];
    expect(whyWords(route({ attempts }), en)).toBe(
      'The session goes over the relay, because no direct way was found: one network lets no UDP through.',
    );
  });

  test.each(['de', 'zh-CN'] as const)('has words in %s for all that makes a direct way impossible', (language) => {
    const t = translator(language);
    for (const udp of UDP_CLASSES)
      for (const other of UDP_CLASSES)
        for (const tcp of TCP_CLASSES)
          for (const otherTcp of TCP_CLASSES) {
            const mine = { ...UNKNOWN_NETWORK, udp, tcp };
            const theirs = { ...UNKNOWN_NETWORK, udp: other, tcp: otherTcp };
            const vicinity = { samePublicAddress: false };
            const why = whyNotDirect(mine, theirs, vicinity);
            const reasons = planWays(mine, theirs, vicinity).filter(({ chance }) => chance === 'hopeless');
            for (const reason of [...reasons.map((way) => way.reason), ...(why ? [why] : [])])
              expect(reasonText(reason, t), reason).not.toMatch(/\b(one|both|the|network)\b/);
          }
  });

  test('keeps words that it does not know', () => {
    expect(reasonText('no pair of addresses worked within 8 s; something new', en)).toBe('no answer came through within 8 s; something new');
  });
});

test('attempts are listed once, the newest first', () => {
  const attempts = [failed('udp', 'a'), failed('tcp', 'b'), { ...failed('udp', 'a'), ms: 7 }];
  expect(attemptsOf(route({ attempts }), 5)).toEqual([attempts[2], attempts[1]]);
  expect(attemptsOf(route({ attempts }), 1)).toHaveLength(1);
});
