/** Enrolment at a running server: stock-style and own computers over UDP and TCP, the operator over the admin socket. */
import { expect, it } from 'vitest';
import { proveEnrolment } from '../../core/crypto/index.ts';
import { decodeRendezvous, encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { parseInvitation } from '../../shared/invitation.ts';
import { callAdmin } from '../admin/client.ts';
import { ServerUnderTest } from '../test-server.ts';
import { tcpClient, udpClient } from '../test-wire.ts';

const Result = hbb.RegisterPkResponse.Result;
const DEVICE = { id: '123456789', uuid: new Uint8Array(8).fill(1), pk: new Uint8Array(32).fill(7) };
const rig = new ServerUnderTest();

const admin = async (...words: string[]) =>
  (await callAdmin(rig.dir, words, new AbortController().signal)).result;
async function register(message: hbb.IRegisterPk, kind: 'udp' | 'tcp' = 'udp'): Promise<string> {
  const client = await (kind === 'udp' ? udpClient : tcpClient)(rig.server.ports.rendezvous, '127.0.0.102');
  rig.track(client);
  client.send(encodeRendezvous({ registerPk: message }));
  const bytes = await client.inbox.next();
  return Result[decodeRendezvous(bytes ?? new Uint8Array(0)).registerPkResponse?.result ?? 0] ?? '';
}
const proven = (token: string, device = DEVICE): hbb.IRegisterPk => ({
  ...device,
  enrolmentProof: proveEnrolment(token, rig.server.publicKey, device),
});

it('takes who has the invitation, and from then on without it', async () => {
  await rig.start({ enrolment: 'token' });
  const { invitation } = (await admin('invite', '--uses', '1', '--qr')) as { invitation: string };
  const { token, key } = parseInvitation(invitation);
  expect(key).toBe(rig.server.publicKey);
  expect(await register(DEVICE)).toBe('NOT_DEPLOYED');
  expect(await register(proven(token ?? ''))).toBe('OK');
  expect(await register(DEVICE)).toBe('OK');
  expect(await register(proven(token ?? '', { ...DEVICE, id: '987654321' }))).toBe('NOT_DEPLOYED');
  expect(rig.server.stats()).toMatchObject({ 'enrol-needs-token': 1, 'enrol-bad-token': 1 });
});

it('a use counts once, however many copies of the registration come', async () => {
  await rig.start({ enrolment: 'token' });
  const { invitation } = (await admin('invite')) as { invitation: string };
  const { token = '' } = parseInvitation(invitation);
  const results = await Promise.all([
    register(proven(token)),
    register(proven(token), 'tcp'),
    register(proven(token)),
  ]);
  expect(results).toEqual(['OK', 'OK', 'OK']);
  expect(await admin('invite', 'list')).toMatchObject([{ state: 'used up', uses: 1, of: 1 }]);
});

it('takes whom the operator approves; a stock client only has to ask again', async () => {
  await rig.start({ enrolment: 'approval' });
  expect(await register(DEVICE)).toBe('NOT_DEPLOYED');
  expect(await admin('pending')).toMatchObject([{ id: DEVICE.id, host: '127.0.0.102' }]);
  await admin('deny', DEVICE.id);
  expect(await register(DEVICE, 'tcp')).toBe('NOT_DEPLOYED');
  expect(await admin('pending')).toEqual([]);
  expect(await admin('denied')).toMatchObject([{ id: DEVICE.id }]);
  await admin('approve', DEVICE.id);
  expect(await register(DEVICE)).toBe('OK');
  await expect(admin('approve', 'nobody')).rejects.toMatchObject({ code: 'ENROLMENT_NOT_WAITING' });
});

it('who was registered before stays so when the mode changes', async () => {
  await rig.start({});
  expect(await register(DEVICE)).toBe('OK');
  await rig.server.close();
  await rig.start({ enrolment: 'approval' });
  expect(await register(DEVICE)).toBe('OK');
  expect((await rig.server.ready()).ok).toBe(true);
});

it('rotates the key on command, and shows what is accepted', async () => {
  await rig.start({});
  const before = rig.server.publicKey;
  const { key, invitation } = (await admin('rotate-key', '--overlap', '2d')) as {
    key: string;
    invitation: string;
  };
  expect(parseInvitation(invitation).key).toBe(key);
  expect(rig.server.publicKey).toBe(key);
  expect(await admin('keys')).toMatchObject([{ key, until: 'in use' }, { key: before }]);
  await expect(admin('rotate-key', '--overlap', 'soon')).rejects.toMatchObject({ code: 'ADMIN_USAGE' });
  expect((await rig.server.ready()).ok).toBe(true);
});
