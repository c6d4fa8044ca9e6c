import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { initCrypto } from '../core/crypto/index.ts';
import { idFromMac, IdentityStore, randomId } from './identity.ts';
import { SettingsStore } from './settings.ts';

let dir = '';
beforeAll(() => initCrypto());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-identity-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const random = (n: number): Uint8Array => randomBytes(n);

describe('identity', () => {
  it('is made once, kept, and readable by the user alone', () => {
    const first = new IdentityStore(dir, random).current;
    const second = new IdentityStore(dir, random).current;
    expect(second.id).toBe(first.id);
    expect(Buffer.from(second.secretKey)).toEqual(Buffer.from(first.secretKey));
    expect(first.publicKey).toHaveLength(32);
    expect(statSync(join(dir, 'identity.json')).mode & 0o777).toBe(0o600);
  });

  it('differs by data folder, so that two installations of one machine do not fight for an id', () => {
    const other = mkdtempSync(join(tmpdir(), 'litedesk-identity-'));
    try {
      expect(Buffer.from(new IdentityStore(dir, random).current.uuid)).not.toEqual(
        Buffer.from(new IdentityStore(other, random).current.uuid),
      );
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  it('keeps a new id', () => {
    const store = new IdentityStore(dir, random);
    store.changeId('1234567890');
    expect(new IdentityStore(dir, random).current.id).toBe('1234567890');
  });

  it('does not overwrite a damaged file', () => {
    writeFileSync(join(dir, 'identity.json'), '{"id":1}');
    expect(() => new IdentityStore(dir, random)).toThrowError(expect.objectContaining({ code: 'IDENTITY_UNREADABLE' }));
    expect(readFileSync(join(dir, 'identity.json'), 'utf8')).toBe('{"id":1}');
  });

  it('names the place that cannot be written', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => new IdentityStore(join(dir, 'file', 'data'), random)).toThrowError(
      expect.objectContaining({ code: 'DATA_NOT_WRITTEN', message: expect.stringContaining(join(dir, 'file')) as string }),
    );
  });

  it('makes ids as upstream does (rendezvous §5.5)', () => {
    expect(idFromMac('02:42:ac:11:00:02')).toBe(String(0xac110002 & 0x1fffffff));
    expect(idFromMac('00:00:00:00:00:01')).toBeNull();
    expect(idFromMac('nonsense')).toBeNull();
    const id = Number(randomId());
    expect(id).toBeGreaterThanOrEqual(1_000_000_000);
    expect(id).toBeLessThan(2_000_000_000);
  });
});

describe('settings', () => {
  it('survive a restart with mode 0600', () => {
    new SettingsStore(dir).change({ server: 'desk.example', language: 'de' });
    expect(new SettingsStore(dir).current).toMatchObject({ server: 'desk.example', language: 'de' });
    expect(statSync(join(dir, 'settings.json')).mode & 0o777).toBe(0o600);
  });

  it('set a damaged file aside and start fresh', () => {
    writeFileSync(join(dir, 'settings.json'), 'not json');
    expect(new SettingsStore(dir).current.server).toBe('');
    expect(readFileSync(join(dir, 'settings.json.damaged'), 'utf8')).toBe('not json');
  });

  it('keep a bounded list of recent peers, newest first', () => {
    const store = new SettingsStore(dir);
    for (let n = 0; n < 40; n++) store.rememberPeer({ id: `10000000${n}`, name: '', platform: '', lastUsedMs: n });
    store.rememberPeer({ id: '1000000039', name: 'again', platform: '', lastUsedMs: 99 });
    expect(store.current.recentPeers).toHaveLength(30);
    expect(store.current.recentPeers[0]).toMatchObject({ id: '1000000039', name: 'again' });
  });
});
