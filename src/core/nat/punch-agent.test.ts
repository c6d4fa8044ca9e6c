import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { NatWorld, type WorldHost, type WorldKind, type WorldLine, WORLD_KINDS } from '../testing/nat-world.ts';
import { forEachSeed, type SeededRandom, seededRandom } from '../testing/seeds.ts';
import type { HostPort } from '../wire/index.ts';
import { meetingPort, predictPorts } from './candidates.ts';
import { PATH_LIMITS } from './limits.ts';
import { encodeProbe, type PathRole, TAG_BYTES } from './probe-packet.ts';
import { PunchAgent } from './punch-agent.ts';
import { SprayAllowance } from './spray.ts';

const CLEAN: WorldLine = { delayMs: 30, jitterMs: 0, loss: 0, duplication: 0 };
const SERVER: HostPort = { host: '203.0.113.1', port: 21116 };

const tag = (key: string) => (bytes: Uint8Array) => new Uint8Array(createHmac('sha256', key).update(bytes).digest()).subarray(0, TAG_BYTES);

/** An agent on a host of the world, with one socket (local port 5000) and more when it scatters. */
class Side {
  readonly host: WorldHost;
  readonly agent: PunchAgent;
  readonly #ports: number[] = [];
  /** As the server sees the main socket. */
  readonly observed: HostPort;

