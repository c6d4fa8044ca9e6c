// Runs on a host of the lab and does what the test asks, one JSON command a line on stdin, one JSON answer a line.
import dgram from 'node:dgram';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';

const udp = new Map();
const listeners = new Map();
const dials = new Map();

/** Resolves with the next entry of a queue, or null after the time. */
function next(box, timeoutMs) {
  if (box.entries.length > 0) return Promise.resolve(box.entries.shift());
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      box.waiting = null;
      resolve(null);
    }, timeoutMs);
    box.waiting = (entry) => {
      clearTimeout(timer);
      box.waiting = null;
      resolve(entry);
    };
  });
}

function put(box, entry) {
  if (box.waiting) box.waiting(entry);
  else box.entries.push(entry);
}

const box = () => ({ entries: [], waiting: null });

const commands = {
  /** Binds a UDP socket; with `reflect` it answers each datagram with the address it came from. */
  async udpOpen({ port = 0, reflect = false, ipv6 = false }) {
    const socket = dgram.createSocket(ipv6 ? 'udp6' : 'udp4');
    await new Promise((resolve, reject) => socket.once('error', reject).bind(port, resolve));
    const inbox = box();
    socket.on('message', (data, from) => {
      if (reflect) socket.send(`${from.address}:${from.port}`, from.port, from.address);
      else put(inbox, { text: data.toString(), address: from.address, port: from.port });
    });
    udp.set(socket.address().port, { socket, inbox });
    return { port: socket.address().port };
  },
  ownIPv6() {
    const entries = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const found = entries.find(({ family, internal, address }) => family === 'IPv6' && !internal && /^[23]/.test(address));
    if (!found) throw new Error('there is no IPv6 address');
    return { address: found.address };
  },
  async udpSend({ from, host, port, text }) {
    await new Promise((resolve) => udp.get(from).socket.send(text, port, host, resolve));
    return {};
  },
  udpNext: ({ port, timeoutMs }) => next(udp.get(port).inbox, timeoutMs),
  /** Listens for TCP; each connection is told the address it came from. */
  async tcpListen({ port = 0 }) {
    const inbox = box();
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.write(`${socket.remoteAddress.replace('::ffff:', '')}:${socket.remotePort}`);
      put(inbox, { address: socket.remoteAddress, port: socket.remotePort });
    });
    await new Promise((resolve, reject) => server.once('error', reject).listen({ port, host: '0.0.0.0' }, resolve));
    listeners.set(server.address().port, { server, inbox });
    return { port: server.address().port };
  },
  tcpNext: ({ port, timeoutMs }) => next(listeners.get(port).inbox, timeoutMs),
  /** Starts a dial from a local port; `told` is what the other side says first. */
  async tcpDial({ host, port, localPort = 0 }) {
    const socket = net.connect({ host, port, localAddress: '0.0.0.0', localPort });
    const inbox = box();
    const startedMs = performance.now();
    socket.once('connect', () => put(inbox, { ok: true, ms: performance.now() - startedMs, localPort: socket.localPort }));
    socket.on('error', (error) => put(inbox, { ok: false, ms: performance.now() - startedMs, error: error.code }));
    const told = box();
    socket.on('data', (data) => put(told, data.toString()));
    const id = dials.size + 1;
    dials.set(id, { socket, inbox, told });
    return { id };
  },
  tcpOutcome: ({ id, timeoutMs }) => next(dials.get(id).inbox, timeoutMs),
  tcpTold: ({ id, timeoutMs }) => next(dials.get(id).told, timeoutMs),
  async tcpClose({ id }) {
    dials.get(id).socket.destroy();
    return {};
  },
};

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const { serial, command, ...args } = JSON.parse(line);
    let answer;
    try {
      answer = { serial, value: await commands[command](args) };
    } catch (error) {
      answer = { serial, error: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  })
  .on('close', () => process.exit(0));
