import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { type LinkPair, linkCompliance } from './link-compliance.ts';
import { dialWebSocket, WebSocketLink } from './ws.ts';

async function listen(): Promise<[WebSocketServer, string]> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: false,
    maxPayload: 64 << 20,
  });
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return [server, `ws://127.0.0.1:${address.port}`];
}

async function wsPair(): Promise<LinkPair> {
  const [server, url] = await listen();
  const accepted = once(server, 'connection').then(([ws]) => new WebSocketLink(ws as WebSocket));
  const a = await dialWebSocket(url);
  return [a, await accepted, () => void server.close()];
}

linkCompliance('WebSocketLink', wsPair);

describe('WebSocketLink', () => {
  test('skips text messages and names both ends', async () => {
    const [server, url] = await listen();
    const accepted = once(server, 'connection');
    const link = await dialWebSocket(url);
    const [peer] = (await accepted) as [WebSocket];
    const frame = new Promise<Uint8Array>((resolve) =>
      link.setHandlers({ onFrame: resolve, onClose: () => {} }),
    );
    peer.send('text');
    peer.send(Uint8Array.of(5));
    expect([...(await frame)]).toEqual([5]);
    expect(link.remoteAddress).toBe(url.slice(5));
    link.destroy();
    server.close();
  });

  test('dialling nobody is a typed error', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    const port = typeof address === 'object' ? address?.port : 0;
    await expect(dialWebSocket(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'TCP_REFUSED' });
  });

  test('a server that never answers the handshake is given up on abort', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const controller = new AbortController();
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      controller.abort();
    });
    await expect(
      dialWebSocket(`ws://127.0.0.1:${port}`, { signal: controller.signal }),
    ).rejects.toMatchObject({
      code: 'ABORTED',
    });
    server.close();
  });
});
