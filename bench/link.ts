/** Throughput of our links over TCP beside plain TCP, in the same process and run, on the loopback. */
import { pathToFileURL } from 'node:url';
import { systemClock } from '../src/core/clock.ts';
import { systemRandom } from '../src/core/crypto/random.ts';
import { initCrypto, signKeyPair } from '../src/core/crypto/index.ts';
import type { Link } from '../src/core/link.ts';
import { MultipathLink } from '../src/core/native/multipath.ts';
import type { NetLink } from '../src/net/net-link.ts';
import { secureAsController, secureAsHost } from '../src/net/secure.ts';
import { TcpLink } from '../src/net/tcp-link.ts';
import { socketPair } from '../src/net/test-pairs.ts';

export interface LinkBenchResult {
  name: 'plain TCP' | 'TcpLink' | 'TcpLink, sealed' | 'TcpLink, native' | 'one path of several, native';
  frameBytes: number;
  /** Of payload, MiB/s, both ends in this one thread. */
  mibPerSecond: number;
  /** MiB of payload per second of processor time, both ends together. */
  mibPerCpuSecond: number;
  /** Throughput as a share of plain TCP with writes of the same size. */
  share: number;
}

export interface LinkBenchOptions {
  /** Payload bytes per measurement. */
  totalBytes?: number;
  frameSizes?: readonly number[];
}

const MIB = 1024 * 1024;
/** A typical delta frame of video, and a large key frame or file block. */
const FRAME_SIZES = [16 * 1024, 128 * 1024];

type Measure = (frameBytes: number, totalBytes: number) => Promise<void>;

const plainTcp: Measure = async (frameBytes, totalBytes) => {
  const [a, b, server] = await socketPair();
  const chunk = Buffer.alloc(frameBytes, 7);
  let received = 0;
  let sent = 0;
  await new Promise<void>((resolve) => {
    b.on('data', (data: Buffer) => {
      received += data.length;
      if (received >= totalBytes) resolve();
    });
    const write = (): void => {
      while (sent < totalBytes) {
        sent += chunk.length;
        if (!a.write(chunk)) return void a.once('drain', write);
      }
    };
    a.setNoDelay(true);
    write();
  });
  a.destroy();
  b.destroy();
  server.close();
};

async function overLink(sender: Link, receiver: Link, frameBytes: number, totalBytes: number): Promise<void> {
  const chunk = Buffer.alloc(frameBytes, 7);
  let received = 0;
  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    const write = (): void => {
      while (sent < totalBytes) {
        sent += chunk.length;
        if (!sender.send(chunk)) return;
      }
    };
    const onClose = (): void => reject(new Error('the link closed'));
    receiver.setHandlers({
      onFrame: (payload) => {
        received += payload.length;
        if (received >= totalBytes) resolve();
      },
      onClose,
    });
    sender.setHandlers({ onFrame: () => {}, onDrain: write, onClose });
    write();
  });
}

function linkMeasure(secure: Secure): Measure {
  return async (frameBytes, totalBytes) => {
    const [socketA, socketB, server] = await socketPair();
    const [a, b] = await secure(new TcpLink(socketA), new TcpLink(socketB));
    await overLink(a, b, frameBytes, totalBytes);
    a.setHandlers({ onFrame: () => {}, onClose: () => {} });
    b.setHandlers({ onFrame: () => {}, onClose: () => {} });
    a.destroy();
    b.destroy();
    server.close();
  };
}

type Secure = (a: NetLink, b: NetLink) => Promise<[Link, Link]>;

const sealed =
  (native: boolean): Secure =>
  async (a, b) => {
    const keys = signKeyPair();
    const id = '123456789';
    return await Promise.all([
      secureAsController(a, {
        peerId: id,
        hostKey: keys.publicKey,
        allowPlaintext: false,
        ...(native ? { native: { identity: null } } : {}),
      }),
      secureAsHost(b, {
        id,
        signSecretKey: keys.secretKey,
        allowPlaintext: false,
        native: { findSession: () => null },
      }),
    ]);
  };

/** The same native link as the only path of a session. */
const multipath: Secure = async (a, b) => {
  const [near, far] = await sealed(true)(a, b);
  const over = (link: Link, role: 'controller' | 'host'): Link =>
    new MultipathLink({ clock: systemClock, random: systemRandom, role, first: { link, kind: 'tcp' } });
  return [over(near, 'controller'), over(far, 'host')];
};

/** Measures each kind of link once warm. Takes some seconds. */
export async function benchLinks(options: LinkBenchOptions = {}): Promise<LinkBenchResult[]> {
  await initCrypto();
  const { totalBytes = 256 * MIB, frameSizes = FRAME_SIZES } = options;
  const kinds: [LinkBenchResult['name'], Measure][] = [
    ['plain TCP', plainTcp],
    ['TcpLink', linkMeasure(async (a, b) => [a, b])],
    ['TcpLink, sealed', linkMeasure(sealed(false))],
    ['TcpLink, native', linkMeasure(sealed(true))],
    ['one path of several, native', linkMeasure(multipath)],
  ];
  const results: LinkBenchResult[] = [];
  for (const frameBytes of frameSizes) {
    let plain = 0;
    for (const [name, measure] of kinds) {
      await measure(frameBytes, totalBytes / 8);
      const cpu = process.cpuUsage();
      const started = performance.now();
      await measure(frameBytes, totalBytes);
      const seconds = (performance.now() - started) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      const mibPerSecond = totalBytes / MIB / seconds;
      plain ||= mibPerSecond;
      results.push({
        name,
        frameBytes,
        mibPerSecond,
        mibPerCpuSecond: totalBytes / MIB / ((user + system) / 1e6),
        share: mibPerSecond / plain,
      });
    }
  }
  return results;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const result of await benchLinks())
    console.log(
      `${result.name.padEnd(16)} ${String(result.frameBytes / 1024).padStart(4)} KiB frames ` +
        `${result.mibPerSecond.toFixed(0).padStart(6)} MiB/s ${result.mibPerCpuSecond.toFixed(0).padStart(6)} MiB/CPU-s ` +
        `${(result.share * 100).toFixed(0).padStart(4)} % of plain TCP`,
    );
