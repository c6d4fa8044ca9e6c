/** One end of a measurement, a process of its own: `node end.ts '{"role":…}'`. The receiver prints its report as JSON. */
import { once } from 'node:events';
import { createServer, type Socket as TcpSocket } from 'node:net';
import type { Link } from '../../src/core/link.ts';
import { CHANNEL } from '../../src/core/native/contract.ts';
import { createPunchSocket, punchUdp } from '../../src/net/kcp-link.ts';
import type { NetLink } from '../../src/net/net-link.ts';
import { dialTcp, TcpLink } from '../../src/net/tcp.ts';
import { nativeLink } from './native-link.ts';
import { stockSender } from './stock-sender.ts';
import { setTcpKind } from './tcp-kind.ts';
import { BULK_FRAME, type EndOptions, FIRST_BYTES, percentile, type Report, SMALL_EVERY_MS, SMALL_FRAME } from './wire.ts';

/** What a sender needs of whatever carries its frames. */
export interface FrameSender {
  /** False: wait for `onDrain`. */
  send(frame: Uint8Array): boolean;
  /** By a way of its own past the bulk, where the carrier has one. */
  sendSmall(frame: Uint8Array): void;
  onDrain: () => void;
}

/** Small, so that what is measured is the kernel's queue and not the program's. */
const TCP_MARKS = { high: 32 * 1024, low: 16 * 1024 };

const nowNs = (): bigint => process.hrtime.bigint();

async function openCarrier(options: EndOptions): Promise<NetLink> {
  const { role, carrier, address, peer, port } = options;
  if (carrier === 'tcp') {
    if (role === 'send') {
      const socket = await dialTcp({ host: peer, port });
      setTcpKind(socket, options.tcpKind ?? 'cubic');
      return new TcpLink(socket, { marks: TCP_MARKS });
    }
    const server = createServer().listen(port, address);
    const [socket] = (await once(server, 'connection')) as [TcpSocket];
    server.close();
    return new TcpLink(socket);
  }
  const socket = createPunchSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return punchUdp({ socket, remote: { host: peer, port }, role: role === 'send' ? 'connector' : 'acceptor' });
}

/** What carries the bulk, and what the small messages: two channels of one link, or the same link. */
async function open(options: EndOptions): Promise<{ bulk: Link; small: Link }> {
  const link = await openCarrier(options);
  if (options.carrier !== 'native') return { bulk: link, small: link };
  const small = await nativeLink(link, options);
  return { bulk: small.channel(CHANNEL.streams), small };
}

async function sender(options: EndOptions): Promise<FrameSender> {
  if (options.carrier === 'stock') return stockSender(options);
  const { bulk, small } = await open(options);
  const frames: FrameSender = {
    send: (frame) => bulk.send(frame),
    sendSmall: (frame) => void small.send(frame),
    onDrain: () => {},
  };
  for (const link of new Set([bulk, small]))
    link.setHandlers({ onFrame: () => {}, onDrain: () => frames.onDrain(), onClose: () => process.exit(0) });
  return frames;
}

async function send(options: EndOptions): Promise<void> {
  const frames = await sender(options);
  const bulk = new Uint8Array(BULK_FRAME);
  const fill = (): void => {
    while (frames.send(bulk));
  };
  const sendSmall = (): void => {
    const small = Buffer.alloc(SMALL_FRAME);
    small.writeBigUInt64LE(nowNs());
    frames.sendSmall(small);
  };
  frames.onDrain = fill;
  setInterval(sendSmall, SMALL_EVERY_MS);
  // The first tells when the bulk begins.
  sendSmall();
  fill();
}

async function receive(options: EndOptions): Promise<Report> {
  const { bulk, small } = await open(options);
  const startNs = nowNs() + BigInt(options.settleMs * 1e6);
  const latencies: number[] = [];
  let bytes = 0;
  let allBytes = 0;
  let firstSentNs: bigint | undefined;
  let firstMs: number | null = null;
  const onFrame = (payload: Uint8Array): void => {
    const now = nowNs();
    allBytes += payload.length;
    const isSmall = payload.length === SMALL_FRAME;
    const sentNs = isSmall ? Buffer.from(payload.buffer, payload.byteOffset, 8).readBigUInt64LE() : now;
    if (isSmall) firstSentNs ??= sentNs;
    if (firstMs === null && firstSentNs !== undefined && allBytes >= FIRST_BYTES) firstMs = Number(now - firstSentNs) / 1e6;
    if (now < startNs) return;
    bytes += payload.length;
    if (isSmall) latencies.push(Number(now - sentNs) / 1e6);
  };
  for (const link of new Set([bulk, small])) link.setHandlers({ onFrame, onClose: () => {} });
  await new Promise((resolve) => setTimeout(resolve, options.settleMs + options.forMs));
  latencies.sort((a, b) => a - b);
  const seconds = Number(nowNs() - startNs) / 1e9;
  const [p50Ms = 0, p95Ms = 0, p99Ms = 0] = [0.5, 0.95, 0.99].map((share) => percentile(latencies, share));
  return { goodputBps: (bytes * 8) / seconds, p50Ms, p95Ms, p99Ms, firstMs };
}

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] ?? '{}') as EndOptions;
  if (options.role === 'send') await send(options);
  else {
    process.stdout.write(JSON.stringify(await receive(options)));
    process.exit(0);
  }
}
