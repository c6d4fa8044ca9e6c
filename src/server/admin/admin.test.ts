/** The admin socket through its own client, as `litedesk admin` uses it. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../../core/clock.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { callAdmin } from './client.ts';
import { AdminCommands } from './registry.ts';
import { AdminSocket } from './socket.ts';

let dir: string;
let commands: AdminCommands;
let socket: AdminSocket | undefined;
const signal = new AbortController().signal;
const call = (...words: string[]) => callAdmin(dir, words, signal);
const open = (clock = systemClock) =>
  AdminSocket.open({ dataDir: dir, commands, limits: { ...DEFAULT_LIMITS, maxAdminRequestBytes: 200 }, clock });

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-admin-'));
  commands = new AdminCommands();
  commands.add({
    name: 'things list',
    aliases: ['tl'],
    usage: '[PATTERN] [--count N]',
    help: 'lists things',
    options: { count: { type: 'string' } },
    maxArgs: 1,
    run: ({ args, values }) => ({ args: [...args], count: values.count ?? null }),
  });
  commands.add({ name: 'broken', help: 'fails', run: () => Promise.reject(new Error('no disk')) });
});
afterEach(async () => {
  await socket?.close();
  socket = undefined;
  rmSync(dir, { recursive: true });
});

it('answers commands by name and by alias, with options', async () => {
  socket = await open();
  expect(await call('things', 'list', 'x', '--count', '5')).toMatchObject({ command: 'things list', result: { args: ['x'], count: '5' } });
  expect(await call('tl', '-')).toMatchObject({ command: 'things list', result: { args: ['-'], count: null } });
  expect((await call()).text).toContain('things list [PATTERN] [--count N]\n    lists things (also: tl)');
});

it('tells apart what is unknown, wrong and broken', async () => {
  socket = await open();
  await expect(call('nothing')).rejects.toMatchObject({ code: 'ADMIN_NO_COMMAND', stage: 'usage' });
  await expect(call('tl', 'x', 'y')).rejects.toMatchObject({ code: 'ADMIN_USAGE', message: expect.stringContaining('"y"') });
  await expect(call('tl', '--cunt')).rejects.toMatchObject({ code: 'ADMIN_USAGE' });
  await expect(call('broken')).rejects.toMatchObject({ code: 'ADMIN_FAILED', message: expect.stringContaining('no disk') });
  await expect(call('tl', 'x'.repeat(300))).rejects.toMatchObject({ code: 'ADMIN_NO_ANSWER' });
});

it('is for its owner alone and goes with the server', async () => {
  socket = await open();
  const file = join(dir, 'admin.sock');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await socket.close();
  socket = undefined;
  expect(existsSync(file)).toBe(false);
  await expect(call('help')).rejects.toMatchObject({ code: 'ADMIN_NOT_RUNNING' });
});

it('takes the place of a server that was killed, but not of one that lives', async () => {
  // A listening handle closed behind Node's back leaves its file, as a killed process does.
  const dead = createServer();
  await new Promise<void>((resolve) => dead.listen(join(dir, 'old.sock'), resolve));
  renameSync(join(dir, 'old.sock'), join(dir, 'admin.sock'));
  await new Promise((resolve) => dead.close(resolve));
  expect(existsSync(join(dir, 'admin.sock'))).toBe(true);
  socket = await open();
  await expect(open()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect((await call('tl')).command).toBe('things list');
});

it.runIf(process.platform === 'linux')('works in a folder too deep for a socket path', async () => {
  const top = dir;
  dir = join(dir, 'd'.repeat(60), 'e'.repeat(60));
  mkdirSync(dir, { recursive: true });
  socket = await open();
  expect((await call('tl')).command).toBe('things list');
  expect(statSync(join(dir, 'admin.sock')).mode & 0o777).toBe(0o600);
  await socket.close();
  expect(existsSync(join(dir, 'admin.sock'))).toBe(false);
  socket = undefined;
  dir = top;
});

it('does not wait for ever for a command', async () => {
  const clock = new VirtualClock();
  socket = await open(clock);
  const client = connect(join(dir, 'admin.sock'));
  const closed = new Promise((resolve) => client.on('close', resolve));
  client.write('{"words":');
  // A second client is answered once the first is accepted.
  await call('tl');
  clock.advance(DEFAULT_LIMITS.adminRequestMs);
  await closed;
});
