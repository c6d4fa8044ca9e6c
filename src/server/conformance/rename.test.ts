/** A machine takes another id (rendezvous §5.5): RegisterPk over TCP with old_id and without a key. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ServerOptions } from '../index.ts';
import { JournalStore } from '../journal-store.ts';
import type { TestClient } from '../test-wire.ts';
import { A, ask, B, expectClosed, Failure, ID, PK, receive, Result, Rig, UUID } from './rig.ts';

const rig = Rig.forEachTest();
const NAME = 'office-pc';

async function rename(from: string, id: string, oldId = ID, uuid = UUID): Promise<number | undefined> {
  const client = await rig.tcp(from);
  const reply = await ask(client, { registerPk: { id, oldId, uuid } });
  await expectClosed(client);
  return reply.registerPkResponse?.result;
}

async function expectReached(peer: TestClient, id: string): Promise<void> {
  await rig.punchFrom(A, { id });
  expect((await receive(peer)).union).toBe('punchHole');
}

for (const kind of ['database', 'journal'] as const)
  it(`moves the registration to the new id, which survives a restart (${kind})`, async () => {
    const options = (): Partial<ServerOptions> =>
      kind === 'journal' ? { store: new JournalStore(join(rig.dir, 'peers.journal'), 100) } : {};
    await rig.start(options());
    const b = await rig.peer();
    expect(await rename(B, NAME)).toBe(Result.OK);
    await expectReached(b, NAME);
    expect(await rig.refusal(ID)).toBe(Failure.ID_NOT_EXIST);
    await rig.restart(options());
    expect(await rig.refusal(ID)).toBe(Failure.ID_NOT_EXIST);
    expect(await rig.refusal(NAME)).toBe(Failure.OFFLINE);
    // As the client goes on: a RegisterPk under its new id.
    expect((await ask(b, { registerPk: { id: NAME, uuid: UUID, pk: PK } })).registerPkResponse?.result).toBe(Result.OK);
    await expectReached(b, NAME);
    // The old one is anybody's.
    const other = new Uint8Array([9]);
    expect((await ask(await rig.udp(A), { registerPk: { id: ID, uuid: other, pk: PK } })).registerPkResponse?.result).toBe(Result.OK);
  });

describe('refusals', () => {
  it('an id that somebody else has', async () => {
    await rig.start();
    await rig.peer();
    const other = await rig.udp(A);
    await ask(other, { registerPk: { id: NAME, uuid: new Uint8Array([9]), pk: PK } });
    expect(await rename(B, NAME)).toBe(Result.ID_EXISTS);
    await expectReached(await rig.peer(), ID);
  });

  it('an id that is none', async () => {
    await rig.start();
    await rig.peer();
    for (const id of ['short', '123456789x', 'a'.repeat(17), 'with space', 'slash/es', '']) expect(await rename(B, id)).toBe(Result.INVALID_ID_FORMAT);
    for (const id of ['Aa-b_c', 'büroraum-5']) expect(await rename(B, id, id === 'Aa-b_c' ? ID : 'Aa-b_c')).toBe(Result.OK);
  });

  it('another machine, and an old id that nobody has, alike', async () => {
    await rig.start();
    await rig.peer();
    expect(await rename(A, NAME, ID, new Uint8Array([9]))).toBe(Result.UUID_MISMATCH);
    expect(await rename(A, NAME, 'nobody-has')).toBe(Result.UUID_MISMATCH);
  });

  it('too many in a row', async () => {
    await rig.startVirtual();
    const peer = await rig.peer();
    for (let i = 0; i < 40; i++) {
      rig.clock.advance(6_100);
      const result = await rename(B, `name-${i}`, i === 0 ? ID : `name-${i - 1}`);
      if (result === Result.TOO_FREQUENT) return expect(i).toBeGreaterThan(3);
      expect(result).toBe(Result.OK);
    }
    peer.destroy();
    throw new Error('never refused');
  });

  it('a full disk, and the old id stays', async () => {
    let broken = false;
    const store = new JournalStore(join(rig.dir, 'peers.journal'), 100);
    await rig.start({
      store: {
        kind: 'broken',
        get: (id) => store.get(id),
        count: () => store.count(),
        close: () => store.close(),
        save: (row, done) => (broken ? done(new Error('disk full')) : store.save(row, done)),
      },
    });
    const b = await rig.peer();
    broken = true;
    expect(await rename(B, NAME)).toBe(Result.SERVER_ERROR);
    await expectReached(b, ID);
    expect(await rig.refusal(NAME)).toBe(Failure.ID_NOT_EXIST);
  });
});

it('over the connection that is the registration itself keeps it, under the new id', async () => {
  await rig.start();
  const b = await rig.ws(B);
  await ask(b, { registerPk: { id: ID, uuid: UUID, pk: PK } });
  expect((await ask(b, { registerPk: { id: NAME, oldId: ID, uuid: UUID } })).registerPkResponse?.result).toBe(Result.OK);
  await expectReached(b, NAME);
  b.end();
  while (await b.inbox.next());
  expect(await rig.refusal(NAME)).toBe(Failure.OFFLINE);
});

it('twice, because the answer was lost, is still OK', async () => {
  await rig.start();
  const b = await rig.peer();
  for (let i = 0; i < 2; i++) expect(await rename(B, NAME)).toBe(Result.OK);
  await expectReached(b, NAME);
});
