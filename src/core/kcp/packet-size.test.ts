/** Larger datagrams where the path carries them, and none where it does not. */
import { describe, expect, test } from 'vitest';
import { forEachSeed, type SeededRandom, seededRandom } from '../testing/seeds.ts';
import { StockKcp } from '../testing/stock-kcp.ts';
import { DATAGRAM, ENDPOINT_HEADER, KCP_HEADER, MAX_DATAGRAM } from './constants.ts';
import { KcpEndpoint } from './endpoint.ts';
import { type Driven, join } from './fixtures.ts';

type Peer = Driven & { read(): Uint8Array | undefined };

/** Behind a path that drops what is longer than its limit. */
class Behind implements Peer {
  readonly peer: Peer;
  readonly #limit: number;
  largest = 0;
  tooLarge = 0;

  constructor(peer: Peer, limit: number) {
    this.peer = peer;
    this.#limit = limit;
  }

  handle(nowMs: number, datagram: Uint8Array): void {
    if (datagram.length > this.#limit) this.tooLarge++;
    else {
      this.largest = Math.max(this.largest, datagram.length);
      this.peer.handle(nowMs, datagram);
    }
  }
  pollTransmit(nowMs: number, out: Uint8Array, at: number): number {
    return this.peer.pollTransmit(nowMs, out, at);
  }
  pollTimeout(nowMs: number): number {
    return this.peer.pollTimeout(nowMs);
  }
  read(): Uint8Array | undefined {
    return this.peer.read();
  }
}

/** Sends so many known bytes to `peer`, which must get them all; what it saw. */
function carry(peer: Peer, random: SeededRandom, options: { limit: number; loss?: number; bytes?: number }): Behind {
  const total = options.bytes ?? 400_000;
  const sender = new KcpEndpoint({ role: 'connector', nowMs: 0, conv: 1 });
  const receiver = new Behind(peer, options.limit);
  const shape = { delayMs: 5, loss: options.loss ?? 0 };
  const ends = join(sender, receiver, { there: shape, back: shape }, random);
  let [written, received, now, asked] = [0, 0, 0, false];
  while (received < total || sender.waiting > 0) {
    for (const end of ends) {
      const provoked = end.receive(now);
      if (sender.state === 'established' && !asked) {
        asked = true;
        sender.tryDatagram(now, MAX_DATAGRAM);
      }
      // Slow enough that the trials are over before the last of it.
      const length = Math.min(total - written, 2_000, Math.floor((now - 20) * 100) - written);
      if (length > 0) written += sender.write(Uint8Array.from({ length }, (_, i) => (written + i) % 251));
      for (let data = receiver.read(); data !== undefined; data = receiver.read())
        for (const byte of data) if (byte !== received++ % 251) throw new Error(`byte ${received - 1} differs`);
      end.transmit(now, provoked);
    }
    now = Math.max(now + 0.01, Math.min(...ends.map((end) => end.nextAt(now)), written < total ? now + 5 : Infinity));
    if (now > 60_000) throw new Error(`stuck at ${received} of ${total} bytes`);
  }
  return receiver;
}

const acceptor = (): KcpEndpoint => new KcpEndpoint({ role: 'acceptor', nowMs: 0 });

describe('datagrams', () => {
  test('are as long as the path carries, to one of us and to a stock peer', () => {
    for (const peer of [acceptor(), new StockKcp('acceptor', 1)])
      expect(carry(peer, seededRandom(1), { limit: MAX_DATAGRAM }).largest).toBe(MAX_DATAGRAM);
  });

  test('stay as they were where three trials of longer ones do not arrive', () => {
    const { largest, tooLarge } = carry(acceptor(), seededRandom(1), { limit: MAX_DATAGRAM - 1 });
    expect(largest).toBeLessThanOrEqual(DATAGRAM);
    expect(tooLarge).toBe(3);
  });

  test('whatever is lost, every byte arrives, and none is longer than an arrived trial: 80 seeds', async () => {
    let grown = 0;
    await forEachSeed(
      80,
      (random) => {
        const limit = random.pick([DATAGRAM, MAX_DATAGRAM]);
        const { largest, tooLarge } = carry(acceptor(), random, { limit, loss: 0.3 * random.next(), bytes: 100_000 });
        if (limit === DATAGRAM) expect(tooLarge).toBeLessThanOrEqual(3);
        else if (largest === MAX_DATAGRAM) grown++;
      },
      (cases) => expect(grown).toBeGreaterThan(cases / 3),
    );
  });

  test('a trial says nothing of what the sender holds', () => {
    const sender = new KcpEndpoint({ role: 'connector', nowMs: 0, conv: 1 });
    const trials: Uint8Array[] = [];
    const watching: Peer = acceptor();
    const watched: Peer = {
      handle: (nowMs, datagram) => {
        if (datagram.length === MAX_DATAGRAM) trials.push(datagram.slice());
        watching.handle(nowMs, datagram);
      },
      pollTransmit: (nowMs, out, at) => watching.pollTransmit(nowMs, out, at),
      pollTimeout: (nowMs) => watching.pollTimeout(nowMs),
      read: () => watching.read(),
    };
    const ends = join(sender, watched, { there: { delayMs: 5 }, back: { delayMs: 5 } }, seededRandom(1));
    let wrote = false;
    for (let now = 0; now < 300; now++)
      for (const end of ends) {
        end.receive(now);
        if (sender.state === 'established' && !wrote) {
          wrote = true;
          sender.tryDatagram(now, MAX_DATAGRAM);
          sender.write(new Uint8Array(3_000).fill(7));
        }
        end.transmit(now, true);
      }
    expect(trials).toHaveLength(1);
    expect(trials[0]?.subarray(ENDPOINT_HEADER + KCP_HEADER).every((byte) => byte === 0)).toBe(true);
  });
});
