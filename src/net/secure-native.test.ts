import { beforeAll, describe, expect, test } from 'vitest';
import { initCrypto, signKeyPair, type SignKeyPair } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import type { SessionTicket } from '../core/native/key-schedule.ts';
import { type LinkPair, linkCompliance } from './link-compliance.ts';
import {
  type SecureControllerOptions,
  type SecuredLink,
  secureAsController,
  secureAsHost,
} from './secure.ts';
import { tcpPair } from './test-pairs.ts';

const HOST_ID = '123456789';
const CONTROLLER_ID = '987654321';
let host: SignKeyPair;
let controller: SignKeyPair;

beforeAll(async () => {
  await initCrypto();
  host = signKeyPair(new Uint8Array(32).fill(1));
  controller = signKeyPair(new Uint8Array(32).fill(2));
});

interface Ends {
  controller?: Partial<SecureControllerOptions>;
  /** Sessions that the host lets paths join. Null: a host that does not know the native link. */
  sessions?: SessionTicket[] | null;
}

/** Both ends over a loopback socket; what failed is in place of a link. */
async function exchange(ends: Ends = {}): Promise<[SecuredLink, SecuredLink, LinkPair[2]]> {
  const [a, b, cleanup] = await tcpPair();
  const { sessions = [] } = ends;
  const findSession = (id: Uint8Array): Uint8Array | null =>
    sessions?.find((ticket) => Buffer.from(ticket.sessionId).equals(id))?.sessionSecret ?? null;
  const [near, far] = await Promise.allSettled([
    secureAsController(a, {
      peerId: HOST_ID,
      hostKey: host.publicKey,
      allowPlaintext: false,
      native: { identity: { id: CONTROLLER_ID, ...controller } },
      ...ends.controller,
    }),
    secureAsHost(b, {
      id: HOST_ID,
      signSecretKey: host.secretKey,
      allowPlaintext: false,
      ...(sessions ? { native: { findSession } } : {}),
    }),
  ]);
  if (near.status === 'fulfilled' && far.status === 'fulfilled') return [near.value, far.value, cleanup];
  a.destroy();
  b.destroy();
  await cleanup();
  const reasons = [near, far].map((end) => (end.status === 'rejected' ? (end.reason as unknown) : null));
  throw Object.assign(new Error('no link'), { reasons });
}

/** The codes with which the controller and the host end, in this order. */
async function failure(ends: Ends): Promise<(string | null)[]> {
  const error: unknown = await exchange(ends).catch((reason: unknown) => reason);
  const reasons = (error as { reasons?: unknown[] }).reasons ?? [];
  return reasons.map((reason) => (reason instanceof LiteDeskError ? reason.code : null));
}

linkCompliance('native TcpLink', exchange, { raw: false });

describe('native handshake', () => {
  test('gives both ends the same secrets, fresh each time, and says who is who', async () => {
    const ids = new Set<string>();
    for (let round = 0; round < 2; round++) {
      const [near, far, cleanup] = await exchange();
      expect(near.native?.peer).toEqual({ id: HOST_ID, key: host.publicKey });
      expect(far.native?.peer).toEqual({ id: CONTROLLER_ID, key: controller.publicKey });
      expect([near.peerVerified, far.peerVerified, near.encrypted, far.encrypted]).toEqual(
        Array(4).fill(true),
      );
      const { peer: _near, ...secrets } = near.native ?? { peer: null };
      const { peer: _far, ...others } = far.native ?? { peer: null };
      expect(secrets).toEqual(others);
      expect(near.native).toMatchObject({ joined: false });
      expect([near.native?.sessionId.length, near.native?.sessionSecret.length]).toEqual([16, 32]);
      ids.add(Buffer.from(near.native?.sessionId ?? []).toString('hex'));
      near.destroy();
      far.destroy();
      await cleanup();
    }
    expect(ids.size).toBe(2);
  });

  test('a controller may stay anonymous', async () => {
    const [, far, cleanup] = await exchange({ controller: { native: { identity: null } } });
    expect([far.native?.peer, far.peerVerified]).toEqual([null, false]);
    far.destroy();
    await cleanup();
  });

  test("a further path joins by the session's secret", async () => {
    const [first, , cleanup] = await exchange();
    const ticket = first.native as SessionTicket;
    const [near, far, cleanupToo] = await exchange({
      sessions: [ticket],
      controller: { native: { identity: null, join: ticket } },
    });
    for (const end of [near, far])
      expect(end.native).toMatchObject({
        joined: true,
        sessionId: ticket.sessionId,
        sessionSecret: ticket.sessionSecret,
      });
    expect(near.native?.transcript).not.toEqual(first.native?.transcript);
    for (const link of [first, near, far]) link.destroy();
    await cleanup();
    await cleanupToo();
  });

  test('stock ends on either side get the stock key exchange', async () => {
    const stockController = await exchange({ controller: { native: undefined } });
    const stockHost = await exchange({ sessions: null });
    for (const [near, far, cleanup] of [stockController, stockHost]) {
      expect([near.native, far.native, near.encrypted, near.peerVerified]).toEqual([null, null, true, true]);
      near.destroy();
      far.destroy();
      await cleanup();
    }
  });

  test('a path joins no session that is not there, nor with another secret, nor a stock host', async () => {
    const ticket = { sessionId: new Uint8Array(16).fill(5), sessionSecret: new Uint8Array(32).fill(6) };
    const join = { native: { identity: null, join: ticket } };
    expect(await failure({ controller: join })).toEqual(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_JOIN_REFUSED']);
    const other = { ...ticket, sessionSecret: new Uint8Array(32).fill(7) };
    expect(await failure({ controller: join, sessions: [other] })).toEqual([
      'HANDSHAKE_PEER_CLOSED',
      'HANDSHAKE_JOIN_REFUSED',
    ]);
    expect((await failure({ controller: join, sessions: null }))[0]).toBe('HANDSHAKE_JOIN_REFUSED');
  });

  test('a remembered key is the only one that is taken, and what spoke native must go on so', async () => {
    const stranger = signKeyPair(new Uint8Array(32).fill(3));
    const changed = await failure({ controller: { pinned: { key: stranger.publicKey, native: false } } });
    expect(changed[0]).toBe('HANDSHAKE_KEY_CHANGED');
    const pinned = { key: host.publicKey, native: true };
    const downgraded = await failure({ controller: { pinned }, sessions: null });
    expect(downgraded[0]).toBe('HANDSHAKE_DOWNGRADE_REFUSED');
    // A server that is asked for no key cannot give a wrong one.
    const [near, far, cleanup] = await exchange({ controller: { pinned, hostKey: null } });
    expect(near.native?.peer?.key).toEqual(host.publicKey);
    near.destroy();
    far.destroy();
    await cleanup();
  });
});
