/** The directory and the store over a real Redis, also while it is away. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { LiteDeskError } from '../../core/errors.ts';
import type { PeerRow } from '../peer-store.ts';
import { DirectoryDown, type DirectoryEvents } from './directory.ts';
import { RedisDirectory } from './redis-directory.ts';
import { RedisLink } from './redis-link.ts';
import { RedisStore } from './redis-store.ts';
import { parseRedisUrl } from './redis-url.ts';
import { redisUnavailable, TestRedis } from './test-redis.ts';

const row = (id: string, uuid = 1): PeerRow => ({
  id,
  guid: new Uint8Array(16).fill(uuid),
  uuid: new Uint8Array([uuid, 0, 255]),
  pk: new Uint8Array(32).fill(7),
  ip: '::1',
});

class End implements DirectoryEvents {
  readonly link: RedisLink;
  readonly directory: RedisDirectory;
  readonly store: RedisStore;
  readonly got: { from: string; text: string }[] = [];
  #waiting: { is: () => boolean; resolve: () => void }[] = [];
  connections = 0;

  constructor(link: RedisLink) {
    this.link = link;
    this.directory = new RedisDirectory(link, systemClock);
    this.store = new RedisStore(link, 100);
  }

  onMessage(from: string, message: Uint8Array): void {
    this.got.push({ from, text: Buffer.from(message).toString() });
    this.#check();
  }

  onConnected(): void {
    this.connections++;
    this.#check();
  }

  onNodes(): void {
    this.#check();
  }

  describe() {
    return { key: 'key', relay: null, peers: 3 };
  }

  until(is: () => boolean): Promise<void> {
    if (is()) return Promise.resolve();
    return new Promise((resolve) => void this.#waiting.push({ is, resolve }));
  }

  save(saved: PeerRow): Promise<Error | null> {
    return new Promise((resolve) => this.store.save(saved, resolve));
  }

  #check(): void {
    this.#waiting = this.#waiting.filter(({ is, resolve }) => {
      if (!is()) return true;
      resolve();
      return false;
    });
  }
}

describe.skipIf(redisUnavailable() !== null)('Redis', () => {
  let redis: TestRedis;
  let ends: End[];

  async function join(url = redis.url): Promise<End> {
    const target = parseRedisUrl(url);
    const end = new End(await RedisLink.open({ target, clock: systemClock, commandMs: 2_000, startMs: 10_000 }));
    ends.push(end);
    await end.directory.start(end);
    await end.store.open();
    return end;
  }

  beforeEach(async () => {
    ends = [];
    redis = await TestRedis.start({ password: 'geheim' });
  });
  afterEach(async () => {
    for (const end of ends) {
      await end.directory.close();
      end.link.close();
    }
    await redis.close();
  });

  it('tells nodes of one another, and who holds which peer', async () => {
    const one = await join();
    const two = await join();
    await one.until(() => one.directory.nodes().length === 1);
    expect(two.directory.nodes()).toEqual([{ node: one.directory.node, key: 'key', relay: null, peers: 3 }]);
    expect(await one.directory.claim([{ id: 'a', ageMs: 0 }, { id: 'b', ageMs: 0 }])).toEqual([
      { holder: one.directory.node, previous: null },
      { holder: one.directory.node, previous: null },
    ]);
    expect(await two.directory.claim([{ id: 'b', ageMs: 0 }])).toEqual([{ holder: two.directory.node, previous: one.directory.node }]);
    // It heard the peer before the other one did.
    expect(await one.directory.claim([{ id: 'b', ageMs: 9_000 }])).toEqual([{ holder: two.directory.node, previous: null }]);
    expect(await one.directory.holders(['a', 'b', 'c'])).toEqual([one.directory.node, two.directory.node, null]);
    await one.directory.release(['a', 'b']);
    expect(await two.directory.holders(['a', 'b'])).toEqual([null, two.directory.node]);
    await two.directory.close();
    await one.until(() => one.directory.nodes().length === 0);
    expect(await one.directory.holders(['b'])).toEqual([null]);
  });

  it('carries messages of any bytes, to one or to all, and says when nobody is there', async () => {
    const [one, two, three] = [await join(), await join(), await join()];
    expect(await one.directory.send(two.directory.node, Buffer.from('ä\0\r\n'))).toBe(true);
    await two.until(() => two.got.length === 1);
    expect(two.got).toEqual([{ from: one.directory.node, text: 'ä\0\r\n' }]);
    one.directory.broadcast(Buffer.from('all'));
    await two.until(() => two.got.length === 2);
    await three.until(() => three.got.length === 1);
    expect(one.got).toEqual([]);
    expect(await one.directory.send('0123456789abcdef', Buffer.from('x'))).toBe(false);
  });

  it('keeps rows, gives an id to the first machine only, and puts back what was lost', async () => {
    const one = await join();
    const two = await join();
    expect(await one.save(row('a'))).toBe(null);
    expect(await two.save(row('a', 2))).toBeInstanceOf(Error);
    expect(await two.save({ ...row('a'), ip: '192.0.2.1' })).toBe(null);
    expect(await one.store.refresh('a')).toEqual({ ...row('a'), ip: '192.0.2.1' });
    expect(await one.store.refresh('nobody')).toBe(null);
    await redis.kill();
    await redis.start();
    await one.until(() => one.connections === 2);
    expect(await one.store.refresh('a')).toEqual({ ...row('a'), ip: '192.0.2.1' });
    await one.link.command('FLUSHALL');
    await one.store.restore([row('a'), row('b')]);
    expect(await one.store.refresh('b')).toEqual(row('b'));
  });

  it('gives a machine another id in one step, and only one that is free', async () => {
    const one = await join();
    await one.save(row('a'));
    await one.save(row('b', 2));
    expect(await one.save({ ...row('b'), formerId: 'a' })).toBeInstanceOf(Error);
    expect(await one.save({ ...row('c'), formerId: 'a' })).toBe(null);
    expect([await one.store.refresh('a'), await one.store.refresh('c')]).toEqual([null, row('c')]);
    await one.store.open();
    expect(one.store.count()).toBe(2);
    expect([await one.store.remove('c'), await one.store.remove('c')]).toEqual([true, false]);
  });

  it('fails at once while it is away, and comes back by itself', async () => {
    const one = await join();
    await redis.kill();
    await expect(one.directory.holders(['a'])).rejects.toBeInstanceOf(DirectoryDown);
    expect(await one.save(row('a'))).toBeInstanceOf(DirectoryDown);
    expect(one.directory.connected).toBe(false);
    await redis.start();
    await one.until(() => one.connections === 2);
    expect(await one.save(row('a'))).toBe(null);
    const two = await join();
    await two.directory.send(one.directory.node, Buffer.from('again'));
    await one.until(() => one.got.length === 1);
  });

  it('counts as away when it hangs', async () => {
    const one = await join();
    redis.signal('SIGSTOP');
    await expect(one.directory.holders(['a'])).rejects.toBeInstanceOf(DirectoryDown);
    redis.signal('SIGCONT');
    await one.until(() => one.directory.connected && one.connections >= 1);
    expect(await one.directory.holders(['a'])).toEqual([null]);
  });

  it('says why it cannot be reached, without the password', async () => {
    const wrong = redis.url.replace('geheim', 'falsch');
    const error = await join(wrong).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(LiteDeskError);
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(JSON.stringify([String(error), (error as LiteDeskError).toData()])).not.toContain('falsch');
  });
});

describe('the address of Redis', () => {
  it('has user, password, database, TLS and files', () => {
    const files = new Map([['/run/pw', 'secret\n'], ['/ca.pem', 'PEM']]);
    const read = (file: string): string => {
      const text = files.get(file);
      if (text === undefined) throw new Error('ENOENT');
      return text;
    };
    expect(parseRedisUrl('redis://:p%40ss@db.example/3')).toMatchObject({ host: 'db.example', port: 6379, password: 'p@ss', database: 3 });
    expect(parseRedisUrl('rediss://me@[::1]:7000?password-file=/run/pw&ca=/ca.pem', read)).toMatchObject({
      ...{ host: '::1', port: 7000, tls: true, username: 'me', password: 'secret', ca: 'PEM', shown: '[::1]:7000/0' },
    });
    expect(parseRedisUrl('redis+unix:///run/redis.sock')).toMatchObject({ path: '/run/redis.sock', shown: '/run/redis.sock' });
    expect(parseRedisUrl('redis://:hidden@h').shown).not.toContain('hidden');
    for (const text of ['redis://h/x', 'redis://h?pw=1', 'redis://h?password-file=/none'])
      expect(() => parseRedisUrl(text, read), text).toThrow(LiteDeskError);
  });
});
