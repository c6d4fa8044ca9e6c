import { createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, it } from 'vitest';
import { forEachSeed } from '../../core/testing/seeds.ts';
import { MAX_CLIENT_HELLO_BYTES, serverNameOf } from './client-hello.ts';

/** What Node's TLS sends first when it asks for this name. */
async function clientHello(servername?: string): Promise<Buffer> {
  return await new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (chunk) => {
        resolve(chunk);
        socket.destroy();
        server.close();
      });
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      connectTls({ host: '127.0.0.1', port, ...(servername === undefined ? {} : { servername }), rejectUnauthorized: false }).on('error', () => {});
    });
  });
}

/** The same handshake in records of this many bytes. */
function split(hello: Buffer, bytes: number): Buffer {
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += bytes) {
    const part = body.subarray(at, at + bytes);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

it('reads the name that a client asks for, however its bytes come', async () => {
  const hello = await clientHello('www.example.org');
  expect(serverNameOf(hello)).toBe('www.example.org');
  expect(serverNameOf(await clientHello())).toBe('');
  for (let length = 0; length < hello.length; length++) expect(serverNameOf(hello.subarray(0, length))).toBeNull();
  for (const bytes of [1, 3, 100]) expect(serverNameOf(split(hello, bytes))).toBe('www.example.org');
  expect(serverNameOf(Buffer.concat([hello, Buffer.from('more')]))).toBe('www.example.org');
});

it('gives up what is no ClientHello, or one that is too long', () => {
  for (const bytes of [[21, 3, 1, 0, 2], [22, 2, 0, 0, 2], [22, 3, 1, 0, 0], [22, 3, 1, 0, 4, 2, 0, 0, 0], [22, 3, 1, 0x40, 1]])
    expect(() => serverNameOf(Uint8Array.from(bytes))).toThrow(RangeError);
  const size = MAX_CLIENT_HELLO_BYTES + 1;
  expect(() => serverNameOf(Uint8Array.of(22, 3, 1, 0, 4, 1, size >> 16, (size >> 8) & 0xff, size & 0xff))).toThrow('too long');
});

it('never does anything else with other bytes than to wait or to give up', async () => {
  const hello = await clientHello('www.example.org');
  await forEachSeed(3_000, (random) => {
    const bytes = random.chance(0.2) ? Buffer.from(random.bytes(random.below(300))) : split(hello, random.between(1, 600));
    for (let i = random.below(6); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
    try {
      const name = serverNameOf(bytes.subarray(0, random.below(bytes.length + 1)));
      expect(name === null || name.length <= bytes.length).toBe(true);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  });
});