  constructor(host: WorldHost, role: PathRole, random: SeededRandom, key: string) {
    this.host = host;
    this.agent = new PunchAgent(
      { role, authenticate: tag(key), random: (n) => random.bytes(n), allowance: new SprayAllowance() },
      0,
    );
    this.addSocket(true);
    this.observed = host.leave(this.#port(0), SERVER) ?? { host: host.publicHost, port: 1 };
  }

  addSocket(primary: boolean): number {
    this.#ports.push(5_000 + this.#ports.length);
    return this.agent.addSocket(4, 0, primary);
  }

  scatter(to: HostPort, count: number = PATH_LIMITS.birthdaySockets): void {
    const sockets = Array.from({ length: count }, () => this.addSocket(false));
    this.agent.startScatter(sockets, to, 0);
  }

  run(world: NatWorld, nowMs: number): void {
    for (const { from, port, bytes } of this.host.inbox.splice(0)) {
      const socket = this.#ports.indexOf(port);
      if (socket >= 0) this.agent.handle(socket, from, bytes, nowMs);
    }
    for (let out = this.agent.pollTransmit(nowMs); out; out = this.agent.pollTransmit(nowMs))
      world.send(this.host, this.#port(out.socket), out.to, out.bytes, nowMs);
  }

  /** What the other side's address is for us, once agreed. */
  get end(): HostPort | null {
    const pair = this.agent.nominated;
    return pair && this.host.leave(this.#port(pair.socket), pair.remote);
  }

  #port(socket: number): number {
    return this.#ports[socket] ?? 0;
  }
}

interface Outcome {
  readonly ms: number;
  readonly a: Side;
  readonly b: Side;
}

/** Runs two sides against each other; `ms` is Infinity when the round ends without a pair. */
function punch(kinds: readonly [WorldKind, WorldKind], random: SeededRandom, line: WorldLine, prepare?: (a: Side, b: Side) => void): Outcome {
  const world = new NatWorld(random, line);
  const [a, b] = [new Side(world.host(kinds[0]), 'controller', random, 'k'), new Side(world.host(kinds[1]), 'host', random, 'k')];
  if (prepare) prepare(a, b);
  else {
    a.agent.addRemote(b.observed, 0);
    b.agent.addRemote(a.observed, 0);
  }
  let now = 0;
  while (now < PATH_LIMITS.roundMs) {
    world.deliver(now);
    a.run(world, now);
    b.run(world, now);
    if (a.agent.nominated && b.agent.nominated) return { ms: now, a, b };
    const next = Math.min(world.nextAt(), a.agent.pollTimeout(now), b.agent.pollTimeout(now));
    now = Math.max(now + 0.1, next);
  }
  return { ms: Infinity, a, b };
}

/** The two agree on one pair of addresses, as each sees it from its side. */
function expectOnePair({ a, b }: Outcome): void {
  expect(a.agent.nominated?.remote).toEqual(b.end);
  expect(b.agent.nominated?.remote).toEqual(a.end);
}

const LOOSE: readonly WorldKind[] = ['open', 'full-cone', 'restricted'];
const passes = (a: WorldKind, b: WorldKind): boolean =>
  a !== 'blocked' && b !== 'blocked' && (LOOSE.includes(a) || LOOSE.includes(b) || (a === 'port-restricted' && b === 'port-restricted'));

describe.each(WORLD_KINDS)('from %s', (a) => {
  test.each(WORLD_KINDS)('to %s', (b) => {
    const outcome = punch([a, b], seededRandom(1), CLEAN);
    if (!passes(a, b)) return expect(outcome.ms).toBe(Infinity);
    expectOnePair(outcome);
    // Both first probes leave at once: a probe that is too early is made good after an interval.
    expect(outcome.ms).toBeLessThan(250);
  });
});

test('10,000 seeds with loss, reordering and duplication: both agree on one pair, or on none', { timeout: 120_000 }, async () => {
  const slow: number[] = [];
  await forEachSeed(10_000, (random, seed) => {
    const kinds = [random.pick(WORLD_KINDS), random.pick(WORLD_KINDS)] as const;
    const line: WorldLine = { delayMs: random.between(1, 80), jitterMs: random.between(0, 60), loss: random.next() * 0.3, duplication: random.next() * 0.2 };
    const outcome = punch(kinds, random, line);
    if (!passes(...kinds)) {
      expect(outcome.ms).toBe(Infinity);
      return;
    }
    expectOnePair(outcome);
    if (outcome.ms > 2_000) slow.push(seed);
  });
  // With a third of everything lost a pair in a thousand takes longer.
  expect(slow.length).toBeLessThan(20);
});

test('a NAT that counts its ports is met on the next ones', async () => {
  await forEachSeed(200, (random) => {
    const outcome = punch(['port-restricted', 'symmetric-sequential'], random, { ...CLEAN, loss: 0.1 }, (a, b) => {
      for (const port of predictPorts(b.observed.port, 1)) a.agent.addRemote({ host: b.observed.host, port }, 0);
      // Others use the NAT meanwhile.
      for (let i = random.below(8); i > 0; i--) b.host.leave(9_000 + i, SERVER);
      b.agent.addRemote(a.observed, 0);
    });
    expectOnePair(outcome);
  });
});

test('two NATs that count meet at a port ahead of both, whatever else uses up their ports meanwhile', async () => {
  await forEachSeed(200, (random) => {
    const outcome = punch(['symmetric-sequential', 'symmetric-sequential'], random, { ...CLEAN, loss: 0.1 }, (a, b) => {
      const meeting = [a, b].map(({ observed }) => ({ host: observed.host, port: meetingPort(observed.port, 1) ?? 0 }));
      for (const side of [a, b])
        for (let i = random.below(PATH_LIMITS.meetingAhead); i > 0; i--) side.host.leave(9_000 + i, SERVER);
      a.scatter(meeting[1] as HostPort, PATH_LIMITS.meetingSockets);
      b.scatter(meeting[0] as HostPort, PATH_LIMITS.meetingSockets);
    });
    expectOnePair(outcome);
  });
});

test('a NAT that picks ports at random is met within three seconds in 98 of 100 cases, and guessing stops there', { timeout: 120_000 }, async () => {
  const times: number[] = [];
  await forEachSeed(100, (random) => {
    const outcome = punch(['port-restricted', 'symmetric-random'], random, { ...CLEAN, loss: 0.1 }, (a, b) => {
      a.agent.startSpray(0, b.host.publicHost, 0);
      b.scatter(a.observed);
    });
    if (outcome.ms < Infinity) expectOnePair(outcome);
    expect(outcome.a.agent.sprayed).toBeLessThanOrEqual(PATH_LIMITS.sprayPerRound);
    const before = outcome.a.agent.sprayed;
    outcome.a.agent.pollTransmit(outcome.ms + 1_000);
    expect(outcome.a.agent.sprayed).toBe(before);
    times.push(outcome.ms);
  }, (cases) => expect(times.filter((ms) => ms <= 3_000).length).toBeGreaterThanOrEqual(0.98 * cases));
});

describe('strangers', () => {
  const world = (): { side: Side; remote: HostPort } => {
    const random = seededRandom(7);
    const side = new Side(new NatWorld(random, CLEAN).host('open'), 'host', random, 'right');
    return { side, remote: { host: '192.0.2.9', port: 4_000 } };
  };

  test('without the secret get no answer, and cannot nominate', () => {
    const { side, remote } = world();
    for (const kind of ['probe', 'nominate', 'answer', 'accepted'] as const) {
      const bytes = encodeProbe({ kind, from: 'controller', nonce: new Uint8Array(8) }, tag('wrong'));
      expect(side.agent.handle(0, remote, bytes, 1)).toBe(false);
    }
    expect(side.agent.pollTransmit(1)).toBeNull();
    expect(side.agent.nominated).toBeNull();
  });

  test('a datagram of ours that is thrown back is not taken', () => {
    const { side, remote } = world();
    side.agent.addRemote(remote, 0);
    const sent = side.agent.pollTransmit(1);
    expect(sent && side.agent.handle(0, remote, sent.bytes, 2)).toBe(false);
  });

  test('an answer that was made for another address does not make this one work', () => {
    const random = seededRandom(8);
    const controller = new Side(new NatWorld(random, CLEAN).host('open'), 'controller', random, 'k');
    controller.agent.addRemote({ host: '192.0.2.1', port: 1 }, 0);
    const probe = controller.agent.pollTransmit(1);
    const nonce = probe?.bytes.slice(4, 12) ?? new Uint8Array(8);
    const answer = encodeProbe({ kind: 'answer', from: 'host', nonce }, tag('k'));
    controller.agent.handle(0, { host: '192.0.2.66', port: 6 }, answer, 2);
    controller.agent.handle(0, { host: '192.0.2.66', port: 6 }, encodeProbe({ kind: 'accepted', from: 'host', nonce }, tag('k')), 3);
    expect(controller.agent.nominated).toBeNull();
    controller.agent.handle(0, { host: '192.0.2.1', port: 1 }, answer, 4);
    expect(controller.agent.pollTransmit(5)?.to).toEqual({ host: '192.0.2.1', port: 1 });
  });

  test('10,000 datagrams of any bytes change nothing', async () => {
    const { side, remote } = world();
    await forEachSeed(10_000, (random) => {
      expect(side.agent.handle(0, remote, random.bytes(random.below(64)), 1)).toBe(false);
    });
    expect(side.agent.pollTransmit(1)).toBeNull();
  });
});

test('many addresses are bounded, offered and discovered ones alike', () => {
  const random = seededRandom(9);
  const side = new Side(new NatWorld(random, CLEAN).host('open'), 'host', random, 'k');
  for (let i = 0; i < 500; i++) side.agent.addRemote({ host: '192.0.2.1', port: 1_000 + i }, 0);
  for (let i = 0; i < 500; i++)
    side.agent.handle(0, { host: '192.0.2.2', port: 1_000 + i }, encodeProbe({ kind: 'probe', from: 'controller', nonce: random.bytes(8) }, tag('k')), 1);
  let sent = 0;
  while (side.agent.pollTransmit(1_000)) sent += 1;
  expect(sent).toBeLessThan(200);
});
