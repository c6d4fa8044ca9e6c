import { describe, expect, test } from 'vitest';
import { translator } from '../i18n/translate.ts';
import { checkRule, EMPTY_RULE, isWide, parsePorts, type RuleForm, ruleSentence } from './rule-form.ts';

const ruleOf = (change: Partial<RuleForm>) => {
  const checked = checkRule({ ...EMPTY_RULE, ...change }, 'r1');
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  return checked.rule;
};

describe('the form of a rule', () => {
  test.each([
    ['', [1, 65_535]],
    ['22', [22, 22]],
    [' 8000 - 8100 ', [8000, 8100]],
    ['8000–8100', [8000, 8100]],
    ['0', null],
    ['9-8', null],
    ['1-2-3', null],
    ['ssh', null],
  ])('reads the ports %j', (typed, ports) => expect(parsePorts(typed)).toEqual(ports));

  test('makes the rule that was typed', () => {
    expect(ruleOf({ peer: '123 456 789', host: ' 192.168.1.0/24 ', ports: '22' })).toEqual({
      id: 'r1',
      peer: '123456789',
      kind: 'tcp',
      host: '192.168.1.0/24',
      firstPort: 22,
      lastPort: 22,
    });
  });

  test('says which fields are wrong', () => {
    expect(checkRule({ peer: 'a b', kind: 'tcp', host: '', ports: 'x' }, 'r1')).toEqual({
      ok: false,
      problems: { peer: 'tunnels.invalid.peer', ports: 'rules.invalid.ports', host: 'rules.invalid.host' },
    });
  });

  test('marks what is wide open', () => {
    expect(isWide(ruleOf({ host: '*' }))).toBe(true);
    expect(isWide(ruleOf({ host: '*', ports: '22' }))).toBe(false);
  });
});

test('a rule is said in a sentence', () => {
  const say = (language: 'en' | 'de' | 'zh-CN', change: Partial<RuleForm>) =>
    ruleSentence(ruleOf(change), translator(language), (id) => `Anna (${id})`);
  expect(say('en', { peer: '7', host: 'nas', ports: '22' })).toBe('Anna (7) may reach port 22 (TCP) of nas.');
  expect(say('en', { host: '*', kind: 'any' })).toBe(
    'Everybody who can sign in here may reach every port (TCP and UDP) of every other computer.',
  );
  expect(say('de', { peer: '7', host: 'localhost', ports: '1-80', kind: 'udp' })).toBe(
    'Anna (7) darf die Ports 1 bis 80 (nur UDP) von diesem Computer selbst erreichen.',
  );
  expect(say('zh-CN', { peer: '7', host: 'nas', ports: '22' })).toBe('Anna (7) 可以访问nas 的端口 22（仅 TCP）。');
});
