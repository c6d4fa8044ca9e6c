import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { DatagramReader, encodeDatagram, type MuxStream } from '../../core/mux/index.ts';
import { UDP_IDLE_MS, UDP_QUEUE_BYTES, UDP_UNSENT_DATAGRAMS } from './limits.ts';

/**
 * Gives a UDP stream a socket that talks to one address. Datagrams that would have to wait are dropped, as the network would.
 * Resolves when the socket is ready; `done` is called when the stream is over. Rejects with the system's error.
 */
export async function joinUdp(stream: MuxStream, host: string, port: number, done: () => void): Promise<void> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  let idle: NodeJS.Timeout | undefined;
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    clearTimeout(idle);
    socket.close();
    done();
  };
  const active = (): void => {
    clearTimeout(idle);
    if (!over) idle = setTimeout(() => stream.reset('idle', 'no datagram for a while'), UDP_IDLE_MS);
  };
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, host, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  // Refusals that come back as ICMP: the other end may start to listen in a moment.
  socket.on('error', () => {});
  let unsent = 0;
  const reader = new DatagramReader();
  socket.on('message', (datagram) => {
    active();
    if (stream.unsentBytes + datagram.length <= UDP_QUEUE_BYTES) stream.write(encodeDatagram(datagram));
  });
  stream.setHandlers({
    onReadable: () => {
      for (let chunk = stream.read(); chunk; chunk = stream.read())
        for (const datagram of reader.push(chunk)) {
          active();
          if (unsent >= UDP_UNSENT_DATAGRAMS) continue;
          unsent++;
          socket.send(datagram, () => unsent--);
        }
      // A flow has no end of its own; the side that listens ends it when its client is gone.
      if (stream.ended) stream.end();
    },
    onClose: end,
  });
  active();
}
