import { test } from 'vitest';
import { forEachSeed } from '../testing/seeds.ts';
import type { SeededRandom } from '../testing/seeds.ts';
import type { PathKind } from './contract.ts';
import { CHANNELS, Rig } from './multipath-rig.ts';
import type { RigEnd } from './multipath-rig.ts';

const KINDS: readonly PathKind[] = ['relay', 'tcp', 'udp', 'lan', 'ipv6'];

function shapeOf(random: SeededRandom): { delayMs: number; rate?: number } {
  return { delayMs: random.between(0, 120), ...(random.chance(0.3) ? { rate: random.between(20, 2_000) } : {}) };
}

function frameOf(random: SeededRandom, serial: number): Uint8Array {
  const size = random.chance(0.03) ? random.between(40_000, 200_000) : random.chance(0.1) ? 0 : random.between(1, 3_000);
  const frame = new Uint8Array(size).fill(serial);
  if (size > 3) new DataView(frame.buffer).setUint32(0, serial);
  return frame;
}

/** One step of a schedule: traffic, a reader that rests, or something that happens to a path. */
function step(random: SeededRandom, rig: Rig, serial: number): void {
  const end = random.pick([rig.a, rig.b]);
  const path = random.pick(rig.paths);
  switch (random.below(16)) {
    case 0:
      path.silence(random.pick(['both', 'to-a', 'to-b']));
      break;
    case 1:
    case 2:
      for (const one of rig.paths) one.restore();
      break;
    case 3:
      path.break(random.below(400), random.below(400));
      break;
    case 4:
    case 5:
      rig.add(shapeOf(random), random.pick(KINDS));
      break;
    case 6: {
      const info = random.pick(end.link.paths.length > 0 ? end.link.paths : [null]);
      if (info) end.link.dropPath(info.id, 'given up');
      break;
    }
    case 7:
      end.link.channel(random.pick(CHANNELS)).pause();
      break;
    case 8:
      for (const id of CHANNELS) end.link.channel(id).resume();
      break;
    case 9: {
      const info = random.pick(end.link.paths.length > 0 ? end.link.paths : [null]);
      end.link.preferPath(info?.id ?? null);
      break;
    }
    default:
      for (let i = random.between(1, 12); i > 0; i--) end.send(random.pick(CHANNELS), frameOf(random, serial * 16 + i));
  }
  rig.clock.advance(random.chance(0.2) ? random.below(2_000) : random.below(60));
}

/** Everything works again and everybody reads. */
function heal(rig: Rig): void {
  for (const path of rig.paths) path.restore();
  for (const end of [rig.a, rig.b]) for (const id of CHANNELS) end.link.channel(id).resume();
  rig.add({ delayMs: 10 }, 'udp');
}

function finished(end: RigEnd): boolean {
  return end.close !== null;
}

test('whatever happens to the paths, everything accepted arrives once and in order', async () => {
  await forEachSeed(3_000, (random) => {
    const rig = new Rig(random, shapeOf(random));
    for (let i = random.between(5, 40); i > 0; i--) step(random, rig, i);
    rig.check(false);
    heal(rig);
    rig.clock.advance(30_000);
    if (finished(rig.a) || finished(rig.b)) throw new Error(`ended: ${JSON.stringify([rig.a.close, rig.b.close])}`);
    rig.check(true);
  });
});

test('closed in order, the other end has everything; cut off, both ends are told', async () => {
  await forEachSeed(1_000, (random) => {
    const rig = new Rig(random, shapeOf(random), 'relay', 5_000);
    for (let i = random.between(1, 15); i > 0; i--) step(random, rig, i);
    const whole = random.chance(0.5);
    if (whole) heal(rig);
    if (whole) rig.clock.advance(20_000);
    const end = random.pick([rig.a, rig.b]);
    const other = end === rig.a ? rig.b : rig.a;
    for (let i = 3; i > 0; i--) end.send(random.pick(CHANNELS), frameOf(random, i));
    if (random.chance(0.8)) end.link.close();
    else end.link.destroy(new Error('cut'));
    rig.clock.advance(60_000);
    for (const id of CHANNELS) other.link.channel(id).resume();
    for (const id of CHANNELS) end.link.channel(id).resume();
    rig.clock.advance(1);
    if (!finished(rig.a) || !finished(rig.b)) throw new Error(`not ended: ${JSON.stringify([rig.a.close, rig.b.close])}`);
    rig.check(false);
    if (other.close?.by === 'remote') {
      for (const id of CHANNELS)
        if (other.of(other.received, id).length !== end.of(end.sent, id).length)
          throw new Error(`closed in order, but channel ${id} is not whole`);
    } else if (!other.close?.error) throw new Error('ended without a reason');
    if (rig.clock.pending > 0) rig.clock.advance(120_000);
    if (rig.clock.pending > 0) throw new Error(`${rig.clock.pending} timers are left`);
  });
});
