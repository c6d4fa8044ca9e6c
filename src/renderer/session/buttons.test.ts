import { expect, test } from 'vitest';
import { ButtonTracker } from './buttons.ts';

const at = { x: 3, y: 4 };
const edge = (button: string, down: boolean) => ({ type: 'mouse', kind: 'button', button, down, ...at });

test('all five buttons, each as an edge', () => {
  const tracker = new ButtonTracker();
  expect(tracker.update(1, at)).toEqual([edge('left', true)]);
  expect(tracker.update(1, at)).toEqual([]);
  // A second button while the first is held comes with a move.
  expect(tracker.update(1 | 2, at)).toEqual([edge('right', true)]);
  expect(tracker.update(2, at)).toEqual([edge('left', false)]);
  expect(tracker.update(4 | 8 | 16, at)).toEqual([
    edge('right', false),
    edge('middle', true),
    edge('back', true),
    edge('forward', true),
  ]);
  expect(tracker.anyHeld).toBe(true);
  expect(tracker.release(at)).toEqual([edge('middle', false), edge('back', false), edge('forward', false)]);
  expect(tracker.anyHeld).toBe(false);
  expect(tracker.release(at)).toEqual([]);
});

test('bits that are no button are left alone', () => {
  expect(new ButtonTracker().update(32, at)).toEqual([]);
});
