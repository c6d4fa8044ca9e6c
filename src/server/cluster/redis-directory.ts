/**
 * The directory in Redis. Keys, all below `litedesk:`
 *
 * - `at:<id>` `<node> <last heard, ms>`: the node that holds the peer; expires, and is told again well before
 * - `node:<node>` what the node says about itself; expires within seconds, and with it all that the node holds
 * - `nodes` the names of those that may be alive
 *
 * Heartbeats of peers never come here: a node keeps them to itself, and only tells when a peer comes, goes or moves.
 * Messages go over the channels `to:<node>` and `all`, descriptions of nodes over `nodes`.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { type Claim, type Claimed, type Directory, DirectoryDown, type DirectoryEvents, type NodeState } from './directory.ts';
import { parseNodeState } from './node-state.ts';
import type { RedisLink, RedisReply } from './redis-link.ts';

const PREFIX = 'litedesk:';
/** ms between two descriptions, and the silence after which a node counts as dead. */
export const BEAT_MS = 1_000;
const NODE_TTL_MS = 4_000;
/** ms that a claim is remembered; see limits.claimRefreshMs. */
const CLAIM_TTL_MS = 120_000;
/** A node's name: so long in front of each message. */
const NAME_LENGTH = 16;

const CLAIM = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local out = {}
for i, key in ipairs(KEYS) do
  local heard = now - tonumber(ARGV[i + 3])
  local old = redis.call('GET', key)
  local node, at
  if old then node, at = string.match(old, '^(%S+) (%d+)$') end
  local other = node and node ~= ARGV[1]
  if other and tonumber(at) > heard and redis.call('EXISTS', ARGV[3] .. node) == 1 then
    out[i] = node .. ' '
  else
    redis.call('SET', key, ARGV[1] .. ' ' .. string.format('%.0f', heard), 'PX', ARGV[2])
    out[i] = ARGV[1] .. ' ' .. (other and node or '')
  end
end
return out`;
const RELEASE = `
for _, key in ipairs(KEYS) do
  local old = redis.call('GET', key)
  if old and string.match(old, '^%S+') == ARGV[1] then redis.call('DEL', key) end
end
return 0`;
const HOLDERS = `
local alive, out = {}, {}
for i, key in ipairs(KEYS) do
  local old = redis.call('GET', key)
  local node = old and string.match(old, '^%S+') or ''
  if node ~= '' and alive[node] == nil then alive[node] = redis.call('EXISTS', ARGV[1] .. node) == 1 end
  out[i] = alive[node] and node or ''
