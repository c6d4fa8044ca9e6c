/** What every NetLink must do, as tests: run it from a `*.test.ts` on each kind of link. */
import type { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { LiteDeskError } from '../core/errors.ts';
import { joinParts, sendParts } from '../core/link.ts';
import type { NetLink } from './net-link.ts';
import { digest, LinkProbe, pattern, readBytes, turn, turns } from './test-link-probe.ts';

/** Two ends of one fresh connection; `cleanup` frees whatever else was opened for it. */
export type LinkPair = [NetLink, NetLink, () => void | Promise<void>];

export interface ComplianceOptions {
  /** Bytes that may wait in one link when its peer does not read, before send() must have said no. */
  maxQueued?: number;
  /** Frames a sender may get off, in the system's buffers too, before a peer that does not read stops it. Bytes. */
  maxInFlight?: number;
  /** False: the link has no way into raw bytes and must say so. */
  raw?: boolean;
}

/** The sizes around every step of the frame header and of the usual buffers. */
const SIZES = [
  0, 1, 2, 15, 16, 17, 62, 63, 64, 255, 256, 1399, 1400, 4095, 4096, 4097, 16_367, 16_368, 16_383, 16_384,
  65_535, 65_536, 70_000,
];

/** The bytes of a link whose other end is cut when the test has seen enough: some kinds tell of that as an error. */
const rawOf = (link: NetLink): Duplex => link.takeRaw().on('error', () => {});

/** Registers the tests of one kind of link under `name`. */
export function linkCompliance(
  name: string,
  makePair: () => Promise<LinkPair>,
  options: ComplianceOptions = {},
): void {
  const { maxQueued = 4 * 1024 * 1024, maxInFlight = 64 * 1024 * 1024 } = options;

  const withPair = async (run: (a: NetLink, b: NetLink) => Promise<void>): Promise<void> => {
    const [a, b, cleanup] = await makePair();
    try {
      await run(a, b);
    } finally {
      a.destroy();
      b.destroy();
      await cleanup();
    }
  };
  /** The same both ways round: the ends of a link need not be alike. */
  const bothWays = (title: string, run: (a: NetLink, b: NetLink) => Promise<void>): void => {
    test(title, async () => {
      await withPair(run);
      await withPair((a, b) => run(b, a));
    });
  };

  describe(`link compliance: ${name}`, () => {
    test('carries frames of every size, whole and in order, both ways at once', async () => {
      await withPair(async (a, b) => {
        const [atA, atB] = [new LinkProbe().attach(a), new LinkProbe().attach(b)];
        const sizes = [...SIZES, 1024 * 1024, ...Array.from({ length: 200 }, (_, i) => (i * 349) % 3000)];
        for (const [i, size] of sizes.entries()) {
          a.send(pattern(size, i));
          b.send(pattern(size, i + 1000));
        }
        await atB.until(() => atB.frames.length === sizes.length);
        await atA.until(() => atA.frames.length === sizes.length);
        expect(atB.frames.map(digest)).toEqual(sizes.map((size, i) => digest(pattern(size, i))));
        expect(atA.frames.map(digest)).toEqual(sizes.map((size, i) => digest(pattern(size, i + 1000))));
        expect(a.stats.framesOut).toBeGreaterThanOrEqual(sizes.length);
        expect(b.stats.framesIn).toBeGreaterThanOrEqual(sizes.length);
      });
    });

    bothWays('frees memory that it was given only when it is done with, and no other', async (a, b) => {
      const [atA, atB] = [new LinkProbe().attach(a), new LinkProbe()];
      const sizes = [10, 5_000, 40_000, 70_000, 300_000];
      // The same memory in every frame, as with a record that leaves again by another path.
      const kept = pattern(100_000, 1);
      const sent: string[] = [];
      for (const [i, size] of sizes.entries()) {
        const bytes = pattern(size, i);
        const tail = pattern(9, i);
        sent.push(digest(bytes), digest(joinParts([kept, tail])));
        // The second piece is the end of a buffer that is used up in pieces.
        const half = Math.floor(size / 2);
        sendParts(a, [bytes.slice(0, half), bytes.subarray(half)], true);
        sendParts(a, [kept, tail]);
      }
      await turns(20);
      atB.attach(b);
      await atB.until(() => atB.frames.length === sent.length);
      // What was delivered is its receiver's, whatever came after it.
      for (const size of sizes) b.send(pattern(size, size));
      await atA.until(() => atA.frames.length === sizes.length);
      expect(atB.frames.map(digest)).toEqual(sent);
      expect(digest(kept)).toBe(digest(pattern(100_000, 1)));
    });

    bothWays('keeps frames and the end for handlers that come late', async (a, b) => {
      const atA = new LinkProbe().attach(a);
      for (let i = 0; i < 50; i++) a.send(pattern(i * 7, i));
      a.close();
      await turns(20);
      const atB = new LinkProbe().attach(b);
      await atB.closed();
      expect(atB.frames.map(digest)).toEqual(Array.from({ length: 50 }, (_, i) => digest(pattern(i * 7, i))));
      expect(atB.closes.map((close) => close.by)).toEqual(['remote']);
      await atA.closed();
      expect(atA.closes.map((close) => close.by)).toEqual(['local']);
    });

    bothWays('delivers nothing while paused, from the very next frame on', async (a, b) => {
      const atB = new LinkProbe();
      atB.onFrame = () => b.pause();
      atB.attach(b);
      for (let i = 0; i < 5; i++) a.send(Uint8Array.of(i, i));
      for (let i = 1; i <= 5; i++) {
        await atB.until(() => atB.frames.length === i);
        await turns(5);
        expect(atB.frames.length).toBe(i);
        b.resume();
      }
      expect(atB.frames.map((frame) => frame[0])).toEqual([0, 1, 2, 3, 4]);
    });

    bothWays('takes no frame beyond the limit, which may be raised between two frames', async (a, b) => {
      const [atA, atB] = [new LinkProbe().attach(a), new LinkProbe()];
      b.setMaxPayload(1000);
      atB.onFrame = () => b.setMaxPayload(atB.frames.length === 1 ? 3000 : 1000);
      atB.attach(b);
      for (const size of [1000, 3000]) {
        a.send(pattern(size, size));
        await atB.until(() => atB.frames.length === (size === 1000 ? 1 : 2));
      }
      a.send(pattern(1001, 3));
      await atB.closed();
      await atA.closed();
      expect(atB.frames.map((frame) => frame.length)).toEqual([1000, 3000]);
      expect(atB.closes.map((close) => close.by)).toEqual(['error']);
    });

    bothWays('hands over to new handlers between two frames', async (a, b) => {
      const second = new LinkProbe();
      const first = new LinkProbe();
      first.onFrame = () => second.attach(b);
      first.attach(b);
      for (let i = 0; i < 10; i++) a.send(Uint8Array.of(i, i));
      await second.until(() => second.frames.length === 9);
      expect(first.frames.length).toBe(1);
      expect(second.frames[0]?.[0]).toBe(1);
    });

    bothWays('stops a sender whose peer does not read, and lets it go on later', async (a, b) => {
      const atA = new LinkProbe().attach(a);
      const atB = new LinkProbe().attach(b);
      b.pause();
      const frame = pattern(64 * 1024, 1);
      let sent = 0;
      // The system's own buffers fill first, so some turns are needed until the link says no for good.
      for (let idle = 0; idle < 50 && sent * frame.length < maxInFlight; ) {
        const before = sent;
        while (a.bufferedBytes < maxQueued && sent * frame.length < maxInFlight) {
          sent++;
          if (!a.send(frame)) break;
        }
        await turn();
        idle = sent > before && a.bufferedBytes === 0 ? 0 : idle + 1;
        if (a.bufferedBytes > 0) break;
      }
      const drainsBefore = atA.drains;
      expect(a.bufferedBytes).toBeGreaterThan(0);
      expect(sent * frame.length).toBeLessThan(maxInFlight);
      let full = false;
      while (!full) {
        full = !a.send(frame);
        sent++;
        expect(a.bufferedBytes).toBeLessThanOrEqual(maxQueued);
      }
      b.resume();
      await atA.until(() => atA.drains > drainsBefore);
      await atB.until(() => atB.frames.length === sent);
      expect(new Set(atB.frames.map(digest))).toEqual(new Set([digest(frame)]));
    });

    bothWays('an orderly close loses nothing and is told once to each side', async (a, b) => {
      const [atA, atB] = [new LinkProbe().attach(a), new LinkProbe().attach(b)];
      const count = 40;
      for (let i = 0; i < count; i++) a.send(pattern(10_000, i));
      a.close();
      a.close();
      expect(a.send(Uint8Array.of(1, 2))).toBe(false);
      await atB.closed();
      await atA.closed();
      expect(a.closed && b.closed).toBe(true);
      await turns(10);
      expect(atB.frames.map(digest)).toEqual(
        Array.from({ length: count }, (_, i) => digest(pattern(10_000, i))),
      );
      expect(atB.closes.map((close) => close.by)).toEqual(['remote']);
      expect(atA.closes.map((close) => close.by)).toEqual(['local']);
    });

    bothWays('a close from within onFrame delivers no further frame', async (a, b) => {
      const atB = new LinkProbe();
      atB.onFrame = () => b.close();
      atB.attach(b);
      const atA = new LinkProbe().attach(a);
      for (let i = 0; i < 10; i++) a.send(Uint8Array.of(i, i));
      await atB.closed();
      expect(atB.frames.length).toBe(1);
      expect(atB.closes.map((close) => close.by)).toEqual(['local']);
      await atA.closed();
      expect(atA.closes.length).toBe(1);
    });

    bothWays('both sides closing at once end in order', async (a, b) => {
      const [atA, atB] = [new LinkProbe().attach(a), new LinkProbe().attach(b)];
      a.close();
      b.close();
      await atA.closed();
      await atB.closed();
      expect([atA.closes.length, atB.closes.length]).toEqual([1, 1]);
    });

    bothWays('destroy ends at once, with its error here and without a hang there', async (a, b) => {
      const [atA, atB] = [new LinkProbe().attach(a), new LinkProbe().attach(b)];
      const error = new Error('enough');
      a.destroy(error);
      expect(a.closed).toBe(true);
      expect(a.send(Uint8Array.of(1))).toBe(false);
      await atA.closed();
      a.destroy();
      a.close();
      await atB.closed();
      await turns(10);
      expect(atA.closes).toEqual([{ by: 'error', error }]);
      expect(atB.closes.length).toBe(1);
      expect(atB.closes[0]?.by).not.toBe('local');
    });

    bothWays('a peer that vanishes while data is under way ends the link once', async (a, b) => {
      const [atA, atB] = [new LinkProbe().attach(a), new LinkProbe().attach(b)];
      b.pause();
      for (let i = 0; i < 20; i++) a.send(pattern(60_000, i));
      await turns(3);
      b.destroy();
      await atA.closed();
      await atB.closed();
      await turns(10);
      expect(atA.closes.length).toBe(1);
      expect(atA.closes[0]?.by).not.toBe('local');
      expect(atB.closes).toEqual([{ by: 'local' }]);
    });

    bothWays('a handler that throws breaks its link only', async (a, b) => {
      const atB = new LinkProbe();
      atB.onFrame = () => {
        throw new Error('handler bug');
      };
      atB.attach(b);
      a.send(Uint8Array.of(1, 2));
      await atB.closed();
      expect(atB.closes.map((close) => close.by)).toEqual(['error']);
    });

    if (options.raw === false) {
      bothWays('refuses to turn raw and goes on', async (a, b) => {
        const atB = new LinkProbe().attach(b);
        expect(() => a.takeRaw()).toThrow(LiteDeskError);
        a.send(Uint8Array.of(1, 2));
        await atB.until(() => atB.frames.length === 1);
      });
      return;
    }

    bothWays('turns raw behind a frame and loses no byte', async (a, b) => {
      const atA = new LinkProbe().attach(a);
      const atB = new LinkProbe();
      const switched = new Promise<Duplex>((resolve) => {
        atB.onFrame = (payload) => {
          // Later than onFrame, but paused meanwhile.
          b.pause();
          if (payload.length === 3) queueMicrotask(() => resolve(rawOf(b)));
          else b.resume();
        };
      });
      atB.attach(b);
      a.send(Uint8Array.of(1, 2));
      a.send(Uint8Array.of(1, 2, 3));
      const rawA = rawOf(a);
      const out = Buffer.from(pattern(200_000, 5));
      // The first byte would be a frame header that announces nonsense.
      out[0] = 0xff;
      rawA.write(out.subarray(0, 10));
      const rawB = await switched;
      rawA.write(out.subarray(10));
      expect(digest(await readBytes(rawB, out.length))).toBe(digest(out));
      const back = Buffer.from(pattern(5000, 6));
      rawB.write(back);
      expect(digest(await readBytes(rawA, back.length))).toBe(digest(back));
      expect(a.closed && b.closed).toBe(true);
      const ended = new Promise<void>((resolve) => rawB.once('end', resolve));
      rawB.resume();
      rawA.end();
      await ended;
      rawB.end();
      for (const raw of [rawA, rawB]) raw.destroy();
      expect([atA.closes, atB.closes]).toEqual([[], []]);
    });

    bothWays('turns raw from within onFrame, read at once', async (a, b) => {
      const atB = new LinkProbe();
      const out = Buffer.from(pattern(100_000, 7));
      const read = new Promise<Buffer>((resolve, reject) => {
        atB.onFrame = () => readBytes(rawOf(b), out.length).then(resolve, reject);
      });
      atB.attach(b);
      a.send(Uint8Array.of(1, 2));
      const rawA = rawOf(a);
      rawA.write(out);
      expect(digest(await read)).toBe(digest(out));
      expect(atB.frames.length).toBe(1);
      rawA.destroy();
    });

    bothWays('a raw stream gives all its bytes before its end', async (a, b) => {
      new LinkProbe().attach(b);
      const rawA = rawOf(a);
      const rawB = rawOf(b);
      const out = Buffer.from(pattern(50_000, 8));
      rawA.end(out);
      await turns(20);
      const ended = new Promise<void>((resolve) => rawB.once('end', resolve));
      const chunks: Buffer[] = [];
      rawB.on('data', (chunk: Buffer) => chunks.push(chunk));
      rawB.resume();
      await ended;
      expect(digest(Buffer.concat(chunks))).toBe(digest(out));
      rawA.destroy();
      rawB.destroy();
    });
  });
}
