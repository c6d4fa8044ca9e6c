/** Which computers are known and here, and what is counted about them (hbbs: ip-blocker, ip-changes, punch-requests). */
import { normalizeHost } from '../../core/wire/index.ts';
import type { PeerStore } from '../peer-store.ts';
import type { PeerTable } from '../peer-table.ts';
import type { RequestLog } from '../request-log.ts';
import { type AdminCommand, adminNumber, adminUsage } from './registry.ts';

export interface PeerCommandParts {
  readonly peers: PeerTable;
  readonly store: PeerStore;
  readonly requests: RequestLog;
  /** There are others that hold computers too: workers, or nodes. */
  readonly isPart: boolean;
  /** Told of each id that was forgotten. */
  readonly onRemoved: (id: string) => void;
}

/** Rows of a listing unless told otherwise, as in the console of hbbs. */
const PAGE = 10;
const MAX_PAGE = 1_000;

export function peerCommands({ peers, store, requests, isPart, onRemoved }: PeerCommandParts): AdminCommand[] {
  const remove = async (id: string): Promise<{ id: string; removed: boolean }> => {
    const known = await peers.forget(id);
    if (known === null) throw adminUsage(`This store (${store.kind}) does not remove computers.`);
    onRemoved(id);
    return { id, removed: known };
  };
  return [
    {
      name: 'peers list',
      aliases: ['peers'],
      usage: '[--known] [--start N] [--count N]',
      help: 'computers that are here; --known: all that ever registered, by id',
      options: { known: { type: 'boolean' }, start: { type: 'string' }, count: { type: 'string' } },
      run: ({ values }) => {
        const start = adminNumber(values.start, 0);
        const count = adminNumber(values.count, 100, MAX_PAGE);
        if (!values.known) {
          const here = { total: peers.onlineCount, peers: peers.here(start + count).slice(start) };
          return isPart ? { ...here, note: 'Only those of this process; the other workers and nodes have their own.' } : here;
        }
        if (!store.list) throw adminUsage(`This store (${store.kind}) does not list its computers.`);
        const rows = store.list(start, count);
        return {
          total: store.count(),
          peers: rows.map(({ id, ip }) => ({
            id,
            via: peers.inMemory(id) ? (peers.line(id)?.via ?? 'none') : 'none',
            ip: normalizeHost(ip),
          })),
        };
      },
    },
    {
      name: 'peers show',
      usage: 'ID',
      help: 'all about one computer',
      maxArgs: 1,
      run: ({ args }) => {
        const line = peers.line(needed(args[0], 'ID'));
        if (!line) return { id: args[0], known: false };
        const { pk, uuid, ...rest } = line;
        const key = Buffer.from(pk).toString('base64');
        return { known: true, ...rest, key, uuid: Buffer.from(uuid).toString('hex'), ipChanges: peers.ipChanges.show(line.id) };
      },
    },
    {
      name: 'peers remove',
      usage: 'ID',
      help: 'forget a computer and whose id it is: the next machine that registers the id gets it',
      maxArgs: 1,
      run: ({ args }) => remove(needed(args[0], 'ID')),
    },
    {
      name: 'address-limits',
      aliases: ['ip-blocker', 'ib'],
      usage: '[IP|START] [-]',
      help: 'how many new ids came from each address, which is limited; -: forget what was counted',
      maxArgs: 2,
      run: ({ args }) => listing(args, PAGE, {
        list: (start, count) => peers.limiter.list(start, count),
        show: (address) => peers.limiter.show(address),
        forget: (address) => peers.limiter.forget(address),
      }),
    },
    {
      name: 'ip-changes',
      aliases: ['ic'],
      usage: '[ID|START] [-]',
      help: 'computers that came from another address than before, the latest first; -: forget the entry',
      maxArgs: 2,
      run: ({ args }) => listing(args, PAGE, {
        // Ids are numbers as a rule: a number with few digits is a place in the list.
        isStart: (word) => /^\d{1,5}$/.test(word),
        list: (start, count) => peers.ipChanges.list(start, count),
        show: (id) => peers.ipChanges.show(id),
        forget: (id) => peers.ipChanges.forget(id),
      }),
    },
    {
      name: 'requests',
      aliases: ['punch-requests', 'pr'],
      usage: '[START] [COUNT] | -',
      help: 'the last requests to be introduced and how they ended, the latest first; -: clear',
      maxArgs: 2,
      run: ({ args }) => {
        if (args[0] !== '-') return requests.list(adminNumber(args[0], 0), adminNumber(args[1], PAGE, MAX_PAGE));
        requests.clear();
        return { cleared: true };
      },
    },
  ];
}

interface Listed {
  readonly isStart?: (word: string) => boolean;
  list(start: number, count: number): unknown;
  show(name: string): unknown;
  forget(name: string): boolean;
}

/** `[NAME|START] [-]`, as the listings of hbbs take it. */
function listing(args: readonly string[], count: number, of: Listed): unknown {
  const [word, dash] = args;
  if (dash !== undefined && dash !== '-') throw adminUsage(`${dash}: only - may stand there.`);
  if (dash === '-') return { name: word, forgotten: of.forget(word ?? '') };
  if (word === undefined) return of.list(0, count);
  return (of.isStart ?? ((text: string) => /^\d+$/.test(text)))(word) ? of.list(Number(word), count) : of.show(word);
}

function needed(word: string | undefined, what: string): string {
  if (word === undefined) throw adminUsage(`${what} is missing.`);
  return word;
}
