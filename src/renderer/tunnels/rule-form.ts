import { type AccessRule, ruleSchema } from '../../shared/tunnels.ts';
import { parseTarget } from '../home/format-id.ts';
import { parsePort } from '../home/settings-form.ts';
import type { PlainKey, Translate } from '../i18n/translate.ts';

export interface RuleForm {
  peer: string;
  kind: AccessRule['kind'];
  host: string;
  /** One port, a range, or empty for all. */
  ports: string;
}
export type RuleProblems = Partial<Record<keyof RuleForm, PlainKey>>;

export const EMPTY_RULE: RuleForm = { peer: '', kind: 'tcp', host: '', ports: '' };
const LAST_PORT = 65_535;

/** First and last port; null for what is none. */
export function parsePorts(typed: string): [number, number] | null {
  const text = typed.trim();
  if (text === '') return [1, LAST_PORT];
  const [first = '', last = first, ...rest] = text.split(/[-–]/);
  const range = [parsePort(first), parsePort(last)];
  const [low, high] = range;
  if (rest.length > 0 || low == null || high == null || low > high) return null;
  return [low, high];
}

export function checkRule(form: RuleForm, id: string): { ok: true; rule: AccessRule } | { ok: false; problems: RuleProblems } {
  const ports = parsePorts(form.ports);
  const [firstPort, lastPort] = ports ?? [1, LAST_PORT];
  const typedPeer = form.peer.trim();
  const peer = typedPeer === '' ? '' : parseTarget(typedPeer);
  const problems: RuleProblems = {};
  if (peer === null) problems.peer = 'tunnels.invalid.peer';
  if (ports === null) problems.ports = 'rules.invalid.ports';
  const parsed = ruleSchema.safeParse({ id, peer: peer ?? '', kind: form.kind, host: form.host.trim(), firstPort, lastPort });
  if (!parsed.success) problems.host = 'rules.invalid.host';
  return parsed.success && Object.keys(problems).length === 0 ? { ok: true, rule: parsed.data } : { ok: false, problems };
}

/** A rule as a sentence. `nameOfPeer` says how a computer is called here. */
export function ruleSentence(rule: AccessRule, t: Translate, nameOfPeer: (id: string) => string): string {
  const kind = t(`rules.kind.${rule.kind}`);
  const { firstPort: first, lastPort: last } = rule;
  const ports =
    first === 1 && last === LAST_PORT
      ? t('rules.allPorts', { kind })
      : first === last
        ? t('rules.port', { port: first, kind })
        : t('rules.ports', { first, last, kind });
  const host = rule.host === '*' ? t('rules.hostAll') : isSelf(rule.host) ? t('rules.hostSelf') : rule.host;
  const place = t('rules.place', { ports, host });
  return rule.peer === '' ? t('rules.everybody', { place }) : t('rules.peer', { peer: nameOfPeer(rule.peer), place });
}

/** A rule that leaves little to be allowed: worth a mark. */
export function isWide(rule: AccessRule): boolean {
  return rule.host === '*' && rule.firstPort === 1 && rule.lastPort === LAST_PORT;
}

function isSelf(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
