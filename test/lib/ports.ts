/** For tests: ports for what must be told its port before it runs, or must come back at the same one. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * Above the blocks that servers choose for themselves (server/ports.ts), below the range from which systems take the ports of
 * connections: a port from there may belong to somebody's connection by the time that it is wanted, or wanted back.
 */
const RANGE = { first: 30_000, last: 32_700 };
/** Test files that run side by side choose from parts of their own. */
const PARTS = 12;
const PART_SIZE = Math.floor((RANGE.last - RANGE.first) / PARTS);

const partStart = RANGE.first + (Number(process.env['VITEST_POOL_ID'] ?? process.pid) % PARTS) * PART_SIZE;
let taken = 0;

/** The first of `count` ports in a row that nobody uses at `host`, neither for TCP nor for UDP. Throws when there are none. */
export async function freePorts(count = 1, host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < PART_SIZE; tries++) {
    if ((taken % PART_SIZE) + count > PART_SIZE) taken += PART_SIZE - (taken % PART_SIZE);
    const first = partStart + (taken % PART_SIZE);
    taken += count;
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i, host)));
    if (free.every(Boolean)) return first;
  }
  throw new Error(`there are no ${count} free ports in a row between ${partStart} and ${partStart + PART_SIZE}`);
}

async function isFree(port: number, host: string): Promise<boolean> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(port, host, resolve));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
    await new Promise((resolve) => server.close(resolve));
  }
}
