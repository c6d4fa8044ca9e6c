// A stock client as the specification describes it (rendezvous §5, §8, §9, §10), for one introduction and one message each
// way, or with `tunnel` for tunnels (tunnel.mjs). `node client.mjs '{"role": …}'`; says what happens as JSON lines.
import { randomUUID } from 'node:crypto';
import dgram from 'node:dgram';
import net, { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { converse } from './kcp.mjs';
import { queue } from './queue.mjs';
import { listenForTunnel, serveTunnel, signingKey } from './tunnel.mjs';
import { decode, Deframer, encode, frame, mangle, signedIdPk, unmangle } from './wire.mjs';

const o = { version: '1.4.9', uuid: 'machine-id-of-a-stock-client', pk: '07'.repeat(32), port: 21116, ...JSON.parse(process.argv[2]) };
const SYMMETRIC = 2;
const signing = o.tunnel ? signingKey() : null;
if (signing) o.pk = Buffer.from(signing.publicKey).toString('hex');
const say = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const family = isIPv6(o.server) ? 'udp6' : 'udp4';

// Connections

/** A framed TCP connection; `next()` gives messages, skips one KeyExchange, and null at the end. */
function dial(port, { localPort = 0, host = o.server } = {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, localAddress: isIPv6(host) ? '::' : '0.0.0.0', localPort });
    const inbox = queue();
    const deframer = new Deframer();
    let raw = null;
    const onData = (chunk) => {
      if (raw) return raw(chunk);
      for (const payload of deframer.push(chunk)) inbox.put(payload);
    };
    socket.on('data', onData);
    socket.on('close', () => inbox.put(null));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.on('error', () => {});
      resolve({
        socket,
        local: { host: socket.localAddress, port: socket.localPort },
        send: (name, fields) => socket.write(frame(encode(name, fields))),
        next: () => messageFrom(inbox),
        close: () => socket.end(),
        /** Nothing has been read from it that was not a message of the server. */
        release: () => socket.off('data', onData),
        /** From here on bytes as they come. */
        raw: (fn) => {
          raw = fn;
          if (deframer.rest().length > 0) fn(deframer.rest());
        },
      });
    });
  });
}

function webSocket(port) {
  return new Promise((resolve, reject) => {
    const host = isIPv6(o.server) ? `[${o.server}]` : o.server;
    const ws = new WebSocket(o.wsUrl?.[port] ?? `ws://${host}:${port}/`);
    ws.binaryType = 'arraybuffer';
    const inbox = queue();
    ws.onmessage = (event) => inbox.put(Buffer.from(event.data));
    ws.onclose = () => inbox.put(null);
    ws.onerror = () => reject(new Error('WebSocket failed'));
    ws.onopen = () =>
      resolve({
        send: (name, fields) => ws.send(encode(name, fields)),
        sendRaw: (data) => ws.send(data),
        next: () => messageFrom(inbox),
        nextRaw: () => inbox.next(),
        close: () => ws.close(),
      });
  });
}

async function messageFrom(inbox) {
  for (;;) {
    const payload = await inbox.next();
    if (payload === null) return null;
    const message = decode(payload);
    if (message?.name !== 'keyExchange') return message ?? { name: 'heartbeat' };
  }
}

async function udpSocket(type = family, address = undefined) {
  const socket = dgram.createSocket(type);
  await new Promise((resolve, reject) => socket.once('error', reject).bind({ port: 0, address }, resolve));
  return socket;
}

const publicIPv6 = () =>
  Object.values(networkInterfaces()).flat().find((a) => a.family === 'IPv6' && !a.internal && !a.address.startsWith('fe80'))?.address;

// §8: one port from two connections of one local port

async function natTest() {
  const first = await dial(o.port);
  first.send('testNatRequest', { serial: 3 });
  const one = (await first.next()).port;
  first.close();
  // Where a server has no port P-1 the test fails, and the type stays unknown.
  const second = await dial(o.port - 1, { localPort: first.local.port }).catch(() => null);
  if (second === null) return 0;
  second.send('testNatRequest', { serial: 3 });
  const two = (await second.next()).port;
  second.close();
  return one === two ? 1 : SYMMETRIC;
}

// §5, §9.3: the controlled side

