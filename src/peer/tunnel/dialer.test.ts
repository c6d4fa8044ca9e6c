import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { DatagramReader, encodeDatagram, StreamResetError, type StreamTarget } from '../../core/mux/index.ts';
import { StreamDuplex } from '../../net/stream-duplex.ts';
import { serve, type TunnelRig, tunnelRig } from './test-rig.ts';

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const done of cleanUp.splice(0).reverse()) done();
});

async function rig(rules: readonly string[], options: Parameters<typeof tunnelRig>[1] = {}): Promise<TunnelRig> {
  const made = await tunnelRig(rules, options);
  cleanUp.push(() => made.close());
  return made;
}

/** An echo server that ends when its client does; answers its port. */
async function echo(): Promise<number> {
  const { server, port } = await serve((socket) => socket.pipe(socket));
  cleanUp.push(() => server.close());
  return port;
}

function open(from: TunnelRig, target: StreamTarget): StreamDuplex {
  const duplex = new StreamDuplex(from.near.open(target));
  duplex.on('error', () => {});
  return duplex;
}

const codeOf = async (stream: StreamDuplex): Promise<string> => {
  const [error] = (await once(stream, 'error')) as [StreamResetError];
  return error.code;
};

test('a stream to an allowed target is joined with it, and the audit says what went through', async () => {
  const port = await echo();
  const tunnel = await rig([`tcp:127.0.0.1:${port}`]);
  const stream = open(tunnel, { kind: 'tcp', host: '127.0.0.1', port });
  const opened = once(stream, 'opened');
  stream.end('hello');
  expect(await text(stream)).toBe('hello');
  expect(await opened).toEqual([`127.0.0.1:${port}`]);
  expect(await tunnel.nextAudit()).toMatchObject({
    peerId: '111',
    target: `tcp:127.0.0.1:${port}`,
    address: `127.0.0.1:${port}`,
    allowed: true,
    code: null,
    bytesIn: 5,
    bytesOut: 5,
  });
});

test('what no rule allows is refused with the reason, and nothing is resolved', async () => {
  let lookups = 0;
  const resolve = async (): Promise<string[]> => {
    lookups++;
    return ['10.0.0.1'];
  };
  const tunnel = await rig(['tcp:10.0.0.0/8:80'], { resolve });
  expect(await codeOf(open(tunnel, { kind: 'tcp', host: 'a.example', port: 22 }))).toBe('refused-by-rule');
  expect(await codeOf(open(tunnel, { kind: 'udp', host: 'a.example', port: 80 }))).toBe('refused-by-rule');
  expect(await codeOf(open(tunnel, { kind: 'service', name: 'files' }))).toBe('refused-by-rule');
  expect(lookups).toBe(0);
  expect(tunnel.audits.map(({ allowed, code, address }) => [allowed, code, address])).toEqual(
    Array.from({ length: 3 }, () => [false, 'refused-by-rule', null]),
  );
});

test('a name that leads to this computer is refused, in every way of writing that', async () => {
  const port = await echo();
  const names: Record<string, string[]> = {
    'rebind.example': ['127.0.0.1'],
    'mapped.example': ['::ffff:127.0.0.1'],
    'hex.example': ['::ffff:7f00:1'],
    'v6.example': ['::1'],
    'any.example': ['0.0.0.0'],
    'cloud.example': ['169.254.169.254'],
    'link.example': ['fe80::1'],
  };
  const tunnel = await rig(['any', ...Object.keys(names).map((name) => `tcp:${name}:*`)], {
    resolve: async (host) => names[host] ?? [],
  });
  for (const host of [...Object.keys(names), '127.0.0.1', '::1', '::ffff:127.0.0.1', '0.0.0.0', '169.254.169.254'])
    expect(await codeOf(open(tunnel, { kind: 'tcp', host, port })), host).toBe('refused-by-rule');
});

