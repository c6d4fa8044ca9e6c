/**
 * The peers' rows in Redis, for all nodes: a hash `litedesk:peer:<id>` for each. What is acknowledged here is as durable as
 * that Redis; and what a restarted Redis has lost the nodes write back (cluster.ts).
 */
import type { PeerRow, PeerStore } from '../peer-store.ts';
import type { SharedRows } from './cluster.ts';
import type { RedisLink, RedisReply } from './redis-link.ts';

const KEY = 'litedesk:peer:';
const COUNT = 'litedesk:peers';
/** ms that a row which was asked for is kept for `get`. */
const FRESH_MS = 1_000;
const FIELDS = ['guid', 'uuid', 'pk', 'ip'] as const;

/** A machine that comes first has the id, also when two nodes are asked at the same time. */
const SAVE = `
local uuid = redis.call('HGET', KEYS[1], 'uuid')
if uuid and uuid ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'guid', ARGV[1], 'uuid', ARGV[2], 'pk', ARGV[3], 'ip', ARGV[4])
if not uuid then redis.call('INCR', KEYS[2]) end
return 1`;
const RENAME = `
local uuid = redis.call('HGET', KEYS[1], 'uuid')
if uuid and uuid ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'guid', ARGV[1], 'uuid', ARGV[2], 'pk', ARGV[3], 'ip', ARGV[4])
if not uuid then redis.call('INCR', KEYS[2]) end
if redis.call('HGET', KEYS[3], 'guid') == ARGV[1] then redis.call('DEL', KEYS[3]); redis.call('DECR', KEYS[2]) end
return 1`;
const RESTORE = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'guid', ARGV[1], 'uuid', ARGV[2], 'pk', ARGV[3], 'ip', ARGV[4])
redis.call('INCR', KEYS[2])
return 1`;

export class RedisStore implements PeerStore, SharedRows {
  readonly kind = 'redis';
  readonly #link: RedisLink;
  readonly #limit: number;
  /** Rows that were asked for just now, until the rules have taken them. */
  readonly #fresh = new Map<string, { readonly row: PeerRow | null }>();
  readonly #saving = new Map<string, PeerRow>();
  #count = 0;

  /** @param limit rows that may wait for Redis */
  constructor(link: RedisLink, limit: number) {
    this.#link = link;
    this.#limit = limit;
  }

  /** Reads how many there are. Rejects when Redis does not answer. */
  async open(): Promise<void> {
    this.#count = Number(await this.#link.command('GET', COUNT)) || 0;
  }

  get(id: string): PeerRow | null {
    return this.#saving.get(id) ?? this.#fresh.get(id)?.row ?? null;
  }

  save(row: PeerRow, done: (error: Error | null) => void): void {
    if (this.#saving.size >= this.#limit) return done(new Error('too many registrations wait for Redis'));
    this.#saving.set(row.id, row);
    const settle = (error: Error | null): void => {
      if (this.#saving.get(row.id) === row) this.#saving.delete(row.id);
      done(error);
    };
    const { id, formerId } = row;
    const saved = formerId
      ? this.#link.script(RENAME, [KEY + id, COUNT, KEY + formerId], valuesOf(row))
      : this.#link.script(SAVE, [KEY + id, COUNT], valuesOf(row));
    saved.then(
      (reply) => settle(reply === 1 ? null : new Error('another machine has registered this id meanwhile')),
      (error: unknown) => settle(error instanceof Error ? error : new Error(String(error))),
    );
  }

  async refresh(id: string): Promise<PeerRow | null> {
    const row = this.#saving.get(id) ?? rowOf(id, await this.#link.command('HMGET', KEY + id, ...FIELDS));
    const fresh = { row };
    this.#fresh.set(id, fresh);
    // Whoever asked takes it from `get`, at once or after a look at an invitation.
    setTimeout(() => this.#fresh.get(id) === fresh && this.#fresh.delete(id), FRESH_MS).unref();
    return row;
  }

  async restore(rows: readonly PeerRow[]): Promise<void> {
    await Promise.all(rows.map((row) => this.#link.script(RESTORE, [KEY + row.id, COUNT], valuesOf(row))));
  }

  async remove(id: string): Promise<boolean> {
    const gone = Number(await this.#link.command('DEL', KEY + id)) === 1;
    if (gone) await this.#link.command('DECR', COUNT);
    return gone;
  }

  count(): number {
    return this.#count;
  }

  /** The link is its owner's. */
  close(): void {}
}

function valuesOf(row: PeerRow): string[] {
  return [base64(row.guid), base64(row.uuid), base64(row.pk), row.ip];
}

function rowOf(id: string, reply: RedisReply): PeerRow | null {
  if (!Array.isArray(reply)) return null;
  const [guid, uuid, pk, ip] = reply;
  if (typeof guid !== 'string' || typeof uuid !== 'string' || typeof pk !== 'string') return null;
  return { id, guid: bytes(guid), uuid: bytes(uuid), pk: bytes(pk), ip: typeof ip === 'string' ? ip : '' };
}

function base64(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
}

/** A copy of its own: not a slice of a pool that it would keep alive. */
function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
