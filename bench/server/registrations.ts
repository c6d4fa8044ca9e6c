/** Registrations, heartbeats and memory of one node over UDP. */
import { Child } from './child.ts';
import type { LoadArgument, LoadResult } from './peers-load.ts';
import type { ServerReady } from './subject.ts';

export interface PeersOptions {
  readonly peers: number;
  readonly seconds: number;
  readonly quick: boolean;
  /** Folder on the disk that commits go to. */
  readonly parent: string;
}

export interface PeersResult {
  readonly registrationsPerSecond: number;
  readonly insertEachPerSecond: number;
  readonly heartbeatsPerSecond: number;
  readonly heartbeatsPerCpuSecond: number;
  readonly echoPerSecond: number;
  readonly echoPerCpuSecond: number;
  readonly bytesPerPeer: number;
  readonly rssMib: number;
  /** Of one core, with heartbeats at their pace. */
  readonly pacedCpuPercent: number;
  readonly pacedPerSecond: number;
  /** Answers that were missing, and answers that were no OK, over everything. */
  readonly lost: number;
  readonly refused: number;
}

const FIRST_ID = 100_000_000;
/** A peer's heartbeat, ms (rendezvous §5.2). */
const HEARTBEAT_MS = 15_000;
/** The load comes from 64 addresses: what protects against that is lifted, all else is as it comes. */
const LIMITS = { addressBurst: 1e9, addressIds: 1e9 };

export async function benchPeers(options: PeersOptions, say: (text: string) => void): Promise<PeersResult> {
  const { peers, seconds, quick, parent } = options;
  const problems = { lost: 0, refused: 0 };
  const checked = (what: string, result: LoadResult): LoadResult => {
    problems.lost += result.sent - result.answered;
    problems.refused += result.refused;
    say(`${what}: ${result.answered} of ${result.sent} answered in ${result.seconds.toFixed(1)} s, ${result.refused} refused`);
    return result;
  };
  await using load = new Child('peers-load.ts');
  const perSecond = async (subject: Child, what: string, name: string, argument: object): Promise<{ wall: number; cpu: number }> => {
    const before = await subject.usage();
    const result = checked(what, await load.call<LoadResult>(name, argument));
    const after = await subject.usage();
    return { wall: result.answered / result.seconds, cpu: result.answered / ((after.cpuUs - before.cpuUs) / 1e6) };
  };

  let each = { wall: Number.NaN };
  {
    await using plain = new Child('subject.ts');
    const port = await plain.call<number>('insertEach', parent);
    each = await perSecond(plain, 'a commit each', 'register', { port, first: FIRST_ID, count: quick ? 1_500 : 5_000 });
  }
  let bare = { wall: Number.NaN, cpu: Number.NaN };
  {
    await using plain = new Child('subject.ts');
    const port = await plain.call<number>('echo');
    bare = await perSecond(plain, 'bare echo', 'heartbeats', { port, first: FIRST_ID, count: peers, seconds });
  }

  await using node = new Child('subject.ts');
  const { port } = await node.call<ServerReady>('server', { parent, limits: LIMITS });
  // Code is compiled and buffers have grown before the memory of peers is counted.
  const all: LoadArgument = { port, first: FIRST_ID, count: peers };
  await load.call('register', { port, first: FIRST_ID + 5_000_000, count: 2_000 });
  const empty = await node.usage();
  const registered = await perSecond(node, 'registrations', 'register', all);
  const beats = await perSecond(node, 'heartbeats', 'heartbeats', { ...all, seconds });
  const beforePace = await node.usage();
  const paced = checked('at their pace', await load.call<LoadResult>('paced', { ...all, intervalMs: HEARTBEAT_MS, seconds: seconds * 2 }));
  const afterPace = await node.usage();
  return {
    registrationsPerSecond: registered.wall,
    insertEachPerSecond: each.wall,
    heartbeatsPerSecond: beats.wall,
    heartbeatsPerCpuSecond: beats.cpu,
    echoPerSecond: bare.wall,
    echoPerCpuSecond: bare.cpu,
    bytesPerPeer: (afterPace.rssBytes - empty.rssBytes) / peers,
    rssMib: afterPace.rssBytes / (1 << 20),
    pacedCpuPercent: ((afterPace.cpuUs - beforePace.cpuUs) / 1e6 / paced.seconds) * 100,
    pacedPerSecond: paced.answered / paced.seconds,
    ...problems,
  };
}