test.each(['2130706433', '0x7f000001', '127.1', '0177.0.0.1', 'localhost'])('%s is resolved by the system, then refused', async (host) => {
  const port = await echo();
  const tunnel = await rig(['any']);
  // Some resolvers take it for an address of this computer, the others for a name that there is not.
  expect(['refused-by-rule', 'dns']).toContain(await codeOf(open(tunnel, { kind: 'tcp', host, port })));
});

test('of several addresses those are dialled that are allowed; a second answer of the resolver is not asked for', async () => {
  const port = await echo();
  let lookups = 0;
  const resolve = async (): Promise<string[]> => (lookups++ === 0 ? ['10.255.255.1', '127.0.0.1'] : ['169.254.169.254']);
  const tunnel = await rig([`tcp:127.0.0.1:${port}`], { resolve });
  const stream = open(tunnel, { kind: 'tcp', host: 'two.example', port });
  stream.end('x');
  expect(await text(stream)).toBe('x');
  expect(lookups).toBe(1);
});

test('what goes wrong at the target is told as such', async () => {
  const { server, port } = await serve(() => {});
  server.close();
  const tunnel = await rig(['tcp:127.0.0.1:*', 'any'], {
    resolve: async () => {
      throw new StreamResetError('dns', '', 'local');
    },
  });
  expect(await codeOf(open(tunnel, { kind: 'tcp', host: '127.0.0.1', port }))).toBe('refused');
  expect(await codeOf(open(tunnel, { kind: 'published', name: 'x', remoteAddress: '1.2.3.4:5' }))).toBe('unknown-service');
  expect(await codeOf(open(tunnel, { kind: 'service', name: 'x' }))).toBe('unknown-service');
});

test('a target that breaks off resets the stream, and a stream that is reset breaks off the target', async () => {
  const closed: Promise<unknown>[] = [];
  const { server, port } = await serve((socket) => {
    socket.once('data', (data) => {
      if (String(data) === 'break') socket.resetAndDestroy();
    });
    closed.push(new Promise((resolve) => socket.once('close', resolve)));
  });
  cleanUp.push(() => server.close());
  const tunnel = await rig([`tcp:127.0.0.1:${port}`]);
  const broken = open(tunnel, { kind: 'tcp', host: '127.0.0.1', port });
  broken.write('break');
  expect(await codeOf(broken)).toBe('target-reset');
  const dropped = open(tunnel, { kind: 'tcp', host: '127.0.0.1', port });
  await once(dropped, 'opened');
  dropped.destroy();
  await tunnel.nextAudit();
  await tunnel.nextAudit();
  await Promise.all(closed);
});

test('one direction ends, the other goes on', async () => {
  const { server, port } = await serve((socket) => {
    void buffer(socket).then((all) => socket.end(`got ${all.length}`));
  });
  cleanUp.push(() => server.close());
  const tunnel = await rig([`tcp:127.0.0.1:${port}`]);
  const stream = open(tunnel, { kind: 'tcp', host: '127.0.0.1', port });
  stream.end(Buffer.alloc(1_000_000));
  expect(await text(stream)).toBe('got 1000000');
});

test('datagrams go to their target and come back one by one', async () => {
  const server = createSocket('udp4');
  server.on('message', (data, from) => server.send(Buffer.concat([Buffer.from('re:'), data]), from.port, from.address));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => server.close());
  const { port } = server.address();
  const tunnel = await rig([`udp:127.0.0.1:${port}`]);
  const stream = open(tunnel, { kind: 'udp', host: '127.0.0.1', port });
  const reader = new DatagramReader();
  const got: string[] = [];
  const done = new Promise<void>((resolve) =>
    stream.on('data', (chunk: Buffer) => {
      got.push(...reader.push(chunk).map((each) => Buffer.from(each).toString()));
      if (got.length === 3) resolve();
    }),
  );
  for (const word of ['a', '', 'ccc']) stream.write(encodeDatagram(Buffer.from(word)));
  await done;
  expect(got.toSorted()).toEqual(['re:', 're:a', 're:ccc']);
});
