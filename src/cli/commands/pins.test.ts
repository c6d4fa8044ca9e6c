import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pinsCommand } from './pins.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-pins-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Runs the command with the data of `name`; its events. */
async function pins(name: string, ...args: string[]): Promise<Record<string, unknown>[]> {
  const stdout = new PassThrough();
  const io = {
    stdout,
    stderr: new PassThrough(),
    stdin: new PassThrough(),
    env: {},
    signal: new AbortController().signal,
  };
  expect(await pinsCommand([...args, '--data', join(dir, name), '--json'], io)).toBe(0);
  const text = String(stdout.read() ?? '');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('what one computer shows, another one pins, lists and forgets', async () => {
  const [own] = await pins('host');
  expect(own).toMatchObject({ event: 'identity', key: expect.stringMatching(/=$/) });
  const [shown] = await pins('host', 'show', '--server', 'desk.example:21116', '--qr');
  expect(shown).toMatchObject({
    event: 'line',
    line: expect.stringMatching(/^litedesk:\/\/desk\.example\?/),
    qr: expect.any(String),
  });
  const added = { event: 'pinned', id: own?.id, server: 'desk.example', fingerprint: own?.fingerprint };
  expect(await pins('controller', 'add', String(shown?.line))).toEqual([added]);
  expect((await pins('controller')).at(-1)).toMatchObject({
    event: 'pin',
    role: 'host',
    id: own?.id,
    key: own?.key,
    native: true,
  });
  expect(await pins('controller', 'allow-older', String(own?.id))).toEqual([
    { event: 'allowed-older', id: own?.id },
  ]);
  expect((await pins('controller')).at(-1)).toMatchObject({ native: false });
  expect(await pins('controller', 'forget', String(own?.id))).toEqual([{ event: 'forgotten', id: own?.id }]);
  expect(await pins('controller')).toHaveLength(1);
});

test.each([
  [['forget', '123456789'], 'PIN_UNKNOWN'],
  [['add', '123456789', '3F2A-91C0-77BE-04D1', '--server', 'desk.example'], 'PIN_KEY_INVALID'],
  [['add', 'litedesk://desk.example?key=#00000000'], 'INVITATION_TYPO'],
])('%j is an error with a code', async (args, code) => {
  await expect(pins('controller', ...args)).rejects.toMatchObject({ code, stage: 'usage' });
});

test.each([[['frob']], [['add', '1']], [['list', 'x']], [['add', '123456789', `${'A'.repeat(43)}=`]]])(
  '%j is wrong usage',
  async (args) => {
    await expect(pins('controller', ...args)).rejects.toMatchObject({ name: 'UsageError' });
  },
);
