/** The one sentence that goes into a bug report: what was tested, from what, and what came out. */
import { SERVER_VERSION } from '../../server/version.ts';
import { type Check, type CheckStatus, round } from './check.ts';
import type { NatWord } from './nat.ts';
import type { UdpTimes } from './ports.ts';

export interface VerdictFacts {
  readonly checks: readonly Check[];
  readonly udp: UdpTimes | null;
  readonly relayMs: number | null;
  readonly nat: NatWord;
  /** The address that was tested. */
  readonly address: string | null;
  readonly key: CheckStatus | null;
}

export interface Verdict {
  readonly ok: boolean;
  readonly summary: string;
}

const KEY_WORDS: Record<CheckStatus, string> = {
  ok: 'key proven',
  warn: 'key not proven',
  fail: 'key wrong',
  skip: 'key not tested',
};

export function verdictOf(server: string, facts: VerdictFacts, where: { platform: string; now: Date }): Verdict {
  const { checks, udp, relayMs, nat, address, key } = facts;
  const of = (status: CheckStatus): Check[] => checks.filter((check) => check.status === status);
  const failed = of('fail');
  const warned = of('warn');
  const named = (list: readonly Check[]): string => list.map((check) => `${check.name} ${check.code ?? ''}`.trim()).join(', ');
  const outcome =
    failed.length > 0
      ? `fails at ${named(failed)}${warned.length > 0 ? ` and warns about ${named(warned)}` : ''}`
      : warned.length > 0
        ? `works, with warnings about ${named(warned)}`
        : 'works';
  const facts2 = [
    `${of('ok').length} of ${checks.length} checks ok`,
    udp ? `UDP round trip ${udp.minMs} ms with ${udp.lost} of ${udp.sent} lost` : 'no UDP',
    relayMs === null ? 'relay not reached' : `relay ${round(relayMs)} ms`,
    nat,
    key === null ? 'key not tested' : KEY_WORDS[key],
  ];
  const at = where.now.toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
  const shown = address !== null && !server.includes(address) ? `${server} (${address})` : server;
  return {
    ok: failed.length === 0,
    summary: `litedesk doctor ${SERVER_VERSION} on ${where.platform} at ${at}: server ${shown} ${outcome}; ${facts2.join(', ')}.`,
  };
}
