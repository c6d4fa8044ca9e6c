/**
 * A whole session at 1080p between two apps in the NAT laboratory: key to colour change, frame rate in motion and when
 * dense text scrolls, longest gap, cost of an idle session, time to the first picture. Measured in the session window, at
 * the moment a frame is decoded.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareApp } from '../e2e/lib/app.ts';
import { Scenario, type Step } from '../e2e/demo/scenario.ts';
import { type AnsweredKey, type SentFrame, type Stage, stagesOf, WATCH_CAPTURE } from './session-stages.ts';
import { short } from './table.ts';

const SIZE = { width: 1920, height: 1080 } as const;
const KEYS = 60;
const WATCH_MS = 8_000;
const IDLE_MS = 10_000;
/** Clock ticks a second in /proc/PID/stat; Linux has had 100 for user space on every platform that matters. */
const TICKS = 100;

export interface SessionBench {
  readonly rows: ReadonlyArray<readonly [string, string, string]>;
  readonly histogram: string;
  /** Name, p50 and p95 in ms. */
  readonly stages: ReadonlyArray<readonly [string, string, string]>;
}

/**
 * Watches every frame that comes out of the session window's decoder, and reads a pixel of the background and of the
 * marker; notes when the password was sent and when the first frame was there.
 */
const WATCH = `(() => {
  const bench = (globalThis.bench = { keyMs: null, dark: null, delays: [], answered: [], changes: [], marker: null, sentMs: null, firstMs: null });
  const luma = async (frame, x, y) => {
    const rect = { x, y, width: 2, height: 2 };
    const bytes = new Uint8Array(frame.allocationSize({ rect }));
    await frame.copyTo(bytes, { rect });
    return bytes[0];
  };
  const chunks = new Map();
  const decode = VideoDecoder.prototype.decode;
  VideoDecoder.prototype.decode = function (chunk) {
    chunks.set(chunk.timestamp, { decodeMs: performance.timeOrigin + performance.now(), bytes: chunk.byteLength });
    return decode.call(this, chunk);
  };
  const look = async (frame, now) => {
    const chunk = chunks.get(frame.timestamp);
    chunks.delete(frame.timestamp);
    const seen = frame.clone();
    const [middle, marker] = await Promise.all([luma(seen, 960, 540), luma(seen, 88, 88)]);
    seen.close();
    const dark = middle < 128;
    if (bench.dark !== null && dark !== bench.dark && bench.keyMs !== null) {
      bench.delays.push(now - bench.keyMs);
      bench.answered.push({ ...chunk, keyMs: performance.timeOrigin + bench.keyMs, shownMs: performance.timeOrigin + now });
      bench.keyMs = null;
    }
    bench.dark = dark;
    if (bench.marker === null || Math.abs(marker - bench.marker) > 12) {
      bench.changes.push(now);
      bench.marker = marker;
    }
  };
  const Decoder = VideoDecoder;
  globalThis.VideoDecoder = class extends Decoder {
    constructor(init) {
      super({ ...init, output: (frame) => {
        const now = performance.now();
        bench.firstMs ??= now;
        void look(frame, now);
        init.output(frame);
      } });
    }
  };
  addEventListener('keydown', () => (bench.keyMs = performance.now()), true);
  addEventListener('click', () => (bench.sentMs ??= performance.now()), true);
})()`;

