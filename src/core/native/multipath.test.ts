import { describe, expect, test } from 'vitest';
import { seededRandom } from '../testing/seeds.ts';
import { CHANNEL } from './contract.ts';
import { CLOSED_MS, DARK_MS } from './multipath-limits.ts';
import { Rig } from './multipath-rig.ts';

const { session, streams, paths } = CHANNEL;
const random = seededRandom(1);
const bytes = (size: number, fill = 1): Uint8Array => new Uint8Array(size).fill(fill);

/** A picture every 33 ms from the host to the controller, for `ms`; the longest pause between two of them. */
function picture(rig: Rig, ms: number, size = 4_000): number {
  const before = rig.a.receivedAt.length;
  for (let t = 0; t < ms; t += 33) {
    rig.b.send(session, bytes(size, t));
    rig.clock.advance(33);
  }
  const times = rig.a.receivedAt.slice(Math.max(0, before - 1));
  return Math.max(...times.slice(1).map((at, i) => at - (times[i] as number)));
}

describe('moving', () => {
  test('to a better path once it has answered, without a pause', () => {
    const rig = new Rig(random, { delayMs: 40 });
    picture(rig, 500);
    rig.add({ delayMs: 20 }, 'udp');
    expect(picture(rig, 3_000)).toBeLessThan(100);
    expect(rig.a.changes).toMatchObject([{ from: 'relay', to: 'udp', reason: 'a better path' }]);
    expect(rig.b.changes).toMatchObject([{ from: 'relay', to: 'udp', reason: 'the controller moved' }]);
    expect(rig.b.link.paths.find((path) => path.active)).toMatchObject({ kind: 'udp', rttMs: 40 });
    // The relay stays as the way back.
    expect(rig.a.link.paths.map(({ kind, active }) => [kind, active])).toEqual([['relay', false], ['udp', true]]);
    rig.check(true);
  });

  test('away from a path that falls silent: within 300 ms, both directions, and back when it answers', () => {
    const rig = new Rig(random, { delayMs: 30 });
    const direct = rig.add({ delayMs: 20 }, 'udp');
    picture(rig, 3_000);
    for (const cut of ['both', 'to-a', 'to-b'] as const) {
      direct.silence(cut);
      expect(picture(rig, 2_000), cut).toBeLessThan(300);
      expect(rig.b.link.paths.find((path) => path.active)?.kind, cut).toBe('relay');
      expect(rig.b.changes.at(-1)?.pauseMs, cut).toBeLessThan(300);
      direct.restore();
      picture(rig, 20_000);
      expect(rig.b.link.paths.find((path) => path.active)?.kind, cut).toBe('udp');
    }
    rig.clock.advance(1_000);
    rig.check(true);
  });

  test('at once away from a path that breaks, and on along the way back', () => {
    const rig = new Rig(random, { delayMs: 30 });
    const direct = rig.add({ delayMs: 20 }, 'lan');
    picture(rig, 3_000);
    direct.break(0, 50);
    expect(picture(rig, 1_000)).toBeLessThan(200);
    expect(rig.a.changes.at(-1)).toMatchObject({ from: 'lan', to: 'relay', reason: 'broken' });
    rig.clock.advance(1_000);
    rig.check(true);
  });

  test('past a second path that is as silent: the one that answers is taken', () => {
    const rig = new Rig(random, { delayMs: 30 });
    const direct = [rig.add({ delayMs: 20 }, 'udp'), rig.add({ delayMs: 20 }, 'tcp')];
    picture(rig, 3_000);
    for (const path of direct) path.silence();
    expect(picture(rig, 2_000)).toBeLessThan(300);
    expect(rig.b.link.paths.find((path) => path.active)?.kind).toBe('relay');
    rig.clock.advance(1_000);
    rig.check(true);
  });

  test('a busy slow path is no reason to leave it', () => {
    const rig = new Rig(random, { delayMs: 20, rate: 125 }, 'udp');
    rig.add({ delayMs: 60 }, 'relay');
    rig.clock.advance(500);
    for (let i = 0; i < 60; i++) {
      while (rig.b.link.channel(streams).bufferedBytes < 100_000) rig.b.send(streams, bytes(30_000));
      while (rig.a.link.channel(streams).bufferedBytes < 100_000) rig.a.send(streams, bytes(30_000));
      rig.clock.advance(500);
    }
    expect([...rig.a.changes, ...rig.b.changes]).toEqual([]);
  });

  test('one asked for is used as long as it lives', () => {
    const rig = new Rig(random, { delayMs: 40 });
    rig.add({ delayMs: 10 }, 'lan');
    picture(rig, 1_000);
    const relay = rig.a.link.paths.find((path) => path.kind === 'relay');
    rig.a.link.preferPath(relay?.id ?? null);
    picture(rig, 5_000);
    expect(rig.b.link.paths.find((path) => path.active)?.kind).toBe('relay');
    rig.paths[0]?.break();
    picture(rig, 1_000);
    expect(rig.b.link.paths.find((path) => path.active)?.kind).toBe('lan');
    rig.clock.advance(1_000);
    rig.check(true);
  });
});

