import { expect, test } from 'vitest';
import { forEachSeed } from '../testing/seeds.ts';
import { ByteQueue } from './byte-queue.ts';
import { KCP_MAX_WINDOW, SEGMENT_OVERHEAD } from './constants.ts';
import { Flight, NONE } from './flight.ts';

interface Segment {
  readonly sn: number;
  readonly byte: number;
  sentAt: number;
  transmits: number;
  lost: boolean;
}

test('against a plain list of segments: what is oldest, lost, unacknowledged and on the way; 60 seeds', () =>
  forEachSeed(60, (random) => {
    const flight = new Flight();
    const backlog = new ByteQueue();
    let model: Segment[] = [];
    let sent: Segment[] = [];
    let lost: Segment[] = [];
    let next = 0;
    const most = random.pick([3, 100, 1000]);
    for (let now = 1; now < 1500; now++) {
      const move = random.below(10);
      if (move < 5 && model.length < most && next - (model[0]?.sn ?? next) < KCP_MAX_WINDOW) {
        const segment = { sn: next++, byte: random.below(256), sentAt: now, transmits: 1, lost: false };
        backlog.push(Uint8Array.of(segment.byte));
        flight.sent(flight.cut(backlog, 1), now, now);
        model.push(segment);
        sent.push(segment);
      } else if (move < 7 && model.length > 0) {
        const gone = random.pick(model);
        flight.acknowledge(flight.find(gone.sn));
        const others = (list: Segment[]): Segment[] => list.filter((segment) => segment !== gone);
        [model, sent, lost] = [others(model), others(sent), others(lost)];
      } else if (move === 7 && sent.length > 0) {
        const missing = random.pick(sent);
        flight.lose(flight.find(missing.sn));
        missing.lost = true;
        sent = sent.filter((segment) => segment !== missing);
        lost.push(missing);
      } else if (move === 8 && lost.length > 0) {
        const again = lost.shift() as Segment;
        expect(flight.sn(flight.firstLost)).toBe(again.sn);
        flight.sent(flight.firstLost, now, now);
        Object.assign(again, { sentAt: now, transmits: again.transmits + 1, lost: false });
        sent.push(again);
      }
      const [oldest, newest] = [flight.oldestSent, flight.newestSent];
      expect([
        ...[flight.una, flight.next, flight.count, flight.hasLost, flight.pipeBytes, flight.find(next)],
        ...[oldest === NONE ? undefined : flight.sn(oldest), newest === NONE ? undefined : flight.sn(newest)],
      ]).toEqual([
        ...[
          model[0]?.sn ?? next,
          next,
          model.length,
          lost.length > 0,
          sent.length * (1 + SEGMENT_OVERHEAD),
          NONE,
        ],
        ...[sent[0]?.sn, sent.at(-1)?.sn],
      ]);
    }
    const out = new Uint8Array(1);
    for (const { sn, byte, sentAt, transmits, lost: isLost } of model) {
      const slot = flight.find(sn);
      flight.copyTo(slot, out, 0);
      expect([out[0], flight.sentAt(slot), flight.transmits(slot), flight.isLost(slot)]).toEqual([
        byte,
        sentAt,
        transmits,
        isLost,
      ]);
    }
    const order: number[] = [];
    for (let slot = flight.oldestSent; slot !== NONE; slot = flight.sentAfter(slot))
      order.push(flight.sn(slot));
    expect(order).toEqual(sent.map((segment) => segment.sn));
  }));

test('more in flight than the largest window is refused', () => {
  const flight = new Flight();
  const backlog = new ByteQueue();
  backlog.push(new Uint8Array(KCP_MAX_WINDOW + 1));
  for (let i = 0; i < KCP_MAX_WINDOW; i++) flight.sent(flight.cut(backlog, 1), i, i);
  expect(() => flight.cut(backlog, 1)).toThrow('more segments in flight');
});