async function controlled() {
  const byWs = o.transport === 'ws';
  const nat = byWs ? SYMMETRIC : await natTest();
  const registration = byWs ? await registerByWs() : await registerByUdp();
  say('registered', { nat });
  let lastFrom = '';
  let lastAt = 0;
  for (;;) {
    const push = await registration.next();
    if (push === null) return say('lost');
    if (push.name === 'heartbeat') {
      registration.heartbeat?.();
      continue;
    }
    if (push.name !== 'requestRelay' && push.name !== 'punchHole' && push.name !== 'fetchLocalAddr') continue;
    const from = JSON.stringify(unmangle(push.socketAddr));
    if (from === lastFrom && performance.now() - lastAt < 100) continue;
    [lastFrom, lastAt] = [from, performance.now()];
    say('push', { push: push.name, udpPort: push.udpPort ?? 0, v6: push.socketAddrV6 !== undefined, relayServer: push.relayServer ?? '' });
    answer(push, nat, byWs).catch((error) => say('failed', { error: error.message }));
  }
}

async function registerByUdp() {
  // The throw-away connection that decides on the address family.
  (await dial(o.port)).close();
  const socket = await udpSocket();
  const inbox = queue();
  socket.on('message', (data) => inbox.put(data));
  const send = (name, fields) => socket.send(encode(name, fields), o.port, o.server);
  const register = () => send('registerPk', { id: o.id, uuid: o.uuid, pk: Buffer.from(o.pk, 'hex') });
  register();
  for (let reply; (reply = await messageFrom(inbox)) !== null; ) {
    if (reply.name === 'registerPkResponse' && (reply.result ?? 0) === 0) break;
    throw new Error(`RegisterPk: ${JSON.stringify(reply)}`);
  }
  const heartbeat = () => send('registerPeer', { id: o.id, serial: 3 });
  setInterval(heartbeat, 15_000);
  // A test that has seen enough of the time between two heartbeats asks for the next one.
  process.stdin.on('data', heartbeat).unref();
  return {
    async next() {
      for (;;) {
        const message = await messageFrom(inbox);
        if (message?.name !== 'registerPeerResponse') return message;
        say('heartbeat', { requestPk: message.requestPk ?? false });
        if (message.requestPk) register();
      }
    },
  };
}

async function registerByWs() {
  const ws = await webSocket(o.wsPort ?? o.port + 2);
  ws.send('registerPk', { id: o.id, uuid: o.uuid, pk: Buffer.from(o.pk, 'hex') });
  const reply = await ws.next();
  if (reply?.name !== 'registerPkResponse' || (reply.result ?? 0) !== 0) throw new Error(`RegisterPk: ${JSON.stringify(reply)}`);
  say('keep-alive', { seconds: reply.keepAlive ?? 0 });
  return { next: () => ws.next(), heartbeat: () => ws.sendRaw(Buffer.alloc(0)) };
}

async function answer(push, nat, byWs) {
  if (push.name === 'requestRelay') return createRelay(push, { uuid: push.uuid, relayServer: push.relayServer, initiate: false, byWs });
  if (push.name === 'fetchLocalAddr') return fetchLocalAddr(push);
  const relayOnly = byWs || push.forceRelay;
  const v6 = relayOnly ? Buffer.alloc(0) : await listenV6(push);
  if (push.natType === SYMMETRIC || nat === SYMMETRIC || relayOnly) return createRelay(push, { uuid: randomUUID(), relayServer: push.relayServer, initiate: true, byWs, v6 });
  const sent = { socketAddr: push.socketAddr, id: o.id, relayServer: o.relayServer ?? push.relayServer, natType: nat, version: o.version, socketAddrV6: v6 };
  // Tunnels go over TCP here.
  if (push.udpPort > 0 && !o.tunnel) return punchUdp(push, sent);
  return punchTcp(push, sent);
}

/** The KCP listener on the own public IPv6 address; the address to report, or none. */
async function listenV6(push) {
  const theirs = push.socketAddrV6 ? unmangle(push.socketAddrV6) : { port: 0 };
  const own = publicIPv6();
  if (theirs.port === 0 || !own) return Buffer.alloc(0);
  const socket = await udpSocket('udp6', own);
  converse({ socket, peer: theirs, active: false, words: 'from B over IPv6' })
    .then((heard) => say('connected', { path: 'udp6', heard }))
    .catch((error) => say('failed', { path: 'udp6', error: error.message }));
  return mangle({ host: own, port: socket.address().port });
}

