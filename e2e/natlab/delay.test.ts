import { afterEach, describe, expect, test } from 'vitest';
import { createLab, delayUnavailable, type Lab, Probe } from './index.ts';

const unavailable = delayUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, delays in the NAT laboratory: ${unavailable}`);

const ARRIVES_MS = 5_000;

describe.skipIf(unavailable !== null)('delays in the NAT laboratory', () => {
  let lab: Lab | undefined;
  afterEach(async () => {
    await lab?.destroy();
    lab = undefined;
  });

  /** Milliseconds from sending a datagram on `from` to its arrival at `to`. */
  async function oneWay(from: Probe, to: Probe, toHost: string): Promise<number> {
    const [source, target] = [await from.udpOpen(), await to.udpOpen()];
    const started = performance.now();
    await from.udpSend(source, toHost, target, 'x');
    expect(await to.udpNext(target, ARRIVES_MS)).not.toBeNull();
    return performance.now() - started;
  }

  test('a datagram never arrives before its delay, in either direction and behind a gateway, and the delay can change', async () => {
    lab = await createLab({ hosts: { a: 'open', b: 'port-restricted' } });
    const [a, b] = [lab.host('a'), lab.host('b')];
    const [near, far] = [new Probe(a), new Probe(b)];
    await lab.setDelay('a', { up: { delayMs: 60 }, down: { delayMs: 20 } });
    expect(await oneWay(far, near, a.address)).toBeGreaterThanOrEqual(20);
    await lab.setDelay('b', { up: { delayMs: 100 } });
    expect(await oneWay(far, near, a.address)).toBeGreaterThanOrEqual(120);
    // TCP through both: SYN and its answer pay for both ways.
    const listening = await near.tcpListen();
    const dialled = await far.tcpDial(a.address, listening);
    const outcome = await far.tcpOutcome(dialled, ARRIVES_MS);
    expect(outcome?.ok).toBe(true);
    expect(outcome?.ms).toBeGreaterThanOrEqual(100 + 20 + 60 + 100);
  });

  test('loss is what the shape says, and a full queue drops', async () => {
    lab = await createLab({ hosts: { a: 'open', b: 'open' } });
    const [a, b] = [new Probe(lab.host('a')), new Probe(lab.host('b'))];
    const [source, target] = [await a.udpOpen(), await b.udpOpen()];
    const send = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await a.udpSend(source, (lab as Lab).host('b').address, target, 'x');
    };
    await send(1);
    expect(await b.udpNext(target, ARRIVES_MS)).not.toBeNull();

    await lab.setDelay('a', { up: { delayMs: 0, loss: 1 }, down: { delayMs: 0 } });
    await send(20);
    const { up: gone, down } = await lab.delayStats('a');
    expect(gone.lost).toBe(20);
    expect(down.lost).toBe(0);

    // 43 bytes a frame: ten are in the queue when the first has not left yet.
    await lab.setDelay('a', { up: { delayMs: 0, rateBps: 400, queueBytes: 430 } });
    await send(40);
    const { up: full } = await lab.delayStats('a');
    expect(full.dropped).toBeGreaterThan(20);
    expect(full.queueDelayMs.max).toBeGreaterThan(1_000);
  });
});
