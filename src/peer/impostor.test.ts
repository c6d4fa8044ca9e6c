/** An impostor of a host, at an evil server that vouches for his key; docs/threat-model.md names the attacks. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { initCrypto, signKeyPair } from '../core/crypto/index.ts';
import type { Peer } from './peer.ts';
import { PeerLab, registered, session } from '../../test/lib/peers.ts';

let lab: PeerLab;
beforeEach(async () => {
  await initCrypto();
  lab = new PeerLab();
});
afterEach(() => lab.end());

/** Makes the data folder of somebody with the ID of another and a key of his own. */
function impersonate(name: string, as: string): void {
  const identity = JSON.parse(readFileSync(join(lab.dir, name, 'identity.json'), 'utf8')) as Record<
    string,
    string
  >;
  const pair = signKeyPair();
  identity.publicKey = Buffer.from(pair.publicKey).toString('base64');
  identity.secretKey = Buffer.from(pair.secretKey).toString('base64');
  mkdirSync(join(lab.dir, as));
  writeFileSync(join(lab.dir, as, 'identity.json'), JSON.stringify(identity));
}

/** A host that a controller knows from a session; then the server turns evil, and an impostor has the host's ID. */
async function scene(): Promise<{ id: string; host: Peer; controller: Peer; evil: string }> {
  const server = await lab.server('server');
  const host = await lab.peer('host', server.invitation);
  expect(await registered(host)).toBe('registered');
  const first = await lab.peer('controller', server.invitation);
  expect(await session(first, host.id, 'secret')).toBe('opened, host proven');
  await host.stop();
  await lab.closeServer(server);

  // The key that everybody trusts, without the memory of who had which ID.
  mkdirSync(join(lab.dir, 'evil'));
  copyFileSync(join(lab.dir, 'server/id_ed25519'), join(lab.dir, 'evil/id_ed25519'));
  const evil = await lab.server('evil');
  mkdirSync(join(lab.dir, 'impostor'));
  const identity = JSON.parse(readFileSync(join(lab.dir, 'host/identity.json'), 'utf8')) as Record<
    string,
    string
  >;
  const pair = signKeyPair();
  identity.publicKey = Buffer.from(pair.publicKey).toString('base64');
  identity.secretKey = Buffer.from(pair.secretKey).toString('base64');
  writeFileSync(join(lab.dir, 'impostor/identity.json'), JSON.stringify(identity));
  const impostor = await lab.peer('impostor', evil.invitation, { password: 'a guess' });
  expect(await registered(impostor)).toBe('registered');
  expect(impostor.id).toBe(host.id);
  const controller = await lab.peer('controller', evil.invitation);
  return { id: host.id, host, controller, evil: evil.invitation };
}

test('is refused by who knows the host, with both fingerprints and the way on', async () => {
  const { id, host, controller } = await scene();
  const [known] = controller.pins.list();
  expect(known).toMatchObject({ role: 'host', id, native: true });
  await expect(session(controller, id, 'secret')).rejects.toMatchObject({
    code: 'HANDSHAKE_KEY_CHANGED',
    stage: 'handshake',
    message: expect.stringContaining(known?.fingerprint ?? 'none'),
    hint: expect.stringContaining(`litedesk pins forget ${id}`),
  });
  // Nothing was learnt from the attempt.
  expect(controller.pins.list()).toMatchObject([{ fingerprint: known?.fingerprint }]);
  expect(host.pins.list()).toMatchObject([{ role: 'controller', id: controller.id }]);
});

test('gets no session and no password from who has never been there, and is not remembered', async () => {
  const { id, evil } = await scene();
  const stranger = await lab.peer('stranger', evil);
  expect(await session(stranger, id, 'secret')).toBe('LOGIN_WRONG_PASSWORD');
  expect(stranger.pins.list()).toEqual([]);
});

test('is taken for the host once somebody forgets what was known: that is theirs to decide', async () => {
  const { id, controller } = await scene();
  expect(controller.pins.forget(id)).toBe(true);
  expect(await session(controller, id, 'a guess')).toBe('opened, host proven');
});

test('of a controller is not taken for it, whatever he knows', async () => {
  const server = await lab.server('server');
  const host = await lab.peer('host', server.invitation);
  const standings: string[] = [];
  host.on('session-opened', ({ peerId, standing }) => standings.push(`${peerId} ${standing}`));
  expect(await registered(host)).toBe('registered');
  const controller = await lab.peer('controller', server.invitation);
  for (let i = 0; i < 2; i++)
    expect(await session(controller, host.id, 'secret')).toBe('opened, host proven');
  impersonate('controller', 'thief');
  const thief = await lab.peer('thief', server.invitation);
  expect(thief.id).toBe(controller.id);
  expect(await session(thief, host.id, 'secret')).toBe('opened, host proven');
  expect(standings).toEqual(['new', 'known', 'changed'].map((standing) => `${controller.id} ${standing}`));
  // Nor does it become the known one.
  expect(await session(controller, host.id, 'secret')).toBe('opened, host proven');
  expect(standings.at(-1)).toBe(`${controller.id} known`);
});