async function punchUdp(push, sent) {
  const socket = await udpSocket();
  // The throw-away connection comes first, then PunchHoleSent and at once the first empty datagram (§9.3).
  (await dial(o.port)).close();
  const announcement = encode('punchHoleSent', sent);
  socket.send(announcement, o.port, o.server);
  const peer = { host: unmangle(push.socketAddr).host, port: push.udpPort };
  const conversation = converse({ socket, peer, active: false, words: 'from B' });
  for (let copy = 1; copy < 3; copy++) {
    await pause(10 + Math.random() * 19);
    socket.send(announcement, o.port, o.server);
  }
  say('connected', { path: 'udp', heard: await conversation });
}

async function punchTcp(push, sent) {
  const server = await dial(o.port);
  const { port } = server.local;
  const target = unmangle(push.socketAddr);
  await new Promise((resolve) => {
    const hole = net.connect({ ...target, localAddress: isIPv6(target.host) ? '::' : '0.0.0.0', localPort: port });
    const done = () => {
      hole.destroy();
      resolve();
    };
    hole.on('error', done).on('connect', done);
    setTimeout(done, 30);
  });
  server.send('punchHoleSent', sent);
  server.close();
  acceptOne(port, 'tcp');
}

async function fetchLocalAddr(push) {
  const server = await dial(o.port);
  server.send('localAddr', {
    socketAddr: mangle(unmangle(push.socketAddr)),
    localAddr: mangle(server.local),
    relayServer: push.relayServer,
    id: o.id,
    version: o.version,
  });
  server.close();
  acceptOne(server.local.port, 'lan');
}

function acceptOne(port, path) {
  const listener = net.createServer((socket) => {
    listener.close();
    if (o.tunnel) return tunnelOver(socket);
    socket.write('from B');
    socket.once('data', (data) => say('connected', { path, heard: data.toString() }));
    socket.on('error', () => {});
  });
  listener.on('error', (error) => say('failed', { path, error: error.message }));
  listener.listen({ port, host: isIPv6(o.server) ? '::' : '0.0.0.0' });
}

/** host[:port] as it was told, or the port behind the server's (§9.3). */
function relayAddress(relayServer) {
  const [host, port] = relayServer ? relayServer.split(':') : [];
  return { host: host || o.server, port: Number(port ?? o.port + 1) };
}

/** A connection to the other peer, which for a controlled side is one tunnel. */
function tunnelOver(socket) {
  if (o.role === 'controlled')
    serveTunnel(socket, { id: o.id, signSecret: signing.privateKey, ...o.tunnel, say }).catch((error) => {
      say('failed', { error: error.message });
      socket.destroy();
    });
  return socket;
}

async function createRelay(push, { uuid, relayServer, initiate, byWs, v6 = Buffer.alloc(0) }) {
  const t = byWs ? await webSocket(o.wsPort ?? o.port + 2) : await dial(o.port);
  t.send('relayResponse', {
    socketAddr: push.socketAddr,
    version: o.version,
    socketAddrV6: v6,
    ...(initiate ? { uuid, relayServer, id: o.id } : {}),
  });
  await atRelay(uuid, relayServer, 'from B', byWs, { licenceKey: o.key, uuid });
}

async function atRelay(uuid, relayServer, words, byWs, request) {
  if (byWs) {
    const ws = await webSocket(o.relayWsPort ?? o.port + 3);
    ws.send('requestRelay', request);
    ws.sendRaw(Buffer.from(words));
    const heard = await ws.nextRaw();
    return say('connected', { path: 'relay-ws', heard: heard?.toString() ?? null });
  }
  const { host, port } = relayAddress(relayServer);
  const relay = await dial(port, { host });
  relay.send('requestRelay', request);
  if (o.tunnel) return tunnelOver(relay.release());
  // The other end may be a WebSocket: then frames stay frames.
  relay.socket.write(o.framedRelay ? frame(Buffer.from(words)) : words);
  const heard = await new Promise((resolve) => relay.raw(resolve));
  say('connected', { path: 'relay', heard: (o.framedRelay ? new Deframer().push(heard)[0] : heard).toString() });
}

// §9.1, §9.2: the controller

