/** Both clients of every relayed session, in one process: what they send is what they receive, on one clock. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFrame, encodeRendezvous } from '../../src/core/wire/index.ts';
import { answerCalls } from './child.ts';

export interface Target {
  /** Relay or pipe; 0: no one between, the two are connected directly. */
  readonly port: number;
  /** What the relay wants to hear first; null for the pipe, which joins whoever comes next. */
  readonly key: string | null;
}
export interface ThroughputArgument extends Target {
  readonly sessions: number;
  readonly frameBytes: number;
  readonly seconds: number;
}
export interface DelayArgument extends Target {
  readonly sessions: number;
  readonly frameBytes: number;
  /** Frames a second of each session. */
  readonly rate: number;
  readonly seconds: number;
}
export interface DelayResult {
  /** From the write of a frame to the arrival of its last byte, ms. */
  readonly p50: number;
  readonly p99: number;
  readonly frames: number;
  readonly perSecond: number;
}

/** One buffer for all that is received: it is only counted. */
const SINK = Buffer.allocUnsafeSlow(256 * 1024);

interface End {
  readonly socket: Socket;
  onBytes: (count: number) => void;
}

function dial(port: number, index: number): Promise<End> {
  return new Promise((resolve, reject) => {
    const end: { socket: Socket | null; onBytes: (count: number) => void } = { socket: null, onBytes: () => {} };
    const socket = connect({
      port,
      host: '127.0.0.1',
      localAddress: `127.9.${(index >> 7) & 0xff}.1`,
      noDelay: true,
      onread: {
        buffer: SINK,
        callback: (count) => {
          end.onBytes(count);
          return true;
        },
      },
    });
    end.socket = socket;
    socket.once('connect', () => resolve(end as End));
    socket.once('error', reject);
  });
}

let uuids = 0;

/** Two clients that are joined, by whatever is at the target. */
async function open(target: Target, sessions: number): Promise<[End, End][]> {
  const pairs: [End, End][] = [];
  if (target.port === 0) {
    const accepted: Socket[] = [];
    const server = createServer({ noDelay: true }, (socket) => accepted.push(socket)).listen(0, '127.0.0.1', 511);
    await once(server, 'listening');
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    for (let i = 0; i < sessions; i++) {
      const a = await dial(port, i);
      while (accepted.length <= i) await sleep(1);
      const socket = accepted[i];
      if (!socket) throw new Error('not accepted');
      const b: End = { socket, onBytes: () => {} };
      socket.on('data', (chunk: Buffer) => b.onBytes(chunk.length)).on('error', () => {});
      pairs.push([a, b]);
    }
    server.close();
    return pairs;
  }
  for (let i = 0; i < sessions; i++) {
    const pair: [End, End] = [await dial(target.port, i), await dial(target.port, i)];
    const uuid = `bench-${process.pid}-${++uuids}`;
    if (target.key !== null)
      for (const { socket } of pair)
        socket.write(encodeFrame(encodeRendezvous({ requestRelay: { uuid, licenceKey: target.key } })));
    pairs.push(pair);
  }
  // A byte through each shows that all are joined.
  await Promise.all(
    pairs.map(
      ([a, b]) =>
        new Promise<void>((resolve) => {
          b.onBytes = () => resolve();
          a.socket.write('x');
        }),
    ),
  );
  return pairs;
}

function close(pairs: readonly [End, End][]): void {
  for (const pair of pairs)
    for (const { socket } of pair) {
      socket.on('error', () => {});
      socket.destroy();
    }
}

/** @returns bytes a second through all sessions, as much as will go */
async function throughput({ sessions, frameBytes, seconds, ...target }: ThroughputArgument): Promise<number> {
  const pairs = await open(target, sessions);
  const frame = Buffer.alloc(frameBytes, 7);
  // So many frames at once for one session that its turn is worth taking.
  const burst = Math.max(1, Math.floor((256 * 1024) / frameBytes));
  let received = 0;
  let running = true;
  for (const [{ socket }, b] of pairs) {
    b.onBytes = (count) => {
      received += count;
    };
    const write = (): void => {
      for (let i = 0; i < burst && running; i++)
        if (!socket.write(frame) && socket.writableLength > 0) return void socket.once('drain', write);
      if (running) setImmediate(write);
    };
    write();
  }
  await sleep(400);
  const [bytes, started] = [received, performance.now()];
  await sleep(seconds * 1000);
  const rate = (received - bytes) / ((performance.now() - started) / 1000);
  running = false;
  close(pairs);
  return rate;
}

async function delay({ sessions, frameBytes, rate, seconds, ...target }: DelayArgument): Promise<DelayResult> {
  const pairs = await open(target, sessions);
  const frame = Buffer.alloc(frameBytes, 7);
  const delays: number[] = [];
  const intervalMs = 1000 / rate;
  const started = performance.now() + 50;
  const states = pairs.map(([{ socket }, b], i) => {
    const sentAt: number[] = [];
    let bytes = 0;
    b.onBytes = (count) => {
      bytes += count;
      const now = performance.now();
      for (; bytes >= frameBytes; bytes -= frameBytes) delays.push(now - (sentAt.shift() ?? now));
    };
    return { socket, sentAt, nextAt: started + (i / sessions) * intervalMs };
  });
  const endAt = started + seconds * 1000;
  for (let now = performance.now(); now < endAt; now = performance.now()) {
    for (const state of states)
      if (state.nextAt <= now) {
        state.nextAt += intervalMs;
        state.sentAt.push(performance.now());
        state.socket.write(frame);
      }
    await sleep(1);
  }
  await sleep(200);
  close(pairs);
  // What was sent while everything was compiled for the first time says nothing.
  const counted = delays.slice(Math.floor(delays.length / 5)).sort((a, b) => a - b);
  const at = (share: number): number => counted[Math.floor(counted.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), frames: counted.length, perSecond: delays.length / seconds };
}

/** @returns median of a round trip of `frameBytes`, µs */
async function roundTrip({ frameBytes, rounds, ...target }: Target & { frameBytes: number; rounds: number }): Promise<number> {
  const pairs = await open(target, 1);
  const [a, b] = pairs[0] ?? [];
  if (!a || !b) return Number.NaN;
  const frame = Buffer.alloc(frameBytes, 7);
  const times: number[] = [];
  let there = 0;
  b.onBytes = (count) => {
    there += count;
    if (there < frameBytes) return;
    there = 0;
    b.socket.write(frame);
  };
  await new Promise<void>((resolve) => {
    let back = 0;
    let sentAt = performance.now();
    a.onBytes = (count) => {
      back += count;
      if (back < frameBytes) return;
      back = 0;
      times.push(performance.now() - sentAt);
      if (times.length >= rounds) return resolve();
      sentAt = performance.now();
      a.socket.write(frame);
    };
    a.socket.write(frame);
  });
  close(pairs);
  times.sort((x, y) => x - y);
  return (times[Math.floor(times.length / 2)] ?? Number.NaN) * 1000;
}

let idlePairs: [End, End][] = [];

answerCalls({
  throughput,
  delay,
  roundTrip,
  openIdle: async ({ sessions, ...target }: Target & { sessions: number }) => {
    idlePairs.push(...(await open(target, sessions)));
  },
  closeIdle: async () => {
    close(idlePairs);
    idlePairs = [];
    await sleep(300);
  },
});
