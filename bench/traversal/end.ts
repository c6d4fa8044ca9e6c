/** One end of a measurement, a process of its own: `node end.ts '{"role":…}'`. The receiver prints its report as JSON. */
import { once } from 'node:events';
import { createServer, type Socket as TcpSocket } from 'node:net';
import type { Link } from '../../src/core/link.ts';
import { createPunchSocket, punchUdp } from '../../src/net/kcp-link.ts';
import { dialTcp, TcpLink } from '../../src/net/tcp.ts';
import { stockSender } from './stock-sender.ts';
import { setTcpKind } from './tcp-kind.ts';
import { BULK_FRAME, type EndOptions, percentile, type Report, SMALL_EVERY_MS, SMALL_FRAME } from './wire.ts';

/** What a sender needs of whatever carries its frames. */
export interface FrameSender {
  /** False: wait for `onDrain`. */
  send(frame: Uint8Array): boolean;
  onDrain: () => void;
}

/** Small, so that what is measured is the kernel's queue and not the program's. */
const TCP_MARKS = { high: 32 * 1024, low: 16 * 1024 };

const nowNs = (): bigint => process.hrtime.bigint();

async function open(options: EndOptions): Promise<Link> {
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

async function sender(options: EndOptions): Promise<FrameSender> {
  if (options.carrier === 'stock') return stockSender(options);
  const link = await open(options);
  const frames: FrameSender = { send: (frame) => link.send(frame), onDrain: () => {} };
  link.setHandlers({ onFrame: () => {}, onDrain: () => frames.onDrain(), onClose: () => process.exit(0) });
  return frames;
}

async function send(options: EndOptions): Promise<void> {
  const frames = await sender(options);
  const bulk = new Uint8Array(BULK_FRAME);
  const fill = (): void => {
    while (frames.send(bulk));
  };
  frames.onDrain = fill;
  setInterval(() => {
    const small = Buffer.alloc(SMALL_FRAME);
    small.writeBigUInt64LE(nowNs());
    frames.send(small);
  }, SMALL_EVERY_MS);
  fill();
}

async function receive(options: EndOptions): Promise<Report> {
  const link = await open(options);
  const startNs = nowNs() + BigInt(options.settleMs * 1e6);
  const latencies: number[] = [];
  let bytes = 0;
  link.setHandlers({
    onFrame: (payload) => {
      const now = nowNs();
      if (now < startNs) return;
      bytes += payload.length;
      if (payload.length === SMALL_FRAME)
        latencies.push(
          Number(now - Buffer.from(payload.buffer, payload.byteOffset, 8).readBigUInt64LE()) / 1e6,
        );
    },
    onClose: () => {},
  });
  await new Promise((resolve) => setTimeout(resolve, options.settleMs + options.forMs));
  latencies.sort((a, b) => a - b);
  const seconds = Number(nowNs() - startNs) / 1e9;
  const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((share) => percentile(latencies, share));
  return { goodputBps: (bytes * 8) / seconds, p50Ms: p50Ms ?? 0, p95Ms: p95Ms ?? 0, p99Ms: p99Ms ?? 0 };
}

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] ?? '{}') as EndOptions;
  if (options.role === 'send') await send(options);
  else {
    process.stdout.write(JSON.stringify(await receive(options)));
    process.exit(0);
  }
}
