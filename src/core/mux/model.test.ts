import { expect, test } from 'vitest';
import { forEachSeed, type SeededRandom } from '../testing/seeds.ts';
import type { MuxStream } from './contract.ts';
import { muxPair, StreamLog, type MuxPair } from './fixtures.ts';
import { LINK_CREDIT } from './limits.ts';

/** One direction of one stream: what was written, what came out. Byte n has the value (n × 31 + start) mod 256. */
class Flow {
  readonly from: MuxStream;
  readonly start: number;
  to: StreamLog | null = null;
  written = 0;
  ended = false;
  #checked = 0;

  constructor(from: MuxStream, start: number) {
    this.from = from;
    this.start = start;
  }

  write(length: number): void {
    if (this.ended || this.from.closed || this.from.unsentBytes > 300_000) return;
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = (this.written + i) * 31 + this.start;
    this.written += length;
    this.from.write(bytes);
  }

  check(): void {
    for (const chunk of this.to?.chunks.splice(0) ?? [])
      for (const byte of chunk) {
        const expected = (this.#checked * 31 + this.start) & 255;
        if (byte !== expected) throw new Error(`byte ${this.#checked} of stream ${this.from.id} is ${byte}, not ${expected}`);
        this.#checked++;
      }
    if (this.#checked > this.written) throw new Error('more came out than went in');
  }

  get received(): number {
    return this.#checked;
  }
}

interface World extends MuxPair {
  readonly flows: Flow[];
}

function openOne(world: World, random: SeededRandom): void {
  const stream = world.near.open({ kind: 'service', name: `s${world.flows.length}` });
  world.flows.push(new Flow(stream, random.below(256)));
}

/** Attaches what has arrived at the far side, and opens the way back. */
function meet(world: World, random: SeededRandom): void {
  for (const stream of world.offered.splice(0)) {
    const forth = world.flows.find((flow) => flow.from.id === stream.id && !flow.from.incoming);
    if (!forth) throw new Error('a stream that nobody opened');
    forth.to = new StreamLog(stream, random.chance(0.3));
    const back = new Flow(stream, random.below(256));
    back.to = new StreamLog(forth.from, random.chance(0.3));
    world.flows.push(back);
  }
}

function act(world: World, random: SeededRandom): void {
  const flow = world.flows.length > 0 ? random.pick(world.flows) : null;
  const dice = random.below(100);
  if (!flow || (dice < 8 && world.flows.length < 60)) openOne(world, random);
  else if (dice < 55) flow.write(1 + random.below(random.chance(0.1) ? 200_000 : 3_000));
  else if (dice < 60) {
    flow.ended = true;
    flow.from.end();
  } else if (dice < 62) flow.from.reset('cancelled');
  else if (dice < 70 && flow.to) {
    flow.to.paused = !flow.to.paused;
    if (!flow.to.paused) flow.to.readAll();
  } else if (dice < 75) world.clock.advance(random.below(400));
  else if (dice < 88) world.nearLink.flush(1 + random.below(20));
  else world.farLink.flush(1 + random.below(20));
}

test('many streams over one link: every byte in order or a reset, and nothing is left behind', async () => {
  await forEachSeed(60, (random, seed) => {
    const pair = muxPair({ auto: false, link: random.chance(0.5) ? { highWater: 50_000, lowWater: 10_000 } : {} });
    const world: World = { ...pair, flows: [] };
    for (let step = 0; step < 1_200; step++) {
      act(world, random);
      meet(world, random);
      for (const flow of world.flows) flow.check();
    }
    expect(pair.violations, `seed ${seed}`).toEqual([]);
    expect(Math.max(pair.near.stats.unreadPeakBytes, pair.far.stats.unreadPeakBytes)).toBeLessThanOrEqual(LINK_CREDIT);
    finish(world, random);
    for (const flow of world.flows) {
      const error = flow.from.closed?.error ?? flow.to?.stream.closed?.error;
      if (!error) expect([flow.received, flow.to?.ended], `stream ${flow.from.id}`).toEqual([flow.written, true]);
    }
    for (const mux of [pair.near, pair.far])
      expect(mux.stats).toMatchObject({ streams: 0, unreadBytes: 0, unsentBytes: 0 });
    pair.near.close();
    pair.settle();
    expect(pair.clock.pending).toBe(0);
  });
}, 60_000);

/** Everybody reads, everybody ends, and the network delivers. */
function finish(world: World, random: SeededRandom): void {
  for (let round = 0; round < 50; round++) {
    for (const flow of world.flows) {
      flow.from.end();
      if (flow.to) {
        flow.to.paused = false;
        flow.to.readAll();
      }
    }
    world.settle();
    world.clock.advance(50);
    meet(world, random);
    for (const flow of world.flows) flow.check();
  }
}
