/** The rules of enrolment, without sockets: tokens, approvals, quotas, and what survives a restart or a full disk. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { initCrypto, proveEnrolment } from '../../core/crypto/index.ts';
import { DEFAULT_LIMITS, type ServerLimits } from '../limits.ts';
import { type Candidate, Enrolment, type EnrolmentMode } from './enrolment.ts';
import { decodeNews, encodeNews, type EnrolmentNews } from './shared.ts';
import { EnrolmentFile } from './state.ts';

const KEY = 'OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=';
const HOUR_MS = 3_600_000;
let dir: string;
let nowMs: number;
let clock: VirtualClock;

beforeAll(() => initCrypto());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-enrolment-'));
  nowMs = Date.UTC(2030, 0, 1);
  clock = new VirtualClock();
});
afterEach(() => rmSync(dir, { recursive: true }));

const open = (mode: EnrolmentMode, limits: Partial<ServerLimits> = {}, where = dir, tell?: (news: EnrolmentNews) => void): Enrolment =>
  new Enrolment({
    ...(tell ? { tell } : {}),
    ...{ mode, clock, store: new EnrolmentFile(where), limits: { ...DEFAULT_LIMITS, ...limits } },
    ...{ serverKeys: () => [KEY, 'older'], unixMs: () => nowMs },
  });
function candidate(n: number, token = '', key = KEY): Candidate {
  const device = { id: `computer-${n}`, uuid: new Uint8Array(8).fill(n), pk: new Uint8Array(32).fill(n) };
  return { ...device, host: `192.0.2.${n}`, proof: token ? proveEnrolment(token, key, device) : new Uint8Array(0) };
}
function enrol(enrolment: Enrolment, who: Candidate, registered = true): string {
  const verdict = enrolment.admit(who);
  if (typeof verdict === 'string') return verdict;
  verdict.settle(registered);
  return 'in';
}

describe('tokens', () => {
  it('let as many computers in as they say, over restarts', () => {
    const { token } = open('token').invite({ maxUses: 2, expiresInMs: null });
    expect(enrol(open('token'), candidate(1))).toBe('enrol-needs-token');
    expect(enrol(open('token'), candidate(1, token))).toBe('in');
    expect(enrol(open('token'), candidate(2, token, 'older'))).toBe('in');
    expect(enrol(open('token'), candidate(3, token))).toBe('enrol-bad-token');
    expect(open('token').invitations()).toMatchObject([{ uses: 2, maxUses: 2, state: 'used up' }]);
    expect(readFileSync(join(dir, 'enrolment.json'), 'utf8')).not.toContain(token);
    expect(statSync(join(dir, 'enrolment.json')).mode & 0o777).toBe(0o600);
  });

  it('give a use back when the computer could not be registered after all', () => {
    const enrolment = open('token');
    const { token } = enrolment.invite({ maxUses: 1, expiresInMs: null });
    expect(enrol(enrolment, candidate(1, token), false)).toBe('in');
    expect(enrol(enrolment, candidate(1, token))).toBe('in');
    expect(enrol(enrolment, candidate(2, token))).toBe('enrol-bad-token');
  });

  it('expire, and can be revoked by a part of their name', () => {
    const enrolment = open('token');
    const short = enrolment.invite({ maxUses: null, expiresInMs: HOUR_MS });
    const long = enrolment.invite({ maxUses: null, expiresInMs: null, note: 'office' });
    nowMs += HOUR_MS;
    expect(enrol(enrolment, candidate(1, short.token))).toBe('enrol-bad-token');
    expect(enrol(enrolment, candidate(1, long.token))).toBe('in');
    expect(enrolment.revoke(long.info.name.slice(0, 6)).state).toBe('revoked');
    expect(enrol(open('token'), candidate(2, long.token))).toBe('enrol-bad-token');
    expect(open('token').invitations().map(({ state, note }) => [state, note])).toEqual([['expired', ''], ['revoked', 'office']]);
    expect(() => enrolment.revoke('')).toThrow(expect.objectContaining({ code: 'ENROLMENT_UNKNOWN_TOKEN' }));
  });

  it('are worth nothing in another hand: the proof is for one computer', () => {
    const enrolment = open('token');
    const { token } = enrolment.invite({ maxUses: null, expiresInMs: null });
    expect(enrol(enrolment, { ...candidate(2), proof: candidate(1, token).proof })).toBe('enrol-bad-token');
    expect(enrol(enrolment, { ...candidate(2), proof: new Uint8Array(72) })).toBe('enrol-bad-token');
    expect(enrol(enrolment, { ...candidate(2), proof: new Uint8Array(5) })).toBe('enrol-bad-token');
  });

  it('are not used when that cannot be written down', () => {
    const enrolment = open('token');
    const { token } = enrolment.invite({ maxUses: 1, expiresInMs: null });
    mkdirSync(join(dir, 'enrolment.json.new'));
    expect(enrol(enrolment, candidate(1, token))).toBe('enrol-not-saved');
    expect(() => enrolment.invite({ maxUses: 1, expiresInMs: null })).toThrow(expect.objectContaining({ code: 'ENROLMENT_NOT_SAVED' }));
    expect(enrolment.invitations()).toMatchObject([{ uses: 0 }]);
  });
});

describe('approval', () => {
  it('lists who asked, and lets in the machine that was seen, after a restart too', () => {
    const enrolment = open('approval');
    expect(enrol(enrolment, candidate(1))).toBe('enrol-waits');
    expect(enrolment.waiting()).toMatchObject([{ id: 'computer-1', host: '192.0.2.1' }]);
    // Another machine with that id neither replaces it nor profits from its approval.
    const thief = { ...candidate(1), uuid: new Uint8Array(8).fill(9) };
    expect(enrol(enrolment, thief)).toBe('enrol-waits');
    enrolment.approve('computer-1');
    expect(enrolment.waiting()).toEqual([]);
    expect(enrol(open('approval'), thief)).toBe('enrol-waits');
    const restarted = open('approval');
    expect(enrol(restarted, candidate(1))).toBe('in');
    expect(() => restarted.approve('nobody')).toThrow(expect.objectContaining({ code: 'ENROLMENT_NOT_WAITING' }));
  });

  it('can be refused, and given later', () => {
    const enrolment = open('approval');
    enrol(enrolment, candidate(1));
    enrolment.deny('computer-1');
    expect(enrol(open('approval'), candidate(1))).toBe('enrol-denied');
    const later = open('approval');
    expect(later.denied()).toHaveLength(1);
    later.approve('computer-1');
    expect(enrol(later, candidate(1))).toBe('in');
  });

  it('a token does without it, and under token a stock computer can be approved', () => {
    const enrolment = open('approval');
    const { token } = enrolment.invite({ maxUses: 1, expiresInMs: null });
    expect(enrol(enrolment, candidate(1, token))).toBe('in');
    expect(enrol(enrolment, candidate(2, token))).toBe('enrol-waits');
    const byToken = open('token');
    expect(enrol(byToken, candidate(3))).toBe('enrol-needs-token');
    byToken.approve('computer-3');
    expect(enrol(byToken, candidate(3))).toBe('in');
  });

  it('keeps a bounded list, of which one address fills only a part, and forgets who stops asking', () => {
    const enrolment = open('approval', { maxEnrolmentWaiting: 5, maxEnrolmentWaitingPerAddress: 3, enrolmentKeepMs: HOUR_MS });
    for (let n = 1; n <= 10; n++) enrol(enrolment, { ...candidate(n), host: '198.51.100.1' });
    expect(enrolment.waiting()).toHaveLength(3);
    for (let n = 20; n <= 30; n++) enrol(enrolment, candidate(n));
    expect(enrolment.waiting().map(({ id }) => id)).toEqual([30, 29, 28, 27, 26].map((n) => `computer-${n}`));
    nowMs += HOUR_MS + 1;
    enrol(enrolment, candidate(30));
    enrolment.expire();
    expect(enrolment.waiting().map(({ id }) => id)).toEqual(['computer-30']);
  });
});

describe('several processes', () => {
  it('of one host share a file, and the count of uses is exact', () => {
    const [one, two] = [open('token'), open('token')];
    const { token, info } = one.invite({ maxUses: 2, expiresInMs: null });
    expect(enrol(two, candidate(1, token))).toBe('in');
    expect(enrol(one, candidate(2, token))).toBe('in');
    expect([enrol(two, candidate(3, token)), enrol(one, candidate(3, token))]).toEqual(['enrol-bad-token', 'enrol-bad-token']);
    const other = two.invite({ maxUses: null, expiresInMs: null });
    one.revoke(other.info.name);
    expect(enrol(two, candidate(4, other.token))).toBe('enrol-bad-token');
    expect(two.invitations().map(({ name, uses }) => [name, uses])).toEqual([[info.name, 2], [other.info.name, 0]]);
  });

  it('of several hosts tell each other of tokens, of who waits, and of what was decided', () => {
    const nodes: Enrolment[] = [];
    for (const n of [0, 1])
      nodes.push(
        open('token', {}, join(dir, String(n)), (news) => {
          const heard = decodeNews(encodeNews(news));
          for (const [i, node] of nodes.entries()) if (i !== n && heard) node.hear(heard);
        }),
      );
    const [one, two] = nodes as [Enrolment, Enrolment];
    const { token, info } = one.invite({ maxUses: 1, expiresInMs: null });
    expect(enrol(two, candidate(1, token))).toBe('in');
    expect(enrol(one, candidate(2, token))).toBe('enrol-bad-token');
    expect(enrol(one, candidate(3))).toBe('enrol-needs-token');
    expect(two.waiting()).toMatchObject([{ id: 'computer-3' }]);
    two.approve('computer-3');
    expect(one.waiting()).toEqual([]);
    expect(enrol(one, candidate(3))).toBe('in');
    one.revoke(info.name);
    expect(two.invitations()).toMatchObject([{ state: 'revoked', uses: 1 }]);
    // One that comes later is told all of it.
    const late = open('token', {}, join(dir, 'late'));
    nodes.push(late);
    one.hear({ news: 'asks' });
    expect(late.invitations()).toMatchObject([{ name: info.name, state: 'revoked' }]);
    expect(decodeNews('{"news":"token","token":{}}')).toBeNull();
  });
});

it('counts the ids of one device key, in every mode', () => {
  const enrolment = open('open', { keyIdsPerDay: 2 });
  const pk = new Uint8Array(32).fill(5);
  expect([1, 2, 3, 2].map((n) => enrol(enrolment, { ...candidate(n), pk }))).toEqual(['in', 'in', 'enrol-key-quota', 'in']);
  clock.advance(24 * HOUR_MS);
  enrolment.expire();
  expect(enrol(enrolment, { ...candidate(4), pk })).toBe('in');
});

it('refuses a file that it cannot read, since an empty one would forget what was revoked', () => {
  writeFileSync(join(dir, 'enrolment.json'), '[]');
  expect(() => open('token')).toThrow(expect.objectContaining({ code: 'ENROLMENT_FILE_BROKEN' }));
});
