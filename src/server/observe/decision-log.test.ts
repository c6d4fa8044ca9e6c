import { expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { Counters } from '../counters.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { DecisionLog } from './decision-log.ts';
import { maskId } from './mask.ts';

interface Line {
  level: string;
  event: string;
  fields: Record<string, unknown>;
}

function setUp(wholeIds = false) {
  const clock = new VirtualClock();
  const counters = new Counters();
  const lines: Line[] = [];
  const limits = { ...DEFAULT_LIMITS, maxLogLines: 6, maxLogLinesPerReason: 3, logWindowMs: 1_000 };
  const log = new DecisionLog({
    counters,
    limits,
    clock,
    wholeIds,
    write: (level, event, fields) => void lines.push({ level, event, fields }),
  });
  return { clock, counters, lines, log };
}

test('a decision is one line with its reason, who asked and how', () => {
  const { counters, lines, log } = setUp();
  counters.count('introduced-udp', { id: '123456789', from: '192.0.2.7', via: 'tcp', ms: 12.345, why: 'asked' });
  counters.count('not-a-message', { from: '192.0.2.8' });
  expect(lines).toEqual([
    {
      level: 'info',
      event: 'introduced-udp',
      fields: { kind: 'done', id: '123***789', from: '192.0.2.7', via: 'tcp', why: 'asked', ms: 12.3 },
    },
    { level: 'debug', event: 'not-a-message', fields: { kind: 'ignored', from: '192.0.2.8' } },
  ]);
  log.close();
});

test('ids are whole when asked for, and never longer than a line bears', () => {
  const { counters, lines, log } = setUp(true);
  counters.count('registered', { id: '123456789' });
  counters.count('registered', { id: 'x'.repeat(250) });
  expect(lines.map((line) => String(line.fields.id))).toEqual(['123456789', `${'x'.repeat(64)}…`]);
  log.close();
});

test('a flood of one reason leaves the others readable, and is summed up', () => {
  const { clock, counters, lines, log } = setUp();
  for (let i = 0; i < 100; i++) counters.count('register-too-frequent');
  counters.count('registered');
  expect(lines.map((line) => line.event)).toEqual([...Array<string>(3).fill('register-too-frequent'), 'registered']);
  clock.advance(1_000);
  expect(lines.at(-1)).toEqual({
    level: 'warn',
    event: 'log-suppressed',
    fields: { reasons: { 'register-too-frequent': 97 }, withinMs: 1_000 },
  });
  counters.count('register-too-frequent');
  expect(lines.at(-1)?.event).toBe('register-too-frequent');
  expect(log.suppressed).toBe(97);
  log.close();
  expect(clock.pending).toBe(0);
});

test('all reasons together have a limit too; what is left out is told at the end', () => {
  const { clock, counters, lines, log } = setUp();
  for (const reason of ['registered', 'punch-offline', 'relay-paired', 'answer-unasked'] as const)
    for (let i = 0; i < 3; i++) counters.count(reason);
  expect(lines).toHaveLength(6);
  log.close();
  expect(lines.at(-1)?.fields.reasons).toEqual({ 'relay-paired': 3, 'answer-unasked': 3 });
  counters.count('registered');
  expect(lines).toHaveLength(7);
  expect(clock.pending).toBe(0);
});

test('a masked id cannot be dialled', () => {
  for (const id of ['', 'a', 'abc', '123456', '1234567890', '🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂']) {
    const masked = maskId(id);
    expect(masked).toContain('***');
    if (id.length > 1) expect(masked).not.toContain(id);
  }
  expect(maskId('y'.repeat(10_000)).length).toBeLessThan(20);
});