end
return out`;

interface Known {
  readonly state: NodeState;
  heardAt: number;
}

export class RedisDirectory implements Directory {
  readonly kind = 'redis';
  readonly node = randomBytes(NAME_LENGTH / 2).toString('hex');
  readonly #link: RedisLink;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  #events: DirectoryEvents | undefined;
  #connected = false;
  #beating = false;
  #closed = false;
  #cancelBeat = (): void => {};
  #stopListening = (): void => {};

  /** The link stays the caller's, and is closed by it after this. */
  constructor(link: RedisLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  get connected(): boolean {
    return this.#connected;
  }

  async start(events: DirectoryEvents): Promise<void> {
    this.#events = events;
    await this.#link.subscribe(`${PREFIX}to:${this.node}`, (data) => this.#onMessage(data));
    await this.#link.subscribe(`${PREFIX}all`, (data) => this.#onMessage(data));
    await this.#link.subscribe(`${PREFIX}nodes`, (data) => this.#onNode(data));
    this.#stopListening = this.#link.onChange(() => {
      if (!this.#link.ready) this.#away();
      else if (!this.#connected) void this.#beat();
    });
    await this.#beat();
    this.#beatRegularly();
  }

  async claim(claims: readonly Claim[]): Promise<Claimed[]> {
    if (claims.length === 0) return [];
    const reply = await this.#ask(CLAIM, claims.map(({ id }) => id), [
      ...[this.node, String(CLAIM_TTL_MS), `${PREFIX}node:`],
      ...claims.map(({ ageMs }) => String(Math.round(ageMs))),
    ]);
    return words(reply).map((text) => {
      const [holder = '', previous = ''] = text.split(' ');
      return { holder, previous: previous === '' ? null : previous };
    });
  }

  async release(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#ask(RELEASE, ids, [this.node]);
  }

  async holders(ids: readonly string[]): Promise<(string | null)[]> {
    if (ids.length === 0) return [];
    const reply = await this.#ask(HOLDERS, ids, [`${PREFIX}node:`]);
    return words(reply).map((node) => (node === '' ? null : node));
  }

  async send(node: string, message: Uint8Array): Promise<boolean> {
    const receivers = await this.#up().command('PUBLISH', `${PREFIX}to:${node}`, this.#enveloped(message));
    return Number(receivers) > 0;
  }

  broadcast(message: Uint8Array): void {
    if (this.#connected) this.#link.command('PUBLISH', `${PREFIX}all`, this.#enveloped(message)).catch(() => {});
  }

  nodes(): NodeState[] {
    return [...this.#known.values()].map(({ state }) => state);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelBeat();
    this.#stopListening();
    if (this.#connected)
      await Promise.all([
        this.#link.command('DEL', `${PREFIX}node:${this.node}`),
        this.#link.command('SREM', `${PREFIX}nodes`, this.node),
        this.#link.command('PUBLISH', `${PREFIX}nodes`, JSON.stringify({ node: this.node, gone: true })),
      ]).catch(() => {});
    this.#connected = false;
  }

  #ask(script: string, ids: readonly string[], args: readonly string[]): Promise<RedisReply> {
    return this.#up().script(script, ids.map((id) => `${PREFIX}at:${id}`), args);
  }

  #up(): RedisLink {
    if (!this.#connected) throw new DirectoryDown('no connection to Redis');
    return this.#link;
  }

  #enveloped(message: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from(this.node, 'latin1'), message]);
  }

  #beatRegularly(): void {
    this.#cancelBeat = this.#clock.setTimer(BEAT_MS, () => {
      if (this.#closed) return;
      this.#beatRegularly();
      void this.#beat();
    });
  }

  /** Says that we live, and finds out whether Redis does. */
  async #beat(): Promise<void> {
    if (!this.#events || this.#beating || this.#closed) return;
    this.#beating = true;
    try {
      const text = JSON.stringify({ node: this.node, ...this.#events.describe() });
      await Promise.all([
        this.#link.command('SET', `${PREFIX}node:${this.node}`, text, 'PX', String(NODE_TTL_MS)),
        this.#link.command('SADD', `${PREFIX}nodes`, this.node),
        this.#link.command('PUBLISH', `${PREFIX}nodes`, text),
      ]);
      if (!this.#connected) await this.#arrived();
      this.#dropSilent();
    } catch {
      this.#away();
    } finally {
      this.#beating = false;
    }
  }

  async #arrived(): Promise<void> {
    const names = words(await this.#link.command('SMEMBERS', `${PREFIX}nodes`)).filter((name) => name !== this.node);
    if (names.length > 0) {
      const states = await this.#link.command('MGET', ...names.map((name) => `${PREFIX}node:${name}`));
      const gone: string[] = [];
      for (const [i, text] of (Array.isArray(states) ? states : []).entries()) {
        if (typeof text === 'string') this.#learn(text);
        else gone.push(names[i] ?? '');
      }
      if (gone.length > 0) await this.#link.command('SREM', `${PREFIX}nodes`, ...gone);
    }
    const now = this.#clock.now();
    // Nobody could be heard meanwhile: everybody gets the full time to say something.
    for (const known of this.#known.values()) known.heardAt = now;
    if (this.#closed) return;
    this.#connected = true;
    this.#events?.onNodes();
    this.#events?.onConnected();
  }

  #away(): void {
    this.#connected = false;
  }

  #onMessage(data: Buffer): void {
    const from = data.toString('latin1', 0, NAME_LENGTH);
    if (data.length > NAME_LENGTH && from !== this.node) this.#events?.onMessage(from, data.subarray(NAME_LENGTH));
  }

  #onNode(data: Buffer): void {
    if (this.#learn(data.toString())) this.#events?.onNodes();
  }

  #learn(text: string): boolean {
    const parsed = parseNodeState(text);
    if (!parsed || parsed.node === this.node) return false;
    if ('gone' in parsed) return this.#known.delete(parsed.node);
    this.#known.set(parsed.node, { state: parsed, heardAt: this.#clock.now() });
    return true;
  }

  #dropSilent(): void {
    const oldest = this.#clock.now() - NODE_TTL_MS;
    let changed = false;
    for (const [node, { heardAt }] of this.#known) if (heardAt < oldest) changed = this.#known.delete(node) || changed;
    if (changed) this.#events?.onNodes();
  }
}

function words(reply: RedisReply): string[] {
  return Array.isArray(reply) ? reply.map((word) => (typeof word === 'string' ? word : String(word ?? ''))) : [];
}
