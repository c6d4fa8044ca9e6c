/** Our peers at our server: invitations, a key that changes under them, a key that is wrong, tickets for a relay elsewhere. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fingerprint } from '../core/crypto/index.ts';
import { callAdmin } from '../server/admin/client.ts';
import type { RunningServer, ServerOptions } from '../server/index.ts';
import type { Peer } from './peer.ts';
import { PeerLab, registered } from '../../test/lib/peers.ts';

const DAY_MS = 86_400_000;
const OTHER_KEY = Buffer.alloc(32, 9).toString('base64');
let lab: PeerLab;

const start = (name: string, options: Partial<ServerOptions> = {}): Promise<RunningServer> => lab.server(name, options);
const peer = (name: string, server: string, key?: string): Promise<Peer> => lab.peer(name, server, key === undefined ? {} : { key });

async function connect(from: Peer, to: Peer, path: 'auto' | 'relay'): Promise<string> {
  const connected = await from.connect(to.id, { signal: AbortSignal.timeout(10_000), path, password: 'secret' });
  connected.session.close();
  return `${connected.path} ${connected.encrypted && connected.peerVerified ? 'verified' : 'open'}`;
}

beforeEach(() => {
  lab = new PeerLab();
});
afterEach(() => lab.end());

it('enrols with the token of its invitation, and not without', async () => {
  const server = await start('server', { enrolment: 'token' });
  const { result } = await callAdmin(join(lab.dir, 'server'), ['invite'], new AbortController().signal);
  expect(await registered(await peer('stranger', server.invitation))).toContain('REGISTER_NOT_DEPLOYED');
  expect(await registered(await peer('guest', (result as { invitation: string }).invitation))).toBe('registered');
  expect(server.stats()['enrol-needs-token']).toBeGreaterThan(0);
});

it('moves on by itself when the server changes its key, and meets a peer that has the new one', async () => {
  const server = await start('server');
  const { publicKey: before, invitation } = server;
  const host = await peer('host', server.invitation);
  expect(await registered(host)).toBe('registered');
  server.rotateKey(30 * DAY_MS);
  const controller = await peer('controller', server.invitation);
  expect(await connect(controller, host, 'relay')).toBe('relay verified');
  // The next start registers the key again, and hears of the change.
  await host.stop();
  const moved = new Promise((resolve) => host.on('changed', () => host.server?.key === server.publicKey && resolve(true)));
  host.start();
  await moved;
  expect(host.settings.movedKeys).toEqual([{ from: before, to: server.publicKey }]);
  // A start later, with the invitation of old.
  expect((await peer('host', invitation)).server?.key).toBe(server.publicKey);
});

it('a controller with the old key moves on too', async () => {
  const server = await start('server');
  const invitation = server.invitation;
  const host = await peer('host', invitation);
  expect(await registered(host)).toBe('registered');
  const controller = await peer('controller', invitation);
  expect(await registered(controller)).toBe('registered');
  server.rotateKey(30 * DAY_MS);
  const moved = new Promise((resolve) => controller.on('changed', () => controller.server?.key === server.publicKey && resolve(true)));
  expect(await connect(controller, host, 'auto')).toMatch(/ verified$/);
  await moved;
});

it('says both fingerprints when the key is another one, as host and as controller', async () => {
  const server = await start('server');
  const good = await peer('good', server.invitation);
  expect(await registered(good)).toBe('registered');
  const wrong = await peer('wrong', `127.0.0.1:${server.ports.rendezvous}`, OTHER_KEY);
  const seen: string[] = [];
  wrong.on('offline', ({ code, message }) => seen.push(`${code}: ${message}`));
  await expect(connect(wrong, good, 'auto')).rejects.toMatchObject({
    code: 'KEY_MISMATCH',
    message: expect.stringMatching(new RegExp(`${fingerprint(OTHER_KEY)}.*${fingerprint(server.publicKey)}`)),
  });
  wrong.start();
  while (!seen.some((line) => line.startsWith('KEY_MISMATCH'))) await new Promise((resolve) => wrong.on('offline', resolve));
  expect(seen.at(-1)).toContain(fingerprint(server.publicKey));
});

it('relays through another machine that has the key, by tickets alone', async () => {
  await lab.closeServer(await start('first'));
  mkdirSync(join(lab.dir, 'relay'));
  copyFileSync(join(lab.dir, 'first/id_ed25519'), join(lab.dir, 'relay/id_ed25519'));
  const relay = await start('relay');
  const server = await start('first', { relays: [`127.0.0.1:${relay.ports.relay}`] });
  const [host, controller] = [await peer('host', server.invitation), await peer('controller', server.invitation)];
  expect(await registered(host)).toBe('registered');
  expect(await connect(controller, host, 'relay')).toBe('relay verified');
  expect(relay.stats()['relay-paired']).toBe(1);
  expect(server.stats()['relay-paired'] ?? 0).toBe(0);
});
