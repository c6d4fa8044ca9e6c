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
    const { address } = lab.host('b');
    const send = async (count: number, text: string): Promise<void> => {
      for (let i = 0; i < count; i++) await a.udpSend(source, address, target, text);
    };
    const arrived = async (): Promise<string | undefined> => (await b.udpNext(target, ARRIVES_MS))?.text;
    await send(1, 'before');
    expect(await arrived()).toBe('before');

    // Frames of the network itself (neighbours, router solicitations) go the same way: more may be lost, never fewer.
    await lab.setDelay('a', { up: { delayMs: 0, loss: 1 }, down: { delayMs: 0 } });
    await send(20, 'lost');
    await lab.setDelay('a', { up: { delayMs: 0 } });
    await send(1, 'after');
    expect(await arrived()).toBe('after');
    const { up: gone, down } = await lab.delayStats('a');
    expect(gone.lost).toBeGreaterThanOrEqual(20);
    expect(down.lost).toBe(0);

    // 43 bytes a frame: ten are in the queue when the first has not left yet.
    await lab.setDelay('a', { up: { delayMs: 0, rateBps: 400, queueBytes: 430 } });
    await send(40, 'x');
    // The last of them may still be on their way to the forwarder.
    for (let [dropped, queuedMs] = [0, 0]; dropped <= 20 || queuedMs <= 1_000; ) {
      const { up } = await lab.delayStats('a');
      dropped += up.dropped;
      queuedMs = Math.max(queuedMs, up.queueDelayMs.max);
    }
  });
});