/** The port of U as the server sees it; asked twice at once and then ever more slowly. */
function observedPort(socket) {
  const request = encode('testNatRequest', {});
  return new Promise((resolve) => {
    let interval = 20;
    let timer;
    const onMessage = (data) => {
      const reply = decode(data);
      if (reply?.name !== 'testNatResponse') return;
      clearTimeout(timer);
      socket.off('message', onMessage);
      resolve(reply.port);
    };
    socket.on('message', onMessage);
    const ask = () => {
      socket.send(request, o.port, o.server);
      timer = setTimeout(ask, interval);
      interval = Math.min(Math.trunc(interval * 1.5), 200);
    };
    socket.send(request, o.port, o.server);
    ask();
  });
}

async function controller() {
  const nat = o.transport === 'ws' ? SYMMETRIC : await natTest();
  if (o.tunnel) return listenForTunnel({ id: o.id, ...o.tunnel, say }, () => attempt(nat, false));
  const started = performance.now();
  const attempts = o.onlyUdp ? [] : [attempt(nat, false)];
  if (o.udpPunch) attempts.push(attempt(nat, true));
  const first = await Promise.any(attempts);
  say('reached', { ...first, ms: Math.round(performance.now() - started) });
  await pause(300);
  process.exit(0);
}

async function attempt(nat, withUdp) {
  const u = withUdp ? await udpSocket() : null;
  const port = u ? observedPort(u) : null;
  const byWs = o.transport === 'ws';
  const t = byWs ? await webSocket(o.wsPort ?? o.port + 2) : await dial(o.port);
  // Stock waits half a round trip, which in the laboratory is nothing at all and on a busy machine less than its own delays.
  const udpPort = port ? await Promise.race([port, pause(1_000).then(() => 0)]) : 0;
  const own = o.v6Punch ? publicIPv6() : undefined;
  const v6 = own ? await udpSocket('udp6', own) : null;
  const request = {
    id: o.id,
    natType: nat,
    licenceKey: o.key,
    version: o.version,
    udpPort,
    forceRelay: o.forceRelay ?? byWs,
    socketAddrV6: v6 ? mangle({ host: own, port: v6.address().port }) : undefined,
  };
  t.send('punchHoleRequest', request);
  const timers = [3_000, 9_000].map((ms) => setTimeout(() => t.send('punchHoleRequest', request), ms));
  const reply = await t.next();
  for (const timer of timers) clearTimeout(timer);
  const local = t.local?.port;
  t.close();
  if (reply === null) throw new Error('closed');
  say('reply', { withUdp, reply: reply.name, isUdp: reply.isUdp ?? 0, isLocal: reply.isLocal ?? 0, failure: reply.failure ?? null, v6: reply.socketAddrV6 !== undefined });
  const signed = reply.pk ? signedIdPk(reply.pk, o.key) : null;
  if (reply.pk) say('key', { signed: signed?.id ?? null });
  if (reply.name === 'relayResponse') {
    const socket = await atRelay(reply.uuid, reply.relayServer, 'from A', byWs, { licenceKey: o.key, id: o.id, uuid: reply.uuid });
    return { path: 'relay', socket, hostPk: signed?.pk };
  }
  if (!reply.socketAddr?.length) throw new Error(`refused: ${reply.failure ?? 0}`);
  const peer = unmangle(reply.socketAddr);
  const ways = o.onlyUdp ? [] : [dialPeer(peer, local)];
  if (u && reply.isUdp) ways.push(converse({ socket: u, peer, active: true, words: 'from A' }).then((heard) => ({ path: 'udp', heard })));
  if (v6 && reply.socketAddrV6?.length)
    ways.push(
      converse({ socket: v6, peer: unmangle(reply.socketAddrV6), active: true, words: 'from A over IPv6' }).then((heard) => ({ path: 'udp6', heard })),
    );
  return { ...(await Promise.any(ways)), ...(o.tunnel ? { hostPk: signed?.pk } : {}) };
}

function dialPeer(peer, localPort) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...peer, localAddress: isIPv6(peer.host) ? '::' : '0.0.0.0', localPort });
    socket.on('error', reject);
    socket.setTimeout(18_000, () => reject(new Error('timeout')));
    if (o.tunnel) return void socket.once('connect', () => resolve({ path: 'tcp', socket: socket.setTimeout(0) }));
    socket.once('connect', () => socket.write('from A'));
    socket.once('data', (data) => resolve({ path: 'tcp', heard: data.toString() }));
  });
}

await (o.role === 'controlled' ? controlled() : controller());
