import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { spawnSync } from 'node:child_process';
import { createLab, labUnavailable, type Lab, type NatKind, Probe } from './index.ts';
import { trySh } from './shell.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, the NAT laboratory: ${unavailable}`);

/** Long enough for a packet in a namespace, which takes well under a millisecond, and short for what must not come. */
const SILENCE_MS = 250;
const ARRIVES_MS = 5_000;

describe.skipIf(unavailable !== null)('the NAT laboratory', () => {
  let lab: Lab | undefined;
  afterEach(async () => {
    await lab?.destroy();
    lab = undefined;
  });

  interface Expected {
    /** One public port for one private port, whoever is talked to. */
    sameMapping: boolean;
    /** A datagram from an address never talked to comes in. */
    fromStranger: boolean;
    /** A datagram from a known address but another port comes in. */
    fromOtherPort: boolean;
  }
  const table: Array<[Exclude<NatKind, 'udp-blocked' | 'only-443'>, Expected]> = [
    ['open', { sameMapping: true, fromStranger: true, fromOtherPort: true }],
    ['full-cone', { sameMapping: true, fromStranger: true, fromOtherPort: true }],
    ['restricted', { sameMapping: true, fromStranger: false, fromOtherPort: true }],
    ['port-restricted', { sameMapping: true, fromStranger: false, fromOtherPort: false }],
    ['symmetric', { sameMapping: false, fromStranger: false, fromOtherPort: false }],
    ['symmetric-sequential', { sameMapping: false, fromStranger: false, fromOtherPort: false }],
  ];

  test.each(table)('%s maps and filters UDP as its name says', async (kind, expected) => {
    lab = await createLab({ hosts: { one: 'open', two: 'open', stranger: 'open', a: kind } });
    const [one, two, stranger, a] = ['one', 'two', 'stranger', 'a'].map((n) => new Probe((lab as Lab).host(n))) as [Probe, Probe, Probe, Probe];
    const reflectors = [
      { host: lab.host('one').address, port: await one.udpOpen({ reflect: true }) },
      { host: lab.host('two').address, port: await two.udpOpen({ reflect: true }) },
    ] as const;
    const port = await a.udpOpen();
    const seenByOne = await a.udpSeenAs(port, reflectors[0]);
    const seenByTwo = await a.udpSeenAs(port, reflectors[1]);
    expect(seenByOne.split(':')[0]).toBe(lab.host('a').publicAddress);
    expect(seenByOne === seenByTwo).toBe(expected.sameMapping);

    const publicPort = Number(seenByOne.split(':')[1]);
    const other = await one.udpOpen();
    await one.udpSend(other, lab.host('a').publicAddress, publicPort, 'other port');
    expect((await a.udpNext(port, expected.fromOtherPort ? ARRIVES_MS : SILENCE_MS))?.text).toBe(
      expected.fromOtherPort ? 'other port' : undefined,
    );
    const unknown = await stranger.udpOpen();
    await stranger.udpSend(unknown, lab.host('a').publicAddress, publicPort, 'stranger');
    expect((await a.udpNext(port, expected.fromStranger ? ARRIVES_MS : SILENCE_MS))?.text).toBe(
      expected.fromStranger ? 'stranger' : undefined,
    );
  });

  test.each([
    ['full-cone', true, true],
    ['restricted', true, false],
    ['port-restricted', true, false],
    ['symmetric', false, false],
    ['symmetric-sequential', false, false],
    ['udp-blocked', true, false],
  ] as Array<[NatKind, boolean, boolean]>)('%s maps and filters TCP as its name says', async (kind, sameMapping, fromStranger) => {
    lab = await createLab({ hosts: { one: 'open', two: 'open', stranger: 'open', a: kind } });
    const [one, two, stranger, a] = ['one', 'two', 'stranger', 'a'].map((n) => new Probe((lab as Lab).host(n))) as [Probe, Probe, Probe, Probe];
    const first = await a.tcpDial(lab.host('one').address, await one.tcpListen());
    const local = (await a.tcpOutcome(first, ARRIVES_MS))?.localPort ?? 0;
    const second = await a.tcpDial(lab.host('two').address, await two.tcpListen(), local);
    const [seenByOne, seenByTwo] = [await a.tcpTold(first, ARRIVES_MS), await a.tcpTold(second, ARRIVES_MS)];
    expect(seenByOne?.split(':')[0]).toBe(lab.host('a').publicAddress);
    expect(seenByOne === seenByTwo).toBe(sameMapping);

    await a.tcpListen(local);
    const dial = await stranger.tcpDial(lab.host('a').publicAddress, Number(seenByOne?.split(':')[1]));
    const outcome = await stranger.tcpOutcome(dial, fromStranger ? ARRIVES_MS : SILENCE_MS);
    expect(outcome?.ok).toBe(fromStranger ? true : undefined);
  });

  test('udp-blocked passes no datagram', async () => {
    lab = await createLab({ hosts: { one: 'open', a: 'udp-blocked' } });
    const [one, a] = [new Probe(lab.host('one')), new Probe(lab.host('a'))];
    const port = await one.udpOpen();
    await a.udpSend(await a.udpOpen(), lab.host('one').address, port, 'hello');
    expect(await one.udpNext(port, SILENCE_MS)).toBeNull();
  });

  test('a counting gateway gives ports one after the other, another one at random', async () => {
    lab = await createLab({ hosts: { one: 'open', a: 'symmetric-sequential', b: 'symmetric' } });
    const [one, a, b] = ['one', 'a', 'b'].map((n) => new Probe((lab as Lab).host(n))) as [Probe, Probe, Probe];
    const reflector = { host: lab.host('one').address, port: await one.udpOpen({ reflect: true }) };
    const ports = async (probe: Probe): Promise<number[]> => {
      const seen: number[] = [];
      for (let i = 0; i < 5; i++) seen.push(Number((await probe.udpSeenAs(await probe.udpOpen(), reflector)).split(':')[1]));
      return seen;
    };
    const counted = await ports(a);
    expect(counted).toEqual(counted.map((_, i) => (counted[0] ?? 0) + i));
    const random = await ports(b);
    expect(random).not.toEqual(random.map((_, i) => (random[0] ?? 0) + i));
  });

  test('only-443 lets connections to port 443 out and nothing else', async () => {
    lab = await createLab({ hosts: { one: 'open', a: 'only-443' } });
    const [one, a] = [new Probe(lab.host('one')), new Probe(lab.host('a'))];
    const { address } = lab.host('one');
    const dial = await a.tcpDial(address, await one.tcpListen(443));
    expect((await a.tcpOutcome(dial, ARRIVES_MS))?.ok).toBe(true);
    const other = await a.tcpDial(address, await one.tcpListen());
    expect(await a.tcpOutcome(other, SILENCE_MS)).toBeNull();
    const port = await one.udpOpen();
    await a.udpSend(await a.udpOpen(), address, port, 'hello');
    expect(await one.udpNext(port, SILENCE_MS)).toBeNull();
  });

  test.each([true, false])('two homes behind one carrier look alike from outside; the carrier turns back in: %s', async (hairpin) => {
    lab = await createLab({
      hosts: {
        one: 'open',
        a: { kind: 'port-restricted', carrier: 'port-restricted', hairpin },
        b: { kind: 'port-restricted', carrierOf: 'a' },
      },
    });
    const [one, a, b] = ['one', 'a', 'b'].map((n) => new Probe((lab as Lab).host(n))) as [Probe, Probe, Probe];
    const reflector = { host: lab.host('one').address, port: await one.udpOpen({ reflect: true }) };
    const [aPort, bPort] = [await a.udpOpen(), await b.udpOpen()];
    const [aSeen, bSeen] = [await a.udpSeenAs(aPort, reflector), await b.udpSeenAs(bPort, reflector)];
    expect(aSeen.split(':')[0]).toBe(lab.host('a').publicAddress);
    expect(bSeen.split(':')[0]).toBe(lab.host('a').publicAddress);
    expect(lab.host('b').publicAddress).toBe(lab.host('a').publicAddress);
    const send = (probe: Probe, from: number, to: string, text: string): Promise<void> =>
      probe.udpSend(from, to.split(':')[0] ?? '', Number(to.split(':')[1]), text);
    await send(a, aPort, bSeen, 'open the door');
    await send(b, bPort, aSeen, 'hello');
    const got = await a.udpNext(aPort, hairpin ? ARRIVES_MS : SILENCE_MS);
    expect(got?.text).toBe(hairpin ? 'hello' : undefined);
    if (hairpin) expect(`${got?.address}:${got?.port}`).toBe(bSeen);
  });

  test('a firewall over IPv6 lets in what answers, and nothing else', async () => {
    lab = await createLab({ hosts: { a: 'symmetric', b: 'symmetric' }, ipv6: 'firewalled' });
    const [a, b] = [new Probe(lab.host('a')), new Probe(lab.host('b'))];
    const [aHost, bHost] = await Promise.all([a.ownIPv6(), b.ownIPv6()]);
    const [aPort, bPort] = [await a.udpOpen({ ipv6: true }), await b.udpOpen({ ipv6: true })];
    await b.udpSend(bPort, aHost, aPort, 'unasked');
    expect(await a.udpNext(aPort, SILENCE_MS)).toBeNull();
    await a.udpSend(aPort, bHost, bPort, 'open the door');
    await b.udpSend(bPort, aHost, aPort, 'answer');
    expect((await a.udpNext(aPort, ARRIVES_MS))?.text).toBe('answer');
  });

  test('two hosts of one LAN reach each other there, and look alike from outside', async () => {
    lab = await createLab({ hosts: { one: 'open', a: 'port-restricted', b: { behind: 'a' } } });
    const [one, a, b] = ['one', 'a', 'b'].map((n) => new Probe((lab as Lab).host(n))) as [Probe, Probe, Probe];
    const dial = await a.tcpDial(lab.host('b').address, await b.tcpListen());
    expect((await a.tcpOutcome(dial, ARRIVES_MS))?.ok).toBe(true);
    const reflector = { host: lab.host('one').address, port: await one.udpOpen({ reflect: true }) };
    for (const probe of [a, b])
      expect((await probe.udpSeenAs(await probe.udpOpen(), reflector)).split(':')[0]).toBe(lab.host('a').publicAddress);
  });

  describe('two port-restricted gateways and TCP', () => {
    let pair: Lab;
    let a: Probe;
    let b: Probe;
    let aPort: number;
    let bPort: number;
    const address = (name: string) => pair.host(name).publicAddress;

    beforeAll(async () => {
      pair = await createLab({ hosts: { one: 'open', a: 'port-restricted', b: 'port-restricted' } });
      a = new Probe(pair.host('a'));
      b = new Probe(pair.host('b'));
      const one = new Probe(pair.host('one'));
      const port = await one.tcpListen();
      const local = async (probe: Probe): Promise<number> => {
        const dial = await probe.tcpDial(pair.host('one').address, port);
        return (await probe.tcpOutcome(dial, ARRIVES_MS))?.localPort ?? 0;
      };
      [aPort, bPort] = [await local(a), await local(b)];
    });
    afterAll(() => pair.destroy());

    test('a dial left pending meets the other dial in a simultaneous open', async () => {
      const early = await b.tcpDial(address('a'), aPort, bPort);
      expect(await b.tcpOutcome(early, 50)).toBeNull();
      const late = await a.tcpDial(address('b'), bPort, aPort);
      expect((await a.tcpOutcome(late, ARRIVES_MS))?.ok).toBe(true);
      expect((await b.tcpOutcome(early, ARRIVES_MS))?.ok).toBe(true);
      await Promise.all([a.tcpClose(late), b.tcpClose(early)]);
    });

    test('a listener behind a hole that a closed dial opened is not reached', async () => {
      const one = new Probe(pair.host('one'));
      const port = await one.tcpListen();
      const dials = [await a.tcpDial(pair.host('one').address, port), await b.tcpDial(pair.host('one').address, port)] as const;
      const from = (await a.tcpOutcome(dials[0], ARRIVES_MS))?.localPort ?? 0;
      const to = (await b.tcpOutcome(dials[1], ARRIVES_MS))?.localPort ?? 0;
      const hole = await b.tcpDial(address('a'), from, to);
      expect(await b.tcpOutcome(hole, 30)).toBeNull();
      await b.tcpClose(hole);
      await b.tcpListen(to);
      const dial = await a.tcpDial(address('b'), to, from);
      expect(await a.tcpOutcome(dial, 1_500)).toBeNull();
    });
  });

  test('a capture of the segment holds what crosses it, and nothing of a LAN', async () => {
    lab = await createLab({ hosts: { one: 'open', a: 'port-restricted', b: { behind: 'a' } } });
    const capture = await lab.capture();
    const [one, a, b] = ['one', 'a', 'b'].map((n) => new Probe((lab as Lab).host(n))) as [Probe, Probe, Probe];
    const outside = await one.udpOpen();
    const inside = await b.udpOpen();
    const port = await a.udpOpen();
    await a.udpSend(port, lab.host('one').address, outside, 'words for the world');
    await a.udpSend(port, lab.host('b').address, inside, 'words for the neighbour');
    expect(await one.udpNext(outside, ARRIVES_MS)).not.toBeNull();
    expect(await b.udpNext(inside, ARRIVES_MS)).not.toBeNull();
    const bytes = await capture.stop();
    expect(bytes.includes('words for the world')).toBe(true);
    expect(bytes.includes('words for the neighbour')).toBe(false);
  });

  test('a lab leaves nothing behind, and the leftovers of a dead owner go with the next one', async () => {
    const dead = spawnSync('true').pid;
    expect(trySh(`ip netns add ldlab-${dead}-1-pub`)).not.toBeNull();
    lab = await createLab({ hosts: { a: 'port-restricted' } });
    expect(trySh('ip netns list')).not.toContain(`ldlab-${dead}-`);
    const child = lab.host('a').spawn('sleep', ['1000']);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await lab.destroy();
    await ended;
    expect(trySh('ip netns list')).not.toContain(`ldlab-${process.pid}-`);
  });
});
