/** Plays many peers over UDP: registers them, and sends their heartbeats as fast as they are answered, or at their pace. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BATCH, BatchSocket, pause } from './batch-socket.ts';
import { answerCalls } from './child.ts';

export interface LoadArgument {
  readonly port: number;
  /** Ids first … first + count − 1. */
  readonly first: number;
  readonly count: number;
}
export interface LoadResult {
  readonly seconds: number;
  readonly sent: number;
  readonly answered: number;
  /** Answers other than OK (RegisterPkResponse) or requests for the key (RegisterPeerResponse). */
  readonly refused: number;
}

/** RegisterPk with id, uuid and key of the sizes that stock clients send. */
const REGISTER = Buffer.concat([
  Buffer.from([0x7a, 11 + 38 + 34, 0x0a, 9]),
  Buffer.alloc(9),
  Buffer.from([0x12, 36]),
  Buffer.alloc(36, 'u'),
  Buffer.from([0x1a, 32]),
  Buffer.alloc(32, 'k'),
]);
/** RegisterPeer{id, serial 3}. */
const HEARTBEAT = Buffer.concat([Buffer.from([0x32, 13, 0x0a, 9]), Buffer.alloc(9), Buffer.from([0x10, 3])]);
const ID_AT = 4;
/** Addresses that the peers come from, so that none stands for all. */
const SOURCES = 64;
/** Datagrams in the air: less than the socket buffers hold, so that none is lost. */
const WINDOW = 1_024;
/** µs between two looks, and how many in vain until what is missing counts as lost: a second. */
const LOOK_US = 300;
const MAX_VAIN_LOOKS = 3_000;

function writeId(slot: Buffer, at: number, number: number): void {
  let rest = number;
  for (let i = 8; i >= 0; i--) {
    slot[at + i] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

function fillRegister(slot: Buffer, number: number): void {
  writeId(slot, ID_AT, number);
  writeId(slot, 20, number);
  writeId(slot, 60, number);
}

function fillHeartbeat(slot: Buffer, number: number): void {
  writeId(slot, ID_AT, number);
}

interface Pass {
  readonly template: Buffer;
  readonly fill: (slot: Buffer, number: number) => void;
  /** First byte of an accepted answer's body: `7a02…`/`3200`. */
  readonly accepted: (bytes: Buffer) => boolean;
}
const REGISTRATION: Pass = { template: REGISTER, fill: fillRegister, accepted: (b) => b[0] === 0x82 && b[1] === 1 && b[2] === 0 };
const HEARTBEATS: Pass = { template: HEARTBEAT, fill: fillHeartbeat, accepted: (b) => b[0] === 0x3a && b[1] === 0 };

const sourceOf = (index: number): string => `127.7.${index >> 8}.${(index & 0xff) + 1}`;

/** Every id once, from the source that belongs to its block, keeping `WINDOW` in the air. */
function run({ port, first, count }: LoadArgument, pass: Pass, untilMs = Number.POSITIVE_INFINITY): LoadResult {
  const started = performance.now();
  const result = { sent: 0, answered: 0, refused: 0 };
  const blocks = Math.min(SOURCES, Math.ceil(count / BATCH));
  for (let block = 0; block < blocks; block++) {
    const [from, to] = [Math.floor((count * block) / blocks), Math.floor((count * (block + 1)) / blocks)];
    const socket = new BatchSocket(sourceOf(block), port);
    for (let i = 0; i < BATCH; i++) pass.template.copy(socket.slot(i, pass.template.length));
    let next = from;
    let sent = 0;
    let answered = 0;
    let vain = 0;
    while (answered < sent || next < to) {
      while (next < to && sent - answered <= WINDOW - BATCH) {
        const batch = Math.min(BATCH, to - next);
        for (let i = 0; i < batch; i++) pass.fill(socket.slot(i, pass.template.length), first + next + i);
        const left = socket.send(batch);
        next += left;
        sent += left;
        if (left < batch) break;
      }
      const got = socket.receive((bytes) => {
        if (!pass.accepted(bytes)) result.refused++;
      });
      answered += got;
      vain = got === 0 ? vain + 1 : 0;
      if (vain > MAX_VAIN_LOOKS) break;
      if (got === 0) pause(LOOK_US);
    }
    socket.close();
    result.sent += sent;
    result.answered += answered;
    if (performance.now() - started > untilMs) break;
  }
  return { seconds: (performance.now() - started) / 1000, ...result };
}

function heartbeats({ seconds, ...load }: LoadArgument & { seconds: number }): LoadResult {
  const started = performance.now();
  const total = { seconds: 0, sent: 0, answered: 0, refused: 0 };
  while (performance.now() - started < seconds * 1000) {
    const one = run(load, HEARTBEATS, seconds * 1000 - (performance.now() - started));
    total.sent += one.sent;
    total.answered += one.answered;
    total.refused += one.refused;
  }
  return { ...total, seconds: (performance.now() - started) / 1000 };
}

/** Every peer once in `intervalMs`, evenly, for `seconds`. */
async function paced(argument: LoadArgument & { intervalMs: number; seconds: number }): Promise<LoadResult> {
  const { port, first, count, intervalMs, seconds } = argument;
  const sockets = Array.from({ length: SOURCES }, (_, i) => new BatchSocket(sourceOf(i), port));
  for (const socket of sockets) for (let i = 0; i < BATCH; i++) HEARTBEAT.copy(socket.slot(i, HEARTBEAT.length));
  const perSource = count / SOURCES;
  const started = performance.now();
  const result = { sent: 0, answered: 0, refused: 0 };
  const due = new Array<number>(SOURCES).fill(0);
  let elapsed = 0;
  while (elapsed < seconds * 1000) {
    elapsed = performance.now() - started;
    for (const [s, socket] of sockets.entries()) {
      const until = Math.floor((elapsed / intervalMs) * perSource);
      const batch = Math.min(BATCH, until - (due[s] ?? 0));
      // A few at a time for each source, or a system call a datagram would be all that this process does.
      if (batch < 8) continue;
      const from = due[s] ?? 0;
      for (let i = 0; i < batch; i++) {
        const peer = Math.floor(s * perSource) + ((from + i) % Math.floor(perSource));
        fillHeartbeat(socket.slot(i, HEARTBEAT.length), first + peer);
      }
      const left = socket.send(batch);
      due[s] = from + left;
      result.sent += left;
      result.answered += socket.receive((bytes) => {
        if (!HEARTBEATS.accepted(bytes)) result.refused++;
      });
    }
    await sleep(2);
  }
  await sleep(100);
  for (const socket of sockets) {
    for (let got = 1; got > 0; result.answered += got) got = socket.receive(() => {});
    socket.close();
  }
  return { seconds: elapsed / 1000, ...result };
}

answerCalls({ register: (argument: LoadArgument) => run(argument, REGISTRATION), heartbeats, paced });