export async function benchSession(): Promise<SessionBench> {
  const electron = prepareApp();
  const steps: Step[] = [];
  const scenario = await Scenario.start({
    electron,
    size: SIZE,
    output: join(import.meta.dirname, '..', 'e2e', 'output', 'bench'),
    onStep: (step) => steps.push(step),
  });
  try {
    scenario.thereScreen.open(process.execPath, [join(import.meta.dirname, '..', 'e2e', 'scene', 'scene.mjs')]);
    await scenario.thereScreen.waitForWindow('scene');
    const { here, there } = scenario;
    await there.evaluate('capture', WATCH_CAPTURE);
    await here.prepareWindows(WATCH);
    const { path } = await scenario.connect({ terminal: false });
    await scenario.thereScreen.focusFollowsPointer();
    const middle = await scenario.toWindow(700, 700);
    await here.mouse('session', middle.x, middle.y);

    const delays = await keyDelays(scenario);
    if (delays.length === 0) process.stdout.write(`no key arrived\n${await scenario.here.log()}\n${await scenario.there.log()}\n`);
    const answered = (await here.evaluate('session', 'bench.answered')) as AnsweredKey[];
    const stages = stagesOf(answered, (await there.evaluate('capture', 'bench.frames')) as SentFrame[]);
    const motion = await watch(scenario, '1');
    const text = await watch(scenario, '2');
    await here.press('session', '3');
    // The last pictures are still made sharper, and then the capture comes to rest.
    await pause(6_000);
    const idle = await idleCost(scenario);
    const firstPicture = Number(await here.evaluate('session', 'bench.firstMs - bench.sentMs'));
    return {
      rows: [
        ['path', path, ''],
        ['key to colour change, p50 / p95 ms', `${short(percentile(delays, 0.5))} / ${short(percentile(delays, 0.95))}`, '41 / 60'],
        ['keys answered', `${delays.length} of ${KEYS}`, ''],
        ['full motion, frames a second', short(motion.fps), '29'],
        ['full motion, longest gap ms', short(motion.longestGapMs), ''],
        ['full motion, bit rate', motion.bitrate, ''],
        ['dense text scrolling, frames a second', short(text.fps), '0.9'],
        ['dense text scrolling, longest gap ms', short(text.longestGapMs), ''],
        ['dense text scrolling, bit rate', text.bitrate, ''],
        ['idle session, % of a core at the shared computer', short(idle), '4.5'],
        ['password given to first picture, ms', short(firstPicture), '160 (from connect)'],
      ],
      histogram: histogram(delays),
      stages: stages.map(stageRow),
    };
  } finally {
    await scenario.destroy();
  }
}

async function keyDelays({ here }: Scenario): Promise<number[]> {
  for (let n = 0; n < KEYS; n++) {
    await here.press('session', 'x');
    // Irregular, so that keys do not fall into step with frames.
    await pause(180 + ((n * 37) % 90));
  }
  return (await here.evaluate('session', 'bench.delays')) as number[];
}

interface Watched {
  readonly fps: number;
  readonly longestGapMs: number;
  readonly bitrate: string;
}

async function watch({ here }: Scenario, key: string): Promise<Watched> {
  await here.press('session', key);
  await pause(2_000);
  await here.evaluate('session', 'void (bench.changes = [])');
  await pause(WATCH_MS);
  const changes = (await here.evaluate('session', 'bench.changes')) as number[];
  let longestGapMs = changes.length < 2 ? Number.NaN : 0;
  for (let i = 1; i < changes.length; i++) longestGapMs = Math.max(longestGapMs, (changes[i] ?? 0) - (changes[i - 1] ?? 0));
  return { fps: changes.length / (WATCH_MS / 1000), longestGapMs, bitrate: await here.text('session', 'session-bitrate') };
}

/** Share of a core that the app on the shared computer takes, in percent. */
async function idleCost(scenario: Scenario): Promise<number> {
  const ticks = async (): Promise<number> => {
    const pids = (await scenario.world.lab.host('there').run('ip', ['netns', 'pids', scenario.world.lab.host('there').namespace])).stdout;
    let sum = 0;
    for (const pid of pids.split('\n').filter(Boolean)) {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        if (!stat.includes('(electron)')) continue;
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        sum += Number(fields[11]) + Number(fields[12]);
      } catch {
        // ended meanwhile
      }
    }
    return sum;
  };
  const before = await ticks();
  await pause(IDLE_MS);
  return (((await ticks()) - before) / TICKS / (IDLE_MS / 1000)) * 100;
}

function stageRow({ name, ms }: Stage): [string, string, string] {
  return [name, short(percentile(ms, 0.5)), short(percentile(ms, 0.95))];
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function histogram(values: readonly number[]): string {
  const STEP_MS = 10;
  const buckets = new Map<number, number>();
  for (const value of values) buckets.set(Math.floor(value / STEP_MS), (buckets.get(Math.floor(value / STEP_MS)) ?? 0) + 1);
  const keys = [...buckets.keys()].sort((a, b) => a - b);
  return keys
    .map((key) => `${String(key * STEP_MS).padStart(4)}–${String((key + 1) * STEP_MS).padEnd(4)} ${'#'.repeat(buckets.get(key) ?? 0)}`)
    .join('\n');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
