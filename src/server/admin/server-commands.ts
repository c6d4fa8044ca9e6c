/** Settings of the running server (hbbs: relay-servers, always-use-relay, test-geo, reload-geo). */
import type { LiveSettings } from '../cluster/cluster.ts';
import type { ServerLimits } from '../limits.ts';
import type { RelayLine } from '../observe/view.ts';
import { type AdminCommand, adminUsage } from './registry.ts';

export interface ServerCommandParts {
  readonly limits: ServerLimits;
  readonly alwaysRelay: () => boolean;
  readonly relays: { readonly lines: readonly RelayLine[]; pick(): string };
  /** Changes settings until the next start, at all processes and nodes of the server. An empty list: the built-in relay. */
  change(settings: LiveSettings): void;
  reload(): Promise<void>;
}

const YES = /^(y|yes|on|true|1)$/i;
const NO = /^(n|no|off|false|0)$/i;

export function serverCommands({ limits, alwaysRelay, relays, change, reload }: ServerCommandParts): AdminCommand[] {
  return [
    {
      name: 'relays',
      aliases: ['relay-servers', 'rs'],
      usage: '[LIST|-]',
      help: 'relays that clients are sent to; with a comma list: these from now on, until the next start; -: the built-in one',
      maxArgs: 1,
      run: ({ args }) => {
        const [list] = args;
        const named = list === '-' ? [] : list?.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '');
        if (named) change({ relays: named });
        return relays.lines;
      },
      text: (lines) => (Array.isArray(lines) && lines.length === 0 ? 'the built-in relay' : undefined),
    },
    {
      name: 'relay-for',
      aliases: ['test-geo', 'tg'],
      usage: '[IP] [IP]',
      help: 'the relay that the next session gets; addresses make no difference, there is no geography',
      maxArgs: 2,
      run: () => ({ relay: relays.pick() || null, note: 'null: the built-in relay. Where clients are makes no difference.' }),
    },
    {
      name: 'reload-geo',
      aliases: ['rg'],
      help: 'does nothing, as with hbbs: there is no geography to load',
      run: () => ({ reloaded: false, note: 'There is no geography to load.' }),
    },
    {
      name: 'always-relay',
      aliases: ['always-use-relay', 'aur'],
      usage: '[Y|N]',
      help: 'whether every session goes through the relay; with Y or N: from now on, until the next start',
      maxArgs: 1,
      run: ({ args }) => {
        const [word] = args;
        if (word !== undefined && !YES.test(word) && !NO.test(word)) throw adminUsage(`${word} is neither Y nor N.`);
        if (word !== undefined) change({ alwaysRelay: YES.test(word) });
        return { alwaysRelay: alwaysRelay() };
      },
    },
    { name: 'limits', help: 'all limits with their values; --limit of the server changes them', run: () => limits },
    {
      name: 'reload',
      help: 'read certificate, key and address lists again (they are also looked at by themselves)',
      run: async () => {
        await reload();
        return { reloaded: true };
      },
    },
  ];
}
