// Throws 10 000 random and mutated frames at each port of a server, over TCP and UDP: garbage.mjs HOST PORT,PORT… SEED
import dgram from 'node:dgram';
import net from 'node:net';

const [host, portList, seedText] = process.argv.slice(2);
const FRAMES = 10_000;
/** Frames on one connection before the next one; a server may close at the first bad one. */
const PER_CONNECTION = 50;
const MAX_FRAME = 600;

/** mulberry32, so that a failure can be repeated. */
let state = Number(seedText);
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const bytes = (n) => Buffer.from(Array.from({ length: n }, () => random(256)));

/** Well-formed starts of messages, to get past the first look. */
const SEEDS = [
  Buffer.from([0x32, 0x0b, 0x0a, 0x09, ...Buffer.from('123456789')]),
  Buffer.from([0x42, 0x0b, 0x0a, 0x09, ...Buffer.from('123456789')]),
  Buffer.from('GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
];
function payload() {
  if (random(2) === 0) return bytes(random(MAX_FRAME));
  const seed = Buffer.from(SEEDS[random(SEEDS.length)]);
  for (let i = random(4); i >= 0; i--) seed[random(seed.length)] = random(256);
  return seed;
}
function framed(data) {
  if (random(20) === 0) return data;
  if (data.length < 64) return Buffer.concat([Buffer.from([data.length << 2]), data]);
  const n = (data.length << 2) | 1;
  return Buffer.concat([Buffer.from([n & 0xff, n >> 8]), data]);
}

function overTcp(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, host);
    const done = () => {
      socket.destroy();
      resolve();
    };
    socket.on('error', done).on('close', done).setTimeout(2_000, done);
    socket.once('connect', () => {
      const all = Array.from({ length: PER_CONNECTION }, () => framed(payload()));
      socket.write(Buffer.concat(all), () => socket.end());
    });
    socket.resume();
  });
}

async function overUdp(port) {
  const socket = dgram.createSocket('udp4');
  socket.on('error', () => {});
  for (let i = 0; i < FRAMES; i++) {
    await new Promise((resolve) => socket.send(payload(), port, host, resolve));
  }
  socket.close();
}

/** Several at once, as a real flood; the server's limits on one address must hold without hurting others. */
const LANES = 8;
for (const port of portList.split(',').map(Number)) {
  let left = FRAMES / PER_CONNECTION;
  const lane = async () => {
    while (left-- > 0) await overTcp(port);
  };
  await Promise.all([...Array.from({ length: LANES }, lane), overUdp(port)]);
}
