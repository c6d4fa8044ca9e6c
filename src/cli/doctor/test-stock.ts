/** As much of stock hbbs and hbbr as the doctor meets, after rendezvous §1, §5 to §7: no UDP NAT test, no key exchange. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { signIdPk, signKeyPair } from '../../core/crypto/index.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous, FrameDecoder, type hbb, mangleAddress, unmangleAddress } from '../../core/wire/index.ts';

export interface StockServer {
  readonly port: number;
  readonly key: string;
  close(): Promise<void>;
}

export interface StockFaults {
  /** Answers UDP from another port. */
  readonly wrongSource?: boolean;
  readonly noUdp?: boolean;
  /** Signs with another key than it was told. */
  readonly otherKey?: boolean;
  /** The relay closes everything, as with a key of its own. */
  readonly relayRefuses?: boolean;
}

/** Listens on `port` - 1, `port` (TCP and UDP) and `port` + 1, all at `host`. */
export async function startStock(host: string, port: number, faults: StockFaults = {}): Promise<StockServer> {
  const pair = signKeyPair();
  const key = Buffer.from((faults.otherKey ? signKeyPair() : pair).publicKey).toString('base64');
  const peers = new Map<string, { pk: Uint8Array; host: string; port: number }>();
  const waiting = new Map<string, Socket>();
  const relayWaiting = new Map<string, { socket: Socket; early: Uint8Array }>();
  const sockets = new Set<Socket>();
  const udp = createSocket('udp4');
  const other = createSocket('udp4');
  const send = (message: hbb.IRendezvousMessage, to: { host: string; port: number }): void =>
    (faults.wrongSource ? other : udp).send(encodeRendezvous(message), to.port, to.host);

  udp.on('message', (bytes: Uint8Array, info: RemoteInfo) => {
    if (faults.noUdp) return;
    const from = { host: info.address, port: info.port };
    const { registerPeer, registerPk } = decodeRendezvous(bytes);
    if (registerPk) {
      peers.set(registerPk.id ?? '', { pk: Uint8Array.from(registerPk.pk ?? []), ...from });
      send({ registerPkResponse: {} }, from);
    } else if (registerPeer) {
      const known = peers.get(registerPeer.id ?? '');
      if (known) Object.assign(known, from);
      send({ registerPeerResponse: { requestPk: !known } }, from);
    }
  });

  const onRendezvous = (socket: Socket, message: hbb.RendezvousMessage): void => {
    const remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const name = `${remote.host}:${remote.port}`;
    const reply = (answer: hbb.IRendezvousMessage): void => void socket.write(encodeFrame(encodeRendezvous(answer)));
    const toAsker = (socketAddr: Uint8Array | null | undefined, answer: hbb.IRendezvousMessage): void => {
      const asker = unmangleAddress(socketAddr ?? new Uint8Array(0));
      waiting.get(`${asker.host}:${asker.port}`)?.write(encodeFrame(encodeRendezvous(answer)));
      socket.end();
    };
    const { punchHoleRequest, requestRelay, localAddr, relayResponse } = message;
    if (message.testNatRequest) {
      reply({ testNatResponse: { port: remote.port } });
      socket.end();
    } else if (punchHoleRequest) {
      waiting.set(name, socket);
      const peer = peers.get(punchHoleRequest.id ?? '');
      if (punchHoleRequest.licenceKey !== key) return reply({ punchHoleResponse: { failure: 3 } });
      if (!peer) return reply({ punchHoleResponse: { failure: 0 } });
      send({ fetchLocalAddr: { socketAddr: mangleAddress(remote, 1) } }, peer);
    } else if (localAddr) {
      const id = localAddr.id ?? '';
      const pk = signIdPk(id, peers.get(id)?.pk ?? new Uint8Array(0), pair.secretKey);
      toAsker(localAddr.socketAddr, { punchHoleResponse: { socketAddr: localAddr.localAddr, pk, isLocal: true } });
    } else if (requestRelay) {
      waiting.set(name, socket);
      const peer = peers.get(requestRelay.id ?? '');
      if (peer) send({ requestRelay: { ...requestRelay, socketAddr: mangleAddress(remote, 1) } }, peer);
    } else if (relayResponse) toAsker(relayResponse.socketAddr, { relayResponse: { version: relayResponse.version } });
    else socket.end();
  };

  const frames = (onMessage: (socket: Socket, message: hbb.RendezvousMessage) => void): Server =>
    createServer((socket) => {
      sockets.add(socket);
      const decoder = new FrameDecoder();
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk: Uint8Array) => {
        try {
          for (const frame of decoder.push(chunk)) onMessage(socket, decodeRendezvous(frame));
        } catch {
          // WebSocket, for example: the stock server waits for the rest of what it takes for a frame.
        }
      });
    });
  const relay = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    const decoder = new FrameDecoder();
    const onData = (chunk: Uint8Array): void => {
      const first = decoder.pushOne(chunk);
      if (!first) return;
      socket.off('data', onData);
      const request = decodeRendezvous(first).requestRelay;
      if (!request?.uuid || request.licenceKey !== key || faults.relayRefuses) return void socket.destroy();
      const early = decoder.takeRest();
      const there = relayWaiting.get(request.uuid);
      if (!there) {
        socket.pause();
        return void relayWaiting.set(request.uuid, { socket, early: Uint8Array.from(early) });
      }
      socket.write(there.early);
      there.socket.write(early);
      there.socket.pipe(socket).pipe(there.socket);
    };
    socket.on('data', onData);
  });
  const servers: readonly (readonly [Server, number])[] = [[frames(onRendezvous), port], [frames(onRendezvous), port - 1], [relay, port + 1]];
  for (const [server, at] of servers) await new Promise<void>((resolve, reject) => server.once('error', reject).listen(at, host, resolve));
  const bind = (socket: UdpSocket, at: number): Promise<void> => new Promise((resolve) => socket.bind(at, host, resolve));
  await bind(udp, port);
  await bind(other, 0);
  return {
    port,
    key,
    close: async () => {
      udp.close();
      other.close();
      for (const socket of sockets) socket.destroy();
      for (const [server] of servers) await new Promise((resolve) => server.close(resolve));
    },
  };
}
