/**
 * Clients without a screen, many at once, for the tests of several nodes: `node load.ts '<LoadOptions as JSON>'` on a host
 * of the lab. Peers register, heartbeat and move to the next node when theirs is silent; askers have themselves introduced
 * to each in turn; new ids register all the time; sessions run through the relays. A line `mark NAME` on stdin begins a
 * phase, `end` ends it all with a report on stdout.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import type { HostPort } from '../../src/core/wire/index.ts';
import { hbb } from '../../src/core/wire/index.ts';
import { Peer } from './load-peer.ts';
import { FramedSocket, one, UdpSocket } from './load-wire.ts';

export interface LoadOptions {
  readonly nodes: readonly HostPort[];
  readonly key: string;
  /** Two addresses of this host: behind one address a session would stay in its own network. */
  readonly peerHost: string;
  readonly askerHost: string;
  readonly peers: number;
  /** ms; stock clients: 15,000 and 3,000. */
  readonly heartbeatMs: number;
  readonly answerMs: number;
  /** ms between two introductions to the same peer, and between two new registrations. */
  readonly probeMs: number;
  readonly newMs: number;
  readonly sessions: number;
}

export interface PhaseReport {
  readonly name: string;
  readonly seconds: number;
  readonly introduced: number;
  readonly refused: number;
  /** Peers that could not be introduced for a while, and for how long, ms. */
  readonly unreachable: readonly number[];
  readonly registered: number;
  readonly notRegistered: number;
  /** ms that a relayed session stood still. */
  readonly sessionGaps: readonly number[];
  /** Round trips through the relays. */
  readonly echoes: number;
}

export interface LoadReport {
  readonly phases: readonly PhaseReport[];
  /** Acknowledged registrations, and those of them that some node does not know at the end. */
  readonly acknowledged: number;
  readonly lost: number;
}

interface Phase {
  readonly name: string;
  readonly startedAt: number;
  endedAt: number;
  introduced: number;
  refused: number;
  readonly unreachable: number[];
  registered: number;
  notRegistered: number;
  readonly sessionGaps: number[];
  echoes: number;
}

const ANSWER_MS = 1_500;
/** A relayed session is checked this often, and is broken after so long without an echo. */
const PING_MS = 100;
const SILENT_MS = 1_000;
const REGISTERING = 4;
/** Sockets that ask after the acknowledged ids at the end. */
const CHECKING = 8;

const o = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const phases: Phase[] = [];
const begin = (name: string): void => {
  const now = performance.now();
  const last = phases.at(-1);
  if (last) last.endedAt = now;
  phases.push({
    ...{ name, startedAt: now, endedAt: now, introduced: 0, refused: 0, unreachable: [], registered: 0, notRegistered: 0 },
    ...{ sessionGaps: [], echoes: 0 },
  });
};
const phaseAt = (ms: number): Phase => phases.findLast((phase) => phase.startedAt <= ms) ?? (phases[0] as Phase);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
let running = true;
const acknowledged: string[] = [];

/** A connection to any node that takes it, as from a name with several addresses. */
async function anyNode(from: string): Promise<FramedSocket | null> {
  const order = o.nodes.toSorted(() => Math.random() - 0.5);
  for (const node of order) {
    const socket = await FramedSocket.connect(node, from, ANSWER_MS);
    if (socket) return socket;
  }
  return null;
}

async function introduce(id: string): Promise<boolean> {
  const socket = await anyNode(o.askerHost);
  if (!socket) return false;
  socket.send({ punchHoleRequest: { id, licenceKey: o.key, natType: hbb.NatType.ASYMMETRIC, version: '1.4.0' } });
  const message = await socket.next(ANSWER_MS);
  socket.destroy();
  return (message?.punchHoleResponse?.socketAddr?.length ?? 0) > 0;
}

async function ask(peer: Peer): Promise<void> {
  let failingSince = 0;
  await pause(Math.random() * o.probeMs);
  while (running) {
    const startedAt = performance.now();
    const ok = await introduce(peer.id);
    const phase = phaseAt(startedAt);
    if (ok) phase.introduced++;
    else phase.refused++;
    if (!ok) failingSince ||= startedAt;
    else if (failingSince > 0) {
      phaseAt(failingSince).unreachable.push(performance.now() - failingSince);
      failingSince = 0;
    }
    await pause(Math.max(0, o.probeMs - (performance.now() - startedAt)));
  }
}

