/** What the console of hbbr did: lists of addresses, speeds, and what the sessions use (rendezvous §1.4, §7). */
import type { AddressList } from '../address-list.ts';
import type { Relay } from '../relay.ts';
import type { RelayPolicy, RelaySpeeds } from '../relay-policy.ts';
import { type AdminCommand, adminNumber, adminUsage } from './registry.ts';

const MEGABIT = 1024 * 1024;
const MAX_PAGE = 1_000;

export function relayCommands(relay: Relay, policy: RelayPolicy): AdminCommand[] {
  return [
    ...listCommands('blacklist', ['b', 'ba', 'br'], 'addresses whose relayed sessions are slowed down', policy.blacklist),
    ...listCommands('blocklist', ['B', 'Ba', 'Br'], 'addresses that the relay refuses', policy.blocklist),
    speed('single-bandwidth', 'sb', 'pairBps', 'most of one relayed session, Mbit/s; 0: no limit', MEGABIT, policy),
    speed('total-bandwidth', 'tb', 'totalBps', 'most of all relayed sessions together, Mbit/s; 0: no limit', MEGABIT, policy),
    speed('limit-speed', 'ls', 'limitedBps', 'most of a session that is slowed down, Mbit/s', MEGABIT, policy),
    speed('downgrade-threshold', 'dt', 'downgradeShare', 'share of single-bandwidth above which a long session is slowed down', 1, policy),
    speed('downgrade-start-check', 't', 'downgradeAfterMs', 'age from which a session counts as long, seconds', 1_000, policy),
    {
      name: 'sessions list',
      aliases: ['sessions', 'usage', 'u'],
      usage: '[--start N] [--count N]',
      help: 'relayed sessions with their addresses, traffic and speed (Mbit/s, now and at most)',
      options: { start: { type: 'string' }, count: { type: 'string' } },
      run: ({ values }) => {
        const start = adminNumber(values.start, 0);
        return relay
          .usage()
          .slice(start, start + adminNumber(values.count, 100, MAX_PAGE))
          .map(({ session, hosts, bytes, ageMs, bps, highestBps, limited }) => ({
            session,
            from: hosts[0],
            to: hosts[1],
            seconds: Math.round(ageMs / 1000),
            bytes,
            mbps: megabits(bps),
            highestMbps: megabits(highestBps),
            limited,
          }));
      },
    },
    {
      name: 'sessions end',
      usage: 'SESSION',
      help: 'cut a relayed session, by its number in the list',
      maxArgs: 1,
      run: ({ args }) => {
        const session = adminNumber(args[0], -1);
        if (session < 0) throw adminUsage('SESSION is missing.');
        return { session, ended: relay.cut(session) };
      },
    },
  ];
}

function listCommands(name: string, [show, add, remove]: readonly string[], what: string, list: AddressList): AdminCommand[] {
  return [
    {
      name,
      aliases: [show ?? ''],
      usage: '[IP]',
      help: `${what} (${name}.txt); with IP: whether it is among them`,
      maxArgs: 1,
      run: ({ args }) => (args[0] === undefined ? list.entries : { address: args[0], listed: list.has(args[0]) }),
    },
    {
      name: `${name} add`,
      aliases: [`${name}-add`, add ?? ''],
      usage: 'IP[/BITS]…',
      help: `add addresses or networks to ${name}.txt`,
      maxArgs: 1_000,
      run: ({ args }) => {
        try {
          return { added: list.add(words(args)), size: list.size };
        } catch (error) {
          if (error instanceof TypeError || error instanceof RangeError) throw adminUsage(`${error.message}.`);
          throw error;
        }
      },
    },
    {
      name: `${name} remove`,
      aliases: [`${name}-remove`, remove ?? ''],
      usage: 'IP[/BITS]… | all',
      help: `take addresses out of ${name}.txt`,
      maxArgs: 1_000,
      run: ({ args }) => {
        const wanted = words(args);
        return { removed: list.remove(wanted.includes('all') ? list.entries : wanted), size: list.size };
      },
    },
  ];
}

function speed(
  name: string,
  alias: string,
  setting: keyof RelaySpeeds,
  help: string,
  unit: number,
  policy: RelayPolicy,
): AdminCommand {
  return {
    name,
    aliases: [alias],
    usage: '[VALUE]',
    help: `${help}; with VALUE: until the next start`,
    maxArgs: 1,
    run: ({ args }) => {
      if (args[0] !== undefined) {
        const value = Number(args[0]);
        if (args[0].trim() === '' || !Number.isFinite(value) || value < 0) throw adminUsage(`${args[0]} is not a number from 0 up.`);
        policy.setSpeed(setting, value * unit);
      }
      return { [name]: policy.speeds[setting] / unit };
    },
  };
}

/** The console of hbbr takes `ip|ip`. */
function words(args: readonly string[]): string[] {
  const all = args.flatMap((arg) => arg.split(/[|,\s]+/)).filter((word) => word !== '');
  if (all.length === 0) throw adminUsage('An address is missing.');
  return all;
}

function megabits(bps: number): number {
  return Math.round((bps / MEGABIT) * 100) / 100;
}
