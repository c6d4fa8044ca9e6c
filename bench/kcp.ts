/**
 * Throughput of a link over KCP on loopback UDP, without loss and with 2 % of the datagrams dropped in each direction,
 * beside a TCP link in the same run. Sender and receiver share this one process, so a figure per CPU second pays for both
 * ends. Run: node_modules/.bin/node bench/kcp.ts
 */
import { once } from 'node:events';
import type { Socket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Link } from '../src/core/link.ts';
import { createPunchSocket, punchUdp } from '../src/net/kcp-link.ts';
import { dialTcp, TcpLink } from '../src/net/tcp.ts';

export interface Row {
  readonly name: string;
  readonly mibPerSecond: number;
  readonly mibPerCpuSecond: number;
}

const MIB = 1024 * 1024;
const FRAME = 64 * 1024;

export interface BenchKcpOptions {
  /** Payload per run without loss, in MiB. */
  readonly mib?: number;
}

/** One row per transport, printed as they come. */
export async function benchKcp(options: BenchKcpOptions = {}): Promise<Row[]> {
  const mib = options.mib ?? 384;
  const rows: Row[] = [];
  const run = async (name: string, total: number, open: () => Promise<[Link, Link]>): Promise<void> => {
    const [from, to] = await open();
    await transfer(from, to, 16 * MIB);
    const row = { name, ...(await transfer(from, to, total * MIB)) };
    from.destroy();
    to.destroy();
    rows.push(row);
    console.log(
      `${name.padEnd(28)} ${row.mibPerSecond.toFixed(0).padStart(6)} MiB/s ${row.mibPerCpuSecond.toFixed(0).padStart(6)} MiB per CPU second`,
    );
  };
  await run('TCP link, loopback', mib, tcpPair);
  await run('KCP link, loopback', mib, () => kcpPair(0));
  await run('KCP link, loopback, 2 % loss', mib / 2, () => kcpPair(0.02));
  return rows;
}

async function transfer(from: Link, to: Link, bytes: number): Promise<Omit<Row, 'name'>> {
  const frame = new Uint8Array(FRAME).fill(7);
  let left = bytes;
  let received = 0;
  const started = performance.now();
  const cpu = process.cpuUsage();
  await new Promise<void>((resolve, reject) => {
    const onClose = (): void => reject(new Error('the link closed'));
    to.setHandlers({
      onFrame: (payload) => {
        received += payload.length;
        if (received >= bytes) resolve();
      },
      onClose,
    });
    const fill = (): void => {
      while (left > 0) {
        left -= FRAME;
        if (!from.send(frame)) return;
      }
    };
    from.setHandlers({ onFrame: () => {}, onDrain: fill, onClose });
    fill();
  });
  const used = process.cpuUsage(cpu);
  const cpuSeconds = (used.user + used.system) / 1e6;
  return {
    mibPerSecond: bytes / MIB / ((performance.now() - started) / 1000),
    mibPerCpuSecond: bytes / MIB / cpuSeconds,
  };
}

async function tcpPair(): Promise<[Link, Link]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const accepted = once(server, 'connection');
  const socket = await dialTcp({ host: '127.0.0.1', port: address.port });
  const [other] = await accepted;
  server.close();
  return [new TcpLink(socket), new TcpLink(other)];
}

async function kcpPair(loss: number): Promise<[Link, Link]> {
  const [a, b] = [await bound(), await bound()];
  const [from, to] = await Promise.all([
    punchUdp({ socket: a, remote: { host: '127.0.0.1', port: b.address().port }, role: 'connector' }),
    punchUdp({ socket: b, remote: { host: '127.0.0.1', port: a.address().port }, role: 'acceptor' }),
  ]);
  if (loss > 0) for (const socket of [a, b]) lose(socket, loss);
  return [from, to];
}

async function bound(): Promise<Socket> {
  const socket = createPunchSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** Drops datagrams on their way out, the same ones in each run. */
function lose(socket: Socket, rate: number): void {
  const send = socket.send.bind(socket) as (buffer: Uint8Array, offset: number, length: number) => void;
  let state = 12345;
  const dropping = (buffer: Uint8Array, offset: number, length: number): void => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    if (state / 2 ** 32 >= rate) send(buffer, offset, length);
  };
  socket.send = dropping as Socket['send'];
}

if (import.meta.main) await benchKcp();
