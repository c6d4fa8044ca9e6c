import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { LiteDeskError } from '../core/errors.ts';
import type { LinkClose } from '../core/link.ts';
import { linkCompliance } from './link-compliance.ts';
import { TcpLink, type TcpLinkOptions } from './tcp-link.ts';
import { socketPair, tcpPair } from './test-pairs.ts';

linkCompliance('TcpLink', tcpPair);

describe('TcpLink', () => {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  async function linkAndSocket(options?: TcpLinkOptions): Promise<[TcpLink, Socket]> {
    const [socket, peer, server] = await socketPair();
    cleanups.push(() => {
      socket.destroy();
      peer.destroy();
      server.close();
    });
    return [new TcpLink(peer, options), socket];
  }

  function ended(link: TcpLink, onFrame: (payload: Uint8Array) => void = () => {}): Promise<LinkClose> {
    return new Promise((resolve) => link.setHandlers({ onFrame, onClose: resolve }));
  }

  test('names both ends', async () => {
    const [link, socket] = await linkAndSocket();
    expect(link.localAddress).toBe(`127.0.0.1:${socket.remotePort}`);
    expect(link.remoteAddress).toBe(`127.0.0.1:${socket.localPort}`);
  });

  test('takes a frame that comes byte by byte with an over-long header', async () => {
    const [link, socket] = await linkAndSocket();
    const got = new Promise<Uint8Array>((resolve) => void ended(link, resolve));
    for (const byte of [0x0f, 0, 0, 0, 7, 8, 9]) socket.write(Uint8Array.of(byte));
    expect([...(await got)]).toEqual([7, 8, 9]);
  });

  test('a frame beyond the limit breaks the link with a typed error', async () => {
    const [link, socket] = await linkAndSocket({ maxPayload: 1000 });
    const end = ended(link);
    socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    const { by, error } = await end;
    expect(by).toBe('error');
    expect(error).toMatchObject({ code: 'LINK_PROTOCOL' });
    expect(error).toBeInstanceOf(LiteDeskError);
  });

  test('an end in the middle of a frame is an error', async () => {
    const [link, socket] = await linkAndSocket();
    const end = ended(link);
    socket.end(Uint8Array.of(20, 1, 2));
    expect(await end).toMatchObject({ by: 'error', error: { code: 'LINK_TRUNCATED' } });
  });

  test('a reset is a typed error', async () => {
    const [link, socket] = await linkAndSocket();
    const end = ended(link);
    socket.resetAndDestroy();
    expect(await end).toMatchObject({ by: 'error', error: { code: 'LINK_BROKEN' } });
  });

  test('a client that ends its half still gets its answer', async () => {
    let remoteEnded = (): void => {};
    const half = new Promise<void>((resolve) => {
      remoteEnded = resolve;
    });
    const [link, socket] = await linkAndSocket({ onRemoteEnd: () => remoteEnded() });
    const end = ended(link);
    socket.end(Uint8Array.of(4, 1));
    await half;
    expect(link.closed).toBe(false);
    const data = once(socket, 'data');
    link.send(Uint8Array.of(9));
    expect([...((await data) as [Buffer])[0]]).toEqual([4, 9]);
    link.close();
    expect((await end).by).toBe('local');
  });

  test('answers queued when the other side ends its half still leave', async () => {
    const [link, socket] = await linkAndSocket();
    const end = ended(link, () => {
      for (let i = 0; i < 30; i++) link.send(new Uint8Array(50_000));
    });
    socket.end(Uint8Array.of(4, 1));
    let size = 0;
    socket.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    await once(socket, 'end');
    expect(size).toBe(30 * 50_003);
    expect((await end).by).toBe('remote');
  });

  test('close gives up on a peer that never reads', async () => {
    const [link, socket] = await linkAndSocket({ closeFlushMs: 50 });
    const end = ended(link);
    socket.pause();
    for (let i = 0; i < 200; i++) link.send(new Uint8Array(100_000));
    link.close();
    expect((await end).by).toBe('local');
  });

  test('a sender that never stops is stopped', async () => {
    const [link, socket] = await linkAndSocket({ maxBuffered: 4_000_000 });
    const end = ended(link);
    socket.pause();
    for (let i = 0; i < 500; i++) link.send(new Uint8Array(100_000));
    expect(await end).toMatchObject({ by: 'error', error: { code: 'LINK_OVERFLOW' } });
  });
});
