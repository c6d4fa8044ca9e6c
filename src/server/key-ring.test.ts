/** Rotation of the server's key: who is accepted, who signs, and what survives a restart. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { fingerprint, followKeyStatements, initCrypto, keyId, openKeyStatement } from '../core/crypto/index.ts';
import { KeyRing } from './key-ring.ts';

const DAY_MS = 86_400_000;
let dir: string;
let nowMs: number;
const ring = (key?: string): KeyRing => new KeyRing({ dataDir: dir, key, unixMs: () => nowMs });
const raw = (key: string): Uint8Array => new Uint8Array(Buffer.from(key, 'base64'));

beforeAll(() => initCrypto());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-keys-'));
  nowMs = Date.UTC(2030, 0, 1);
});
afterEach(() => rmSync(dir, { recursive: true }));

it('signs with the new key and accepts the old one until the overlap ends, also after a restart', () => {
  const keys = ring();
  const before = keys.publicKey;
  const { oldKey, newKey } = keys.rotate(30 * DAY_MS);
  expect([oldKey, newKey]).toEqual([before, keys.publicKey]);
  for (const state of [keys, ring()]) {
    expect(state.publicKey).toBe(newKey);
    expect([state.accepts(oldKey), state.accepts(newKey), state.accepts('x')]).toEqual([true, true, false]);
    expect(state.signerFor(oldKey).publicKey).toBe(oldKey);
    expect(state.signerFor(newKey).publicKey).toBe(newKey);
    expect(state.publicKeys()).toHaveLength(2);
  }
  nowMs += 30 * DAY_MS + 1;
  for (const state of [keys, ring()]) {
    expect(state.accepts(oldKey)).toBe(false);
    expect(state.signerFor(oldKey).publicKey).toBe(newKey);
    expect(state.statementsFrom(keyId(oldKey))).toEqual([]);
  }
});

it('leads a client from any living key to the present one, and nobody else', () => {
  const keys = ring();
  const first = keys.publicKey;
  keys.rotate(30 * DAY_MS);
  const second = keys.publicKey;
  keys.rotate(30 * DAY_MS);
  for (const [from, steps] of [[first, 2], [second, 1]] as const) {
    const statements = ring().statementsFrom(keyId(from));
    expect(statements).toHaveLength(steps);
    const end = followKeyStatements(statements, raw(from), nowMs / 1000);
    expect(Buffer.from(end ?? []).toString('base64')).toBe(keys.publicKey);
    expect(followKeyStatements(statements, raw(keys.publicKey), nowMs / 1000)).toBeNull();
    expect(followKeyStatements(statements, raw(from), nowMs / 1000 + 40 * 86_400)).toBeNull();
  }
  const [statement] = keys.statementsFrom(keyId(second));
  for (const at of [3, 70, (statement?.length ?? 0) - 1]) {
    const bent = Uint8Array.from(statement ?? []);
    bent[at] = (bent[at] ?? 0) ^ 1;
    expect(openKeyStatement(bent, raw(second), nowMs / 1000)).toBeNull();
  }
});

it('trusts nothing of an old key that is replaced without overlap', () => {
  const keys = ring();
  const first = keys.publicKey;
  keys.rotate(30 * DAY_MS);
  const { oldKey } = keys.rotate(0);
  expect([keys.accepts(first), keys.accepts(oldKey)]).toEqual([false, false]);
  expect(keys.statementsFrom(keyId(first))).toEqual([]);
});

it('keeps the present key when a rotation was cut off half-way', () => {
  const keys = ring();
  const secret = readFileSync(join(dir, 'id_ed25519'), 'utf8');
  const before = keys.publicKey;
  keys.rotate(DAY_MS);
  // As if the power had failed after the first of the two files.
  writeFileSync(join(dir, 'id_ed25519'), secret);
  const after = ring();
  expect(after.publicKey).toBe(before);
  expect(after.publicKeys()).toHaveLength(1);
  expect(readFileSync(join(dir, 'id_ed25519.pub'), 'utf8')).toBe(before);
});

it('keeps its files to itself, and says which one is broken', () => {
  ring().rotate(DAY_MS);
  for (const name of ['id_ed25519', 'retired-keys.json']) expect(statSync(join(dir, name)).mode & 0o777, name).toBe(0o600);
  writeFileSync(join(dir, 'retired-keys.json'), '{');
  expect(() => ring()).toThrow(expect.objectContaining({ code: 'KEY_FILE_BROKEN' }));
});

it('follows the licence key modes of the stock server', () => {
  const own = ring().publicKey;
  expect([ring('').accepts(''), ring('').accepts('x'), ring('').publicKey]).toEqual([true, true, own]);
  expect([ring('text').accepts('text'), ring('text').accepts(own), ring('text').publicKey]).toEqual([true, false, 'text']);
  expect(ring('_').accepts(own)).toBe(true);
  const secret = readFileSync(join(dir, 'id_ed25519'), 'utf8');
  expect(ring(secret).publicKey).toBe(own);
  expect(() => ring(secret).rotate(DAY_MS)).toThrow(expect.objectContaining({ code: 'KEY_NOT_OURS' }));
});

it('writes fingerprints in short groups', () => {
  expect(fingerprint('OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=')).toMatch(/^([0-9A-F]{4}-){3}[0-9A-F]{4}$/);
  expect(fingerprint('')).toBe('');
});

it('takes over what another process rotated', () => {
  const [one, two] = [ring(), ring()];
  const { oldKey, newKey } = one.rotate(DAY_MS);
  expect(two.publicKey).toBe(oldKey);
  two.reload();
  expect([two.publicKey, two.accepts(oldKey)]).toEqual([newKey, true]);
});
