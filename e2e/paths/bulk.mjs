// The two ends of a bulk transfer, for e2e/paths: `source PORT BYTES RATE` serves that many bytes to one connection (RATE in bytes
// a second, 0 or after a word on stdin: as fast as it goes); `sink PORT` reads them. Both print {bytes, sha256}, the sink the longest pauses too.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const [role, port, size, rate] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const hash = createHash('sha256');
const print = (value) => console.log(JSON.stringify(value));
const CHUNK = 64 * 1024;

if (role === 'source') {
  let pacing = rate > 0;
  process.stdin.on('data', () => (pacing = false)).unref();
  const server = createServer(async (socket) => {
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    const chunk = Buffer.alloc(CHUNK);
    const started = performance.now();
    for (let sent = 0; sent < size && !socket.destroyed; sent += CHUNK) {
      // Every chunk is another one, and cheap to make.
      for (let i = 0; i < CHUNK; i += 4096) chunk.writeUInt32LE((Math.imul(sent + i, 2654435761) ^ sent) >>> 0, i);
      const part = Buffer.from(chunk.subarray(0, Math.min(CHUNK, size - sent)));
      hash.update(part);
      if (!socket.write(part)) await Promise.race([once(socket, 'drain'), closed]);
      const aheadMs = pacing ? (sent / rate) * 1000 - (performance.now() - started) : 0;
      if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
    socket.end();
    print({ bytes: size, sha256: hash.digest('hex') });
    server.close();
  });
  server.listen(port, () => print({ listening: port }));
} else {
  const socket = connect(port, '127.0.0.1');
  let bytes = 0;
  let last = performance.now();
  const pauses = [];
  socket.on('data', (data) => {
    const now = performance.now();
    if (bytes > 0 && now - last > 150) pauses.push(Math.round(now - last));
    last = now;
    bytes += data.length;
    hash.update(data);
  });
  socket.on('error', (error) => print({ error: error.message }));
  socket.on('close', () => print({ bytes, sha256: hash.digest('hex'), pauses }));
}
