/** The endpoint and its stream against the simplest model there is: what was written arrives, once and in order. */
import { expect, test } from 'vitest';
import { forEachSeed, type SeededRandom } from '../testing/seeds.ts';
import type { LineShape } from '../testing/shaped-line.ts';
import { KcpEndpoint } from './endpoint.ts';
import { join, type SimulatedEnd, SimulatedUser } from './fixtures.ts';

/** Virtual time in which every stream here must have arrived, whatever the line did. */
const PATIENCE_MS = 240_000;
/** A connection without a word from its peer ends after 60 s (rendezvous §10.3). */
const IDLE_MS = 60_000;
/** Wake-ups without anything to send, for each that had. */
const MAX_IDLE_SHARE = 3;

function drawShape(random: SeededRandom): LineShape {
  const harsh = random.chance(0.3);
  return {
    delayMs: random.pick([0, 0.2, 5, 20, 60, 150]),
    ...(random.chance(0.3) && {
      rateBps: random.pick([500_000, 2_000_000, 20_000_000]),
      queueBytes: random.pick([6_000, 30_000, 200_000]),
    }),
    loss: harsh ? random.next() * 0.35 : random.next() * 0.05,
    duplicate: random.chance(0.3) ? random.next() * 0.2 : 0,
    reorder: random.chance(0.4) ? random.next() * 0.4 : 0,
    reorderMs: random.pick([2, 30, 120]),
  };
}

/** Damage that a receiver can notice: KCP has no checksum of its own, UDP's is below it. */
function damage(random: SeededRandom, datagram: Uint8Array): Uint8Array {
  const copy = datagram.slice(0, random.chance(0.5) ? random.below(datagram.length + 1) : datagram.length);
  // The length field of the first segment says more than there is.
  if (copy.length >= 38 && copy.length === datagram.length) copy[37] = random.between(1, 255);
  return copy;
}

interface World {
  readonly users: readonly [SimulatedUser, SimulatedUser];
  readonly ends: readonly [SimulatedEnd<KcpEndpoint>, SimulatedEnd<KcpEndpoint>];
  now: number;
}

function createWorld(random: SeededRandom): World {
  const conv = random.below(2 ** 32);
  const ends = join(
    new KcpEndpoint({ role: 'connector', nowMs: 0, conv }),
    new KcpEndpoint({ role: 'acceptor', nowMs: 0 }),
    { there: drawShape(random), back: drawShape(random) },
    random,
  );
  const size = (): number => (random.chance(0.04) ? random.below(400_000) : random.below(12_000));
  const [there, back] = [size(), size()];
  const pauses = random.chance(0.3);
  const users: [SimulatedUser, SimulatedUser] = [
    new SimulatedUser(ends[0], random, { total: there, expected: back, key: 1, peerKey: 2, pauses }),
    new SimulatedUser(ends[1], random, { total: back, expected: there, key: 2, peerKey: 1, pauses }),
  ];
  return { users, ends, now: 0 };
}

/** One moment: everything that is due at it; then time moves to the next. False: nothing will ever happen again. */
function step(world: World): boolean {
  const { now, users } = world;
  let next = Infinity;
  for (const user of users) {
    const provoked = user.end.receive(now);
    user.use(now);
    user.end.transmit(now, provoked);
  }
  for (const user of users) next = Math.min(next, user.nextAt(now), user.end.nextAt(now));
  if (next === Infinity) return false;
  world.now = Math.max(now + 0.01, next);
  return true;
}

function runUntil(world: World, done: () => boolean, limitMs: number): void {
  while (!done()) {
    if (!step(world) && !done())
      throw new Error(`nothing will happen any more at ${world.now} ms: ${describeWorld(world)}`);
    if (world.now > limitMs) throw new Error(`not done after ${limitMs} ms: ${describeWorld(world)}`);
  }
}

function describeWorld({ users }: World): string {
  return JSON.stringify(
    users.map(({ end, received }) => [
      end.driven.state,
      end.driven.closeReason,
      received,
      end.driven.waiting,
    ]),
  );
}

test('what is written arrives once and in order, and both ends agree about the end: 8,000 bad lines', () =>
  forEachSeed(8_000, (random) => {
    const world = createWorld(random);
    const [a, b] = world.ends;
    // What befalls the path while the streams are under way: darkness, a computer asleep, damaged datagrams.
    const troubleAt = random.chance(0.25) ? random.below(2_000) : Infinity;
    const trouble = random.pick(['dark', 'dark-one-way', 'asleep', 'damage'] as const);
    const lastsMs = random.between(100, 25_000);
    runUntil(world, () => world.users.every((user) => user.settled) || world.now >= troubleAt, PATIENCE_MS);
    if (!world.users.every((user) => user.settled)) {
      const until = world.now + lastsMs;
      const victim = random.pick(world.ends);
      const shapes = [a.out.shape, b.out.shape];
      if (trouble === 'asleep') victim.suspendedUntil = until;
      else if (trouble === 'damage')
        a.out.damage = b.out.damage = (datagram) =>
          random.chance(0.3) ? damage(random, datagram) : datagram;
      else
        for (const end of trouble === 'dark' ? world.ends : [victim])
          end.out.shape = { ...end.out.shape, loss: 1 };
      runUntil(world, () => world.now >= until || world.users.every((user) => user.settled), PATIENCE_MS);
      a.out.damage = b.out.damage = undefined;
      [a.out.shape, b.out.shape] = shapes as [LineShape, LineShape];
      runUntil(world, () => world.users.every((user) => user.settled), PATIENCE_MS);
    }
    expect(a.driven.conv).toBe(b.driven.conv);
    const first = random.pick(world.ends);
    const other = first === a ? b : a;
    first.driven.close(world.now);
    // As its owner does on reading the end of the stream.
    runUntil(
      world,
      () => {
        if (other.driven.state === 'peer-closed') other.driven.close(world.now);
        return world.ends.every((end) => end.driven.state === 'closed');
      },
      world.now + IDLE_MS + 20_000,
    );
    expect(first.driven.closeReason).toBe('local');
    for (const end of world.ends) expect(end.idleWakeUps).toBeLessThan(100 + MAX_IDLE_SHARE * end.sent);
  }));

test('a path that dies costs little, and both ends learn of it: 2,000 deaths', () =>
  forEachSeed(2_000, (random) => {
    const world = createWorld(random);
    const diesAt = random.below(1_500);
    const dead = random.chance(0.5) ? world.ends : [random.pick(world.ends)];
    runUntil(world, () => world.now >= diesAt || world.users.every((user) => user.settled), PATIENCE_MS);
    for (const end of dead) end.out.shape = { delayMs: 10, loss: 1 };
    // What was already on its way has arrived after a second.
    const settledAt = world.now + 1_000;
    let before = 0;
    runUntil(
      world,
      () => {
        if (world.now < settledAt) before = world.ends[0].sent + world.ends[1].sent;
        return (
          world.users.every((user) => user.settled) ||
          world.ends.every((end) => end.driven.state === 'closed' || end.driven.state === 'opening')
        );
      },
      world.now + 3 * IDLE_MS,
    );
    const sent = world.ends[0].sent + world.ends[1].sent - before;
    // Two streams that ask every three seconds, the opening's repetitions, and pings.
    if (before > 0) expect(sent).toBeLessThan(400);
  }));
