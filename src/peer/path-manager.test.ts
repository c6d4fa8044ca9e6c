import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { memoryLinkPair } from '../core/memory-link.ts';
import type { MemoryLink } from '../core/memory-link.ts';
import { PATH_LIMITS } from '../core/nat/limits.ts';
import { decodeOffer, encodeOffer, type Offer } from '../core/nat/offer.ts';
import type { PathRole } from '../core/nat/probe-packet.ts';
import { seededRandom } from '../core/testing/seeds.ts';
import { PathManager } from './path-manager.ts';
import type { PathAttempt } from './path-record.ts';

const open: PathManager[] = [];
afterEach(() => {
  for (const manager of open.splice(0)) manager.close();
});

interface Rig {
  readonly manager: PathManager;
  readonly clock: VirtualClock;
  readonly other: MemoryLink;
  /** What the manager said, in order. */
  readonly said: Offer[];
  readonly attempts: PathAttempt[];
  direct: boolean;
}

function start(role: PathRole): Rig {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const [own, other] = memoryLinkPair();
  const said: Offer[] = [];
  const attempts: PathAttempt[] = [];
  const state = { direct: false };
  other.setHandlers({
    onFrame: (frame) => {
      const offer = decodeOffer(frame, []);
      if (offer) said.push(offer);
    },
    onClose: () => {},
  });
  const manager = new PathManager({
    role,
    channel: own,
    sessionSecret: random.bytes(32),
    clock,
    random: (n) => random.bytes(n),
    servers: async () => [],
    mapper: null,
    memory: null,
    hasDirect: () => state.direct,
    join: async () => {},
    onAttempt: (attempt) => attempts.push(attempt),
  });
  open.push(manager);
  return {
    ...{ manager, clock, other, said, attempts },
    get direct() {
      return state.direct;
    },
    set direct(value) {
      state.direct = value;
    },
  };
}

const offer = (round: number): Uint8Array => encodeOffer({ round, candidates: [], network: null, udpPorts: null, tcpPorts: null, wantsSpray: false });
/** Sockets are opened in real turns of the event loop. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('the controller begins, the host waits to hear of it', async () => {
  const [controller, host] = [start('controller'), start('host')];
  await turns();
  expect(controller.said.map(({ round }) => round)).toContain(1);
  expect(host.said).toEqual([]);
  host.other.send(offer(1));
  await turns();
  host.clock.advance(200);
  expect(new Set(host.said.map(({ round }) => round))).toEqual(new Set([1]));
});

test('a round that finds nothing is told with its reason, and the next ones come after growing pauses', async () => {
  const { clock, said, attempts } = start('controller');
  const rounds = (): number[] => [...new Set(said.map(({ round }) => round))];
  await turns();
  clock.advance(PATH_LIMITS.roundMs);
  await turns();
  expect(attempts.some(({ outcome, reason }) => outcome === 'failed' && reason === 'the other side did not take part')).toBe(true);
  expect(rounds()).toEqual([1]);
  clock.advance(PATH_LIMITS.roundBackoffMs[0]);
  await turns();
  expect(rounds()).toEqual([1, 2]);
  clock.advance(PATH_LIMITS.roundMs + PATH_LIMITS.roundBackoffMs[0]);
  await turns();
  clock.advance(PATH_LIMITS.roundBackoffMs[1] - PATH_LIMITS.roundBackoffMs[0] - 1);
  await turns();
  expect(rounds()).toEqual([1, 2]);
});

test('nothing is looked for while the session goes a direct way', async () => {
  const rig = start('controller');
  await turns();
  rig.direct = true;
  rig.manager.pathsChanged();
  await turns();
  rig.said.length = 0;
  rig.clock.advance(600_000);
  await turns();
  expect(rig.said).toEqual([]);
  rig.direct = false;
  rig.manager.pathsChanged();
  rig.clock.advance(0);
  await turns();
  expect(rig.said.at(-1)?.round).toBe(2);
});

test('a peer that begins round after round, or talks nonsense, is not followed for ever', async () => {
  const { clock, other, said, manager } = start('host');
  for (let round = 1; round <= 60; round++) {
    other.send(offer(round));
    other.send(seededRandom(round).bytes(200));
    await turns();
    clock.advance(200);
  }
  expect(new Set(said.map(({ round }) => round)).size).toBeLessThanOrEqual(12);
  manager.close();
  await turns();
  expect(clock.pending).toBe(0);
});
