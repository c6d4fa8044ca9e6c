/** Tickets as bytes: what makes one good, and that nothing else passes for one. */
import { randomBytes } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import {
  checkEnrolment,
  followKeyStatements,
  initCrypto,
  openIdPk,
  sealKeyStatement,
  signCombined,
  signIdPk,
  type SignKeyPair,
  signKeyPair,
} from '../core/crypto/index.ts';
import { decodeNews } from './enrolment/shared.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { CONTROLLED, CONTROLLER, openTicket, sealTicket, TICKET_LIFETIME_S, UsedTickets } from './tickets.ts';

const NOW_MS = Date.UTC(2030, 0, 1);
const NOW_S = NOW_MS / 1000;
let keys: SignKeyPair;
let older: SignKeyPair;

beforeAll(async () => {
  await initCrypto();
  keys = signKeyPair();
  older = signKeyPair();
});
const open = (sealed: Uint8Array, nowMs = NOW_MS) => openTicket(sealed, [keys.publicKey, older.publicKey], nowMs);

it('is good with any key that is trusted, for a minute and the difference of two clocks', () => {
  const ticket = { uuid: 'a-uuid', side: CONTROLLED, hosts: ['192.0.2.1', '2001:db8::1'] } as const;
  for (const pair of [keys, older])
    expect(open(sealTicket(ticket, pair.secretKey, NOW_MS))).toEqual({ ...ticket, expires: NOW_S + TICKET_LIFETIME_S });
  const sealed = sealTicket(ticket, keys.secretKey, NOW_MS);
  const at = (seconds: number): unknown => open(sealed, NOW_MS + seconds * 1000);
  expect([at(-61), at(121)]).toEqual(['expired', 'expired']);
  expect([at(-59), at(119)]).toMatchObject([{ uuid: 'a-uuid' }, { uuid: 'a-uuid' }]);
  expect(open(sealTicket(ticket, signKeyPair().secretKey, NOW_MS))).toBe('forged');
  expect(open(sealTicket({ ...ticket, uuid: '' }, keys.secretKey, NOW_MS))).toBe('forged');
});

it('what the same key signs for another purpose is no ticket, and a ticket is nothing else', () => {
  const ticket = sealTicket({ uuid: 'u', side: CONTROLLER }, keys.secretKey, NOW_MS);
  const change = { oldKey: keys.publicKey, newKey: older.publicKey, issued: NOW_S, expires: NOW_S + 60 };
  const statement = sealKeyStatement(change, keys.secretKey);
  const signedId = signIdPk('123456789', older.publicKey, keys.secretKey);
  const box = signCombined(older.publicKey, keys.secretKey);
  expect([statement, signedId, box].map((bytes) => open(bytes))).toEqual(['forged', 'forged', 'forged']);
  for (const bytes of [ticket, statement]) expect(openIdPk(bytes, keys.publicKey)).toBeNull();
  for (const bytes of [ticket, signedId, box]) expect(followKeyStatements([bytes], keys.publicKey, NOW_S)).toBeNull();
  expect(followKeyStatements([statement], keys.publicKey, NOW_S)).toEqual(older.publicKey);
});

it('nonsense is refused and never thrown at anybody', () => {
  const sealed = sealTicket({ uuid: 'u', side: CONTROLLER }, keys.secretKey, NOW_MS);
  const device = { id: '1', uuid: keys.publicKey, pk: older.publicKey };
  for (let i = 0; i < 2_000; i++) {
    const random = new Uint8Array(randomBytes(i % 300));
    const bent = Uint8Array.from(sealed);
    const at = i % bent.length;
    bent[at] = (bent[at] ?? 0) ^ (1 << (i % 8));
    for (const bytes of [random, bent, sealed.subarray(0, at)]) expect(open(bytes)).toBe('forged');
    expect(followKeyStatements([random], keys.publicKey, NOW_S)).toBeNull();
    expect(checkEnrolment(random, keys.publicKey, 'key', device)).toBe(false);
    expect(decodeNews(Buffer.from(random).toString('latin1'))).toBeNull();
  }
});

it('is remembered for as long as it could be shown again, within bounds', () => {
  const clock = new VirtualClock();
  const used = new UsedTickets({ ...DEFAULT_LIMITS, maxUsedTickets: 3 }, clock);
  const ticket = (uuid: string, side: 0 | 1 | 2 = CONTROLLER) => ({ uuid, side, expires: 0, hosts: [] });
  const use = (uuid: string, side?: 0 | 1 | 2, by = 'x'): string => used.use(ticket(uuid, side), by);
  expect([use('a'), use('a', CONTROLLER, 'y'), use('a', CONTROLLED)]).toEqual(['first', 'refused', 'first']);
  expect(use('a')).toBe('again');
  expect([use('b'), use('c')]).toEqual(['first', 'refused']);
  clock.advance((TICKET_LIFETIME_S + 119) * 1000);
  expect(use('a', CONTROLLER, 'y')).toBe('refused');
  clock.advance(1000);
  expect([use('c'), used.size]).toEqual(['first', 1]);
});
