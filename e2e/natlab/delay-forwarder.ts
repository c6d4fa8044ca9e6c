/**
 * The user-space half of `delay.ts`: joins pairs of TAP devices by shaped lines. A program of its own, in the namespace
 * where the devices are to be; it blocks in poll, so that a frame leaves within some 0.1 ms of its time. Commands are
 * lines of JSON on stdin, each answered by one line on stdout; it ends with its stdin.
 */
import { readSync, writeSync } from 'node:fs';
import { seededRandom } from '../../src/core/testing/seeds.ts';
import { ShapedLine } from '../../src/core/testing/shaped-line.ts';
import type { DelayCommand, DelayShape, DirectionStats } from './delay.ts';
import { openTap, ReadPoll, readFrame, writeFrame } from './tap.ts';

const STDIN = 0;
const STDOUT = 1;
/** Frames read from one device before the others have their turn. */
const BURST = 64;
const MAX_FRAME = 2048;

interface Direction {
  readonly from: number;
  readonly to: number;
  readonly line: ShapedLine<Uint8Array>;
}

const directions: Direction[] = [];
const splices = new Map<string, { up: Direction; down: Direction }>();
const buffer = Buffer.alloc(MAX_FRAME);
let poll = new ReadPoll([STDIN]);
let commands = '';

function open(name: string, hostDevice: string, segmentDevice: string, shape: DelayShape): void {
  const [host, segment] = [openTap(hostDevice), openTap(segmentDevice)];
  const random = seededRandom(shape.seed ?? 1);
  const up = { from: host, to: segment, line: new ShapedLine<Uint8Array>(shape.up, random) };
  const down = { from: segment, to: host, line: new ShapedLine<Uint8Array>(shape.down ?? shape.up, random) };
  splices.set(name, { up, down });
  directions.push(up, down);
  poll = new ReadPoll([STDIN, ...directions.map((direction) => direction.from)]);
}

function stats({ line }: Direction): DirectionStats {
  const [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1].map((share) => line.queueDelayMs(share));
  const found = {
    ...line.counts,
    queueDelayMs: { p50: p50 ?? 0, p95: p95 ?? 0, p99: p99 ?? 0, max: max ?? 0 },
  };
  line.resetCounts();
  return found;
}

function execute(command: DelayCommand): unknown {
  if (command.do === 'open') {
    open(command.name, command.hostDevice, command.segmentDevice, command.shape);
    return {};
  }
  const splice = splices.get(command.name);
  if (splice === undefined) throw new Error(`no splice ${command.name}`);
  if (command.do === 'stats') return { up: stats(splice.up), down: stats(splice.down) };
  splice.up.line.shape = command.shape.up;
  splice.down.line.shape = command.shape.down ?? command.shape.up;
  return {};
}

/** False at the end of stdin. */
function takeCommands(): boolean {
  const length = readSync(STDIN, buffer);
  if (length === 0) return false;
  commands += buffer.toString('utf8', 0, length);
  for (let end = commands.indexOf('\n'); end >= 0; end = commands.indexOf('\n')) {
    const text = commands.slice(0, end);
    commands = commands.slice(end + 1);
    let answer: string;
    try {
      answer = JSON.stringify({ value: execute(JSON.parse(text) as DelayCommand) });
    } catch (error) {
      answer = JSON.stringify({ error: String(error) });
    }
    writeSync(STDOUT, `${answer}\n`);
  }
  return true;
}

function forward(): void {
  let next = Infinity;
  for (const { line } of directions) next = Math.min(next, line.nextAt());
  poll.wait(next - performance.now());
  for (const [index, { from, line }] of directions.entries()) {
    if (!poll.ready(index + 1)) continue;
    for (let burst = 0; burst < BURST; burst++) {
      const length = readFrame(from, buffer);
      if (length <= 0) break;
      line.push(performance.now(), Uint8Array.from(buffer.subarray(0, length)), length);
    }
  }
  const now = performance.now();
  for (const { to, line } of directions)
    for (let frame = line.pop(now); frame !== undefined; frame = line.pop(now)) writeFrame(to, frame);
}

if (import.meta.main) {
  do forward();
  while (!poll.ready(0) || takeCommands());
}
