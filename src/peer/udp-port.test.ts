import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeRendezvous, encodeRendezvous } from '../core/wire/index.ts';
import { observedUdpPort } from './udp-port.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

/** A server that answers requests as `answer` says. */
async function serve(answer: (fromPort: number) => Uint8Array | null): Promise<{ host: string; port: number }> {
  const server = createSocket('udp4');
  sockets.push(server);
  server.on('message', (data, from) => {
    if (!decodeRendezvous(data).testNatRequest) return;
    const reply = answer(from.port);
    if (reply) server.send(reply, from.port, from.address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  return { host: '127.0.0.1', port: server.address().port };
}

describe('observedUdpPort', () => {
  it('is the port that the server saw', async () => {
    const server = await serve((port) => encodeRendezvous({ testNatResponse: { port } }));
    const socket = createSocket('udp4');
    sockets.push(socket);
    expect(await observedUdpPort(socket, server, new AbortController().signal)).toBe(socket.address().port);
  });

  it('is 0 once the socket is closed, and nothing is sent on it any more', async () => {
    const server = await serve(() => null);
    const socket = createSocket('udp4');
    const port = observedUdpPort(socket, server, new AbortController().signal);
    socket.close();
    expect(await port).toBe(0);
  });

  it('is 0 when nobody wants it any more', async () => {
    const server = await serve(() => null);
    const socket = createSocket('udp4');
    sockets.push(socket);
    const abort = new AbortController();
    const port = observedUdpPort(socket, server, abort.signal);
    abort.abort();
    expect(await port).toBe(0);
    expect(socket.listenerCount('message') + socket.listenerCount('close')).toBe(0);
  });
});