async function registerNew(worker: number): Promise<void> {
  const socket = await UdpSocket.open(o.peerHost);
  for (let n = 0; running; n++) {
    const id = `${worker + 1}${String(n).padStart(8, '0')}`;
    const startedAt = performance.now();
    socket.clear();
    socket.send({ registerPk: { id, uuid: randomBytes(16), pk: randomBytes(32) } }, one(o.nodes));
    const response = (await socket.next(o.answerMs + ANSWER_MS))?.registerPkResponse;
    if (response && (response.result ?? 0) === hbb.RegisterPkResponse.Result.OK) {
      acknowledged.push(id);
      phaseAt(startedAt).registered++;
    } else phaseAt(startedAt).notRegistered++;
    await pause(o.newMs);
  }
  socket.close();
}

/** A session through a relay, made anew whenever it breaks. */
async function session(peer: Peer): Promise<void> {
  let lastEcho = 0;
  while (running) {
    const asked = await anyNode(o.askerHost);
    asked?.send({ punchHoleRequest: { id: peer.id, licenceKey: o.key, natType: hbb.NatType.SYMMETRIC, version: '1.4.0' } });
    const response = (await asked?.next(ANSWER_MS))?.relayResponse;
    asked?.destroy();
    const relay = response?.relayServer?.split(':') ?? [];
    const socket = relay[0] ? await FramedSocket.connect({ host: relay[0], port: Number(relay[1]) }, o.askerHost, ANSWER_MS) : null;
    if (!socket) {
      await pause(250);
      continue;
    }
    socket.send({ requestRelay: { uuid: response?.uuid ?? '', licenceKey: o.key } });
    let isNew = true;
    for (;;) {
      socket.sendPayload(Buffer.from('ping'));
      const echo = await socket.nextPayload(SILENT_MS);
      if (!echo || !running) break;
      const now = performance.now();
      if (isNew && lastEcho > 0) phaseAt(lastEcho + PING_MS).sessionGaps.push(now - lastEcho);
      isNew = false;
      lastEcho = now;
      phaseAt(now).echoes++;
      await pause(PING_MS);
    }
    socket.destroy();
  }
}

/** How many of the acknowledged ids some node would give to another machine. */
async function countLost(): Promise<number> {
  const lost = new Set<string>();
  const todo = o.nodes.flatMap((node) => acknowledged.map((id) => ({ node, id })));
  const check = async (): Promise<void> => {
    const socket = await UdpSocket.open(o.peerHost);
    for (let next = todo.pop(); next; next = todo.pop()) {
      let result: number | null | undefined;
      for (let attempt = 0; attempt < 3 && result === undefined; attempt++) {
        socket.clear();
        socket.send({ registerPk: { id: next.id, uuid: randomBytes(16), pk: randomBytes(32) } }, next.node);
        result = (await socket.next(2_000))?.registerPkResponse?.result;
      }
      if (result !== hbb.RegisterPkResponse.Result.UUID_MISMATCH) lost.add(next.id);
    }
    socket.close();
  };
  await Promise.all(Array.from({ length: CHECKING }, check));
  return lost.size;
}

const peers = await Promise.all(
  Array.from({ length: o.peers }, (_, i) =>
    Peer.start({
      ...{ id: `9${String(i).padStart(8, '0')}`, home: i % o.nodes.length, nodes: o.nodes, host: o.peerHost, key: o.key },
      ...{ heartbeatMs: o.heartbeatMs, answerMs: o.answerMs, newUuid: randomUUID },
    }),
  ),
);
begin('start');
process.stdout.write('{"event":"ready"}\n');
const work = [
  ...peers.slice(o.sessions).map(ask),
  ...peers.slice(0, o.sessions).map(session),
  ...Array.from({ length: REGISTERING }, (_, i) => registerNew(i)),
];
for await (const line of createInterface({ input: process.stdin })) {
  const [word, name = ''] = line.split(' ');
  if (word === 'mark') begin(name);
  if (word === 'end') break;
}
begin('verify');
running = false;
await Promise.all(work);
for (const peer of peers) peer.close();
const lost = await countLost();
const report: LoadReport = {
  acknowledged: acknowledged.length,
  lost,
  phases: phases.slice(0, -1).map(({ startedAt, endedAt, ...phase }) => ({ ...phase, seconds: (endedAt - startedAt) / 1000 })),
};
process.stdout.write(`${JSON.stringify({ event: 'report', ...report })}\n`);
process.exit(0);
