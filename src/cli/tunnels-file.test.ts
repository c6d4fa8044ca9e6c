import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseForward } from './commands/forward.ts';
import { readTunnelsFile } from './tunnels-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'litedesk-tunnels-'));
afterAll(() => rmSync(directory, { recursive: true }));

function read(content: unknown): ReturnType<typeof readTunnelsFile> {
  const path = join(directory, 'tunnels.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readTunnelsFile(path);
}

const WEB = { id: 'web', kind: 'forward', peer: '123', targetHost: 'nas', targetPort: 80 };

test('what is not said has its default, and listens on the loopback', () => {
  expect(read({ tunnels: [WEB, { id: 'p', kind: 'proxy', peer: '123' }] }).tunnels).toMatchObject([
    { ...WEB, listenHost: '127.0.0.1', listenPort: 0, protocol: 'tcp', enabled: true },
    { kind: 'proxy', listenHost: '127.0.0.1' },
  ]);
});

test.each([
  ['{', /tunnels\.json/],
  [{ tunnels: [{ ...WEB, targetPort: 0 }] }, /tunnels\.0\.targetPort/],
  [{ tunnels: [{ ...WEB, colour: 'red' }] }, /colour/],
  [{ tunnels: [{ ...WEB, kind: 'magic' }] }, /tunnels\.0\.kind/],
  [{ tunnels: [WEB, WEB] }, /two tunnels with the id "web"/],
  [{ tunnel: [] }, /tunnel/],
])('a mistake is named with its place: %j', (content, words) => {
  expect(() => read(content)).toThrow(words);
});

test('forwards of the command line', () => {
  expect(parseForward('8080:nas:80', '1', 'x')).toMatchObject({ listenHost: '127.0.0.1', listenPort: 8080, targetHost: 'nas', targetPort: 80 });
  expect(parseForward('udp:0.0.0.0:53:[fd00::1]:53', '1', 'x')).toMatchObject({ protocol: 'udp', listenHost: '0.0.0.0', targetHost: 'fd00::1' });
  expect(parseForward('[::1]:0:localhost:22', '1', 'x')).toMatchObject({ listenHost: '::1', listenPort: 0 });
  for (const bad of ['', '80', '80:', '80:host:port', 'x:80:host:80:1', '70000:host:80', '80:host:0']) expect(() => parseForward(bad, '1', 'x'), bad).toThrow();
});
