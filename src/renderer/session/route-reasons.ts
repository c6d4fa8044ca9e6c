/** Why a way was or was not taken, in the words of the language: the reasons themselves are English (core/nat/plan.ts). */
import type { PlainKey, Translate } from '../i18n/translate.ts';

const REASONS: ReadonlyMap<string, PlainKey> = new Map<string, PlainKey>([
  ['another path was first', 'reason.first'],
  ['the other side did not take part', 'reason.other'],
  ['one network lets no datagrams through', 'reason.blocked'],
  ['one network lets no connections to other computers out', 'reason.tcpBlocked'],
  ['both NATs give each destination another port, one of them at random: neither side can know where to send', 'reason.random'],
  ['one NAT picks a port at random for each connection', 'reason.tcpRandom'],
  ['both NATs change the port of each connection', 'reason.tcpChanging'],
  ['one side has no IPv6 address', 'reason.noIpv6'],
  ['the common NAT does not turn packets to its own outside back in', 'reason.hairpin'],
  ['a better path', 'reason.better'],
  ['broken', 'reason.broken'],
  ['the path was silent', 'reason.silent'],
]);

/** One or several reasons (`; ` between them), without the way that they begin with; those without words stay English. */
export function reasonText(reason: string, t: Translate): string {
  const plain = reason.replace(/^[a-z0-9]+-[a-z]+: /, '');
  if (REASONS.has(plain)) return wordsOf(plain, t);
  return [...new Set(plain.split('; '))].map((part) => wordsOf(part, t)).join('; ');
}

function wordsOf(reason: string, t: Translate): string {
  const key = REASONS.get(reason);
  if (key !== undefined) return t(key);
  const silence = /^no pair of addresses worked within ([\d.]+) s$/.exec(reason);
  return silence ? t('reason.silence', { seconds: silence[1] ?? '' }) : reason;
}
