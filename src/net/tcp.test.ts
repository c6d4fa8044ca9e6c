import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { LiteDeskError } from '../core/errors.ts';
import { dialTcp } from './tcp.ts';

const open: { destroy?(): unknown; close?(): unknown }[] = [];
afterEach(() => {
  for (const item of open.splice(0)) {
    item.destroy?.();
    item.close?.();
  }
});

async function listen(port = 0, backlog?: number): Promise<[Server, number]> {
  const server = createServer((socket) => {
    open.push(socket);
    socket.on('error', () => {});
  });
  server.listen({ port, host: '127.0.0.1', ...(backlog !== undefined && { backlog }) });
  await once(server, 'listening');
  open.push(server);
  const address = server.address();
  return [server, typeof address === 'object' && address ? address.port : 0];
}

async function dial(options: Parameters<typeof dialTcp>[0]): Promise<Socket> {
  const socket = await dialTcp(options);
  open.push(socket);
  return socket;
}

describe('dialTcp', () => {
  test('connects to an address and to a name', async () => {
    const [, port] = await listen();
    expect((await dial({ host: '127.0.0.1', port })).remotePort).toBe(port);
    // The name may stand for ::1 too, where nobody listens: the next address is tried.
    expect((await dial({ host: 'localhost', port })).remoteAddress).toBe('127.0.0.1');
  });

  test('a reusable port serves another dial beside it and a listener after it', async () => {
    const [, first] = await listen();
    const [, second] = await listen();
    const a = await dial({ host: '127.0.0.1', port: first, reusable: true });
    const localPort = a.localPort as number;
    const b = await dial({ host: '127.0.0.1', port: second, localPort });
    expect(b.localPort).toBe(localPort);
    const [, listening] = await listen(localPort);
    expect(listening).toBe(localPort);
  });

  test('with repeats an address that answers gets one connection, and one that refuses is not asked again', async () => {
    const [server, port] = await listen();
    let connections = 0;
    server.on('connection', (socket) => {
      open.push(socket);
      connections++;
    });
    const accepted = once(server, 'connection');
    await dial({ host: '127.0.0.1', port, repeats: 2 });
    await accepted;
    expect(connections).toBe(1);
    const [gone, closed] = await listen();
    gone.close();
    await once(gone, 'close');
    await expect(dialTcp({ host: '127.0.0.1', port: closed, repeats: 2 })).rejects.toMatchObject({ code: 'TCP_REFUSED' });
  });

  test('a refusal says so and keeps the cause', async () => {
    const [server, port] = await listen();
    server.close();
    await once(server, 'close');
    await expect(dialTcp({ host: '127.0.0.1', port, stage: 'relay' })).rejects.toMatchObject({
      code: 'TCP_REFUSED',
      stage: 'relay',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  test('a local address that is not ours says so', async () => {
    const [, port] = await listen();
    await expect(dialTcp({ host: '127.0.0.1', port, localAddress: '192.0.2.1' })).rejects.toMatchObject({
      code: 'TCP_LOCAL_PORT',
    });
  });

  test('an impossible port is a typed error', async () => {
    await expect(dialTcp({ host: '127.0.0.1', port: 70000 })).rejects.toBeInstanceOf(LiteDeskError);
  });

  test('an abort before and during the dial', async () => {
    const stop = new AbortController();
    const [, port] = await listen();
    const pending = dialTcp({ host: '127.0.0.1', port, signal: stop.signal });
    stop.abort();
    await expect(pending).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(dialTcp({ host: '127.0.0.1', port, signal: stop.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });
});
