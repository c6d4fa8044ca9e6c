import { describe, expect, test } from 'vitest';
import { formatId, MAX_TARGET_LENGTH, parseTarget } from './format-id.ts';

describe('formatId', () => {
  test.each([
    ['123456789', '123 456 789'],
    ['1334455667', '1 334 455 667'],
    ['88123004', '88 123 004'],
    ['123', '123'],
    ['1234', '1 234'],
    ['my-office', 'my-office'],
    ['12345a', '12345a'],
    ['', ''],
  ])('%s → %s', (id, shown) => {
    expect(formatId(id)).toBe(shown);
  });
});

describe('parseTarget', () => {
  test.each([
    [' 123 456 789 ', '123456789'],
    ['123-456-789', '123456789'],
    ['123\u00a0456\u2009789', '123456789'],
    ['my-office', 'my-office'],
    ['192.168.1.20', '192.168.1.20'],
    ['[fe80::1]:21118', '[fe80::1]:21118'],
    ['', null],
    ['   ', null],
    ['two words', null],
    ['x'.repeat(MAX_TARGET_LENGTH + 1), null],
  ])('%j → %j', (typed, target) => {
    expect(parseTarget(typed)).toBe(target);
  });

  test('takes back what formatId shows', () => {
    expect(parseTarget(formatId('1334455667'))).toBe('1334455667');
  });
});
