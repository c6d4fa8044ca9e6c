import { once } from 'node:events';
import { encodeFrame } from '../../src/core/wire/index.ts';
import { MAX_DATAGRAM } from '../../src/core/kcp/index.ts';
import { StockKcp } from '../../src/core/testing/stock-kcp.ts';
import { createPunchSocket } from '../../src/net/kcp-link.ts';
import type { FrameSender } from './end.ts';
import type { EndOptions } from './wire.ts';

/** A stock sender takes more while its queue is below this: it is checked once per interval. */
const QUEUE_BYTES = 256 * 1024;

/** Sends with the settings of a stock peer (rendezvous §10.4), to whoever answers. */
export async function stockSender({ address, peer, port }: EndOptions): Promise<FrameSender> {
  const socket = createPunchSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  const kcp = new StockKcp('connector', 1);
  const out = Buffer.alloc(MAX_DATAGRAM);
  const frames: FrameSender = {
    send: (frame) => {
      kcp.write(encodeFrame(frame));
      return kcp.backlogBytes < QUEUE_BYTES;
    },
    sendSmall: (frame) => kcp.write(encodeFrame(frame)),
    onDrain: () => {},
  };
  const transmit = (): void => {
    const now = performance.now();
    for (let length = kcp.pollTransmit(now, out, 0); length > 0; length = kcp.pollTransmit(now, out, 0))
      socket.send(Buffer.from(out.subarray(0, length)), port, peer);
    while (kcp.established && kcp.waiting < 2048 && kcp.backlogBytes < QUEUE_BYTES / 2) {
      const before = kcp.backlogBytes;
      frames.onDrain();
      if (kcp.backlogBytes === before) break;
    }
  };
  socket.on('message', (datagram) => {
    kcp.handle(performance.now(), datagram);
  });
  setInterval(transmit, 1);
  while (!kcp.established) {
    transmit();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return frames;
}