describe('without a path', () => {
  test('the session searches, waits, and goes on over a new one', () => {
    const rig = new Rig(random, { delayMs: 20 });
    const states: string[] = [];
    rig.a.link.onStateChange((state) => states.push(state));
    picture(rig, 300);
    rig.paths[0]?.silence();
    picture(rig, 1_000);
    expect(rig.b.link.state).toBe('searching');
    rig.clock.advance(20_000);
    rig.a.send(session, bytes(10));
    rig.add({ delayMs: 20 }, 'udp');
    rig.clock.advance(200);
    expect(rig.b.link.state).toBe('live');
    expect(rig.a.link.state).toBe('live');
    expect(states).toEqual(['searching', 'live']);
    // Dark for 21 s: what was queued for the old path has gone by the new one.
    rig.clock.advance(1_000);
    rig.check(true);
  });

  test('and ends at both ends when none comes', () => {
    const rig = new Rig(random, { delayMs: 20 });
    rig.paths[0]?.break();
    rig.clock.advance(119_000);
    expect([rig.a.close, rig.b.close]).toEqual([null, null]);
    rig.clock.advance(2_000);
    for (const end of [rig.a, rig.b]) expect(end.close).toMatchObject({ by: 'error', error: { code: 'SESSION_PATHS_LOST' } });
    expect(rig.clock.pending).toBe(0);
  });
});

describe('channels', () => {
  test('a reader that rests stops its sender, and nobody else', () => {
    const rig = new Rig(random, { delayMs: 5 });
    rig.b.link.channel(streams).pause();
    let accepted = 0;
    while (rig.a.send(streams, bytes(60_000))) accepted++;
    for (let i = 0; i < 400; i++) {
      rig.clock.advance(10);
      if (rig.a.link.channel(streams).bufferedBytes < 1_000_000) rig.a.send(streams, bytes(60_000));
    }
    // A window of 8 MiB and a queue of 1 MiB, not more.
    const sent = rig.a.of(rig.a.sent, streams).length * 60_000;
    expect(sent).toBeGreaterThan(8_000_000);
    expect(sent).toBeLessThan(11_000_000);
    expect(picture(rig, 1_000)).toBeLessThan(60);
    rig.a.send(paths, bytes(10));
    rig.clock.advance(100);
    expect(rig.b.of(rig.b.received, paths)).toHaveLength(1);
    rig.b.link.channel(streams).resume();
    rig.clock.advance(2_000);
    rig.check(true);
    expect(accepted).toBeGreaterThan(0);
  });

  test('the session goes before bulk: on 1 Mbit/s a key press waits less than 200 ms', () => {
    const rig = new Rig(random, { delayMs: 20, rate: 125 });
    for (let i = 0; i < 30; i++) rig.a.send(streams, bytes(64_000));
    rig.clock.advance(3_000);
    for (let i = 0; i < 10; i++) {
      const at = rig.clock.now();
      rig.a.send(session, bytes(30));
      rig.clock.advance(200);
      expect((rig.b.receivedAt.at(-1) ?? Infinity) - at).toBeLessThan(200);
    }
    rig.clock.advance(30_000);
    rig.check(true);
  });

  test('a frame far larger than the window arrives, one larger than allowed ends the session', () => {
    const rig = new Rig(random, { delayMs: 1 });
    rig.a.send(session, bytes(20_000_000));
    rig.clock.advance(20_000);
    rig.check(true);
    rig.b.link.setMaxPayload(100_000);
    rig.a.send(session, bytes(100_001));
    rig.clock.advance(1_000);
    for (const end of [rig.a, rig.b]) expect(end.close?.by).toBe('error');
  });
});

