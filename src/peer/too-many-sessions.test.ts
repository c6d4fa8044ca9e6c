/** One session more than a computer takes, through its real port on the loopback. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePorts } from '../../test/lib/ports.ts';
import { MAX_INCOMING } from './incoming-sessions.ts';
import { type Connected, Peer } from './peer.ts';

const PASSWORD = 'correct horse battery';

const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

async function openPeer(log: string[] = []): Promise<Peer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'litedesk-sessions-'));
  cleanup.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const peer = await Peer.open({
    dataDir,
    desktop: null,
    overrides: { permanentPassword: PASSWORD },
    log: (line) => void log.push(line),
  });
  cleanup.push(() => peer.stop());
  return peer;
}

test('the controller of one session too many is told why, so is the log, and the others go on', async () => {
  const log: string[] = [];
  const host = await openPeer(log);
  const port = await freePorts();
  await host.changeSettings({ lanDiscovery: false, directAccess: true, directAccessPort: port });
  host.start();
  const controller = await openPeer();
  const connect = async (): Promise<Connected> =>
    await controller.connect(`127.0.0.1:${port}`, {
      signal: AbortSignal.timeout(60_000),
      password: PASSWORD,
      allowPlaintext: true,
      video: false,
    });
  const sessions: Connected[] = [];
  for (let count = 0; count < MAX_INCOMING; count++) {
    const connected = await connect();
    const opened = new Promise<void>((resolve) => connected.session.on('opened', () => resolve()));
    connected.session.start();
    await opened;
    sessions.push(connected);
  }
  const { session } = await connect();
  const closed = new Promise<{ reason: string }>((resolve) => session.on('closed', resolve));
  session.start();
  const { reason } = await closed;
  expect(reason).toContain(`${MAX_INCOMING} at once`);
  expect(log.filter((line) => line.includes(reason))).toHaveLength(1);
  await sessions[0]!.session.ping(AbortSignal.timeout(60_000));
  expect(host.incoming).toHaveLength(MAX_INCOMING);
});