test('a session at rest sets a handful of timers a minute', () => {
  const rig = new Rig(random, { delayMs: 20 });
  rig.add({ delayMs: 20 }, 'relay');
  rig.clock.advance(10_000);
  let timers = 0;
  const setTimer = rig.clock.setTimer.bind(rig.clock);
  rig.clock.setTimer = (delayMs, fn) => {
    timers++;
    return setTimer(delayMs, fn);
  };
  const frames = (): number => rig.paths.reduce((sum, path) => sum + path.a.stats.framesOut, 0);
  const before = frames();
  rig.clock.advance(60_000);
  expect(frames() - before).toBeLessThan(30);
  // Both ends, and two for each frame of the simulated paths.
  expect(timers).toBeLessThan(250);
});

test('an answer takes the acknowledgement of what it answers with it; without one it leaves by itself', () => {
  const rig = new Rig(random, { delayMs: 5 });
  rig.clock.advance(1_000);
  const path = rig.paths[0]?.b;
  let answers = true;
  const channel = rig.b.link.channel(session);
  channel.setHandlers({ onFrame: () => void (answers && channel.send(bytes(10))), onClose: () => {} });
  const leave = (): number => {
    const before = path?.stats.framesOut ?? 0;
    rig.a.send(session, bytes(10));
    rig.clock.advance(14);
    expect(rig.a.link.unacknowledgedBytes).toBe(answers ? 0 : 18);
    rig.clock.advance(6);
    expect(rig.a.link.unacknowledgedBytes).toBe(0);
    return (path?.stats.framesOut ?? 0) - before;
  };
  expect(leave()).toBe(1);
  answers = false;
  expect(leave()).toBe(1);
});

describe('a controller that is gone for good', () => {
  test('that closed every path is not waited for as long as one that only fell silent', () => {
    const rig = new Rig(random, { delayMs: 20 });
    picture(rig, 1_000);
    rig.paths[0]?.a.close();
    rig.clock.advance(CLOSED_MS - 1_000);
    expect([rig.b.link.state, rig.a.link.state]).toEqual(['searching', 'searching']);
    rig.clock.advance(2_000);
    // The controller itself goes on looking.
    expect([rig.b.link.state, rig.a.link.state]).toEqual(['closed', 'searching']);
  });

  test('that closed the direct path and is silent at the relay is gone as well; one that goes on there is not', () => {
    for (const alive of [false, true]) {
      const rig = new Rig(random, { delayMs: 20 });
      const direct = rig.add({ delayMs: 10 }, 'udp');
      picture(rig, 2_000);
      direct.a.close();
      if (!alive) rig.paths[0]?.silence('both');
      picture(rig, 5_000);
      rig.paths[0]?.silence('both');
      rig.clock.advance(CLOSED_MS + 2_000);
      expect(rig.b.link.state).toBe(alive ? 'searching' : 'closed');
    }
  });

  test('one that fell silent may be under way', () => {
    const rig = new Rig(random, { delayMs: 20 });
    picture(rig, 1_000);
    rig.paths[0]?.silence('both');
    rig.clock.advance(DARK_MS - 2_000);
    expect(rig.b.link.state).toBe('searching');
    rig.clock.advance(4_000);
    expect(rig.b.link.state).toBe('closed');
  });

  test('a path that is found in time ends the wait', () => {
    const rig = new Rig(random, { delayMs: 20 });
    picture(rig, 1_000);
    rig.paths[0]?.a.close();
    rig.clock.advance(CLOSED_MS - 1_000);
    rig.add({ delayMs: 20 }, 'udp');
    rig.clock.advance(CLOSED_MS);
    expect(rig.b.link.state).toBe('live');
    rig.paths[1]?.silence('both');
    rig.clock.advance(DARK_MS - 2_000);
    expect(rig.b.link.state).toBe('searching');
  });
});
