/**
 * Which ways between two networks are worth what, as a table with a reason in each row. Nothing waits for a label: ways that
 * cost a few packets are tried whatever the table says. It decides their order, whether the costly ones (prediction,
 * birthday) run, and what is told where no direct way exists.
 */
import { type Network, TCP_CLASSES, type TcpClass, UDP_CLASSES, type UdpClass } from './network.ts';

export const WAYS = ['lan', 'hairpin', 'ipv6', 'mapped', 'udp', 'udp-prediction', 'udp-birthday', 'tcp', 'tcp-prediction', 'relay'] as const;
export type Way = (typeof WAYS)[number];

/** `likely`: works by what is known; `possible`: may; `hopeless`: cannot, by what is known. */
export type Chance = 'likely' | 'possible' | 'hopeless';

export interface PlannedWay {
  readonly way: Way;
  readonly chance: Chance;
  readonly reason: string;
}

interface Row<Class> {
  /** Either side first. */
  readonly pair: readonly [readonly Class[], readonly Class[]];
  readonly way: Way;
  readonly chance: Chance;
  readonly reason: string;
}

const ALL_UDP: readonly UdpClass[] = UDP_CLASSES;
const ALL_TCP: readonly TcpClass[] = TCP_CLASSES;
const CONES: readonly UdpClass[] = ['open', 'full-cone', 'restricted', 'port-restricted'];
const LOOSE: readonly UdpClass[] = ['open', 'full-cone', 'restricted'];
const SYMMETRIC: readonly UdpClass[] = ['symmetric-sequential', 'symmetric-random'];

/** The first row that fits is the one that counts. */
const UDP_TABLE: readonly Row<UdpClass>[] = [
  { pair: [['blocked'], ALL_UDP], way: 'udp', chance: 'hopeless', reason: 'one network lets no datagrams through' },
  { pair: [CONES, CONES], way: 'udp', chance: 'likely', reason: 'both public ports are known, so each side opens its NAT for the other' },
  {
    pair: [LOOSE, SYMMETRIC],
    way: 'udp',
    chance: 'likely',
    reason: 'one NAT lets any port of an address in that it has sent to, so the other side’s changing port does no harm',
  },
  {
    pair: [['port-restricted'], ['symmetric-sequential']],
    way: 'udp-prediction',
    chance: 'likely',
    reason: 'the next ports of the one NAT follow its last ones, and the other side opens its NAT for those',
  },
  {
    pair: [['port-restricted'], ['symmetric-random']],
    way: 'udp-birthday',
    chance: 'likely',
    reason: 'the one NAT picks ports at random: many sockets there against many tried ports here meet within seconds',
  },
  {
    pair: [['symmetric-sequential'], ['symmetric-sequential']],
    way: 'udp-prediction',
    chance: 'possible',
    reason: 'both NATs change the port, and both in steps that can be followed while nobody else is busy',
  },
  {
    pair: [['symmetric-random'], SYMMETRIC],
    way: 'udp',
    chance: 'hopeless',
    reason: 'both NATs give each destination another port, one of them at random: neither side can know where to send',
  },
  { pair: [['unknown'], ['symmetric-sequential']], way: 'udp-prediction', chance: 'possible', reason: 'one NAT was not tested, the other changes its port in steps' },
  { pair: [['unknown'], ['symmetric-random']], way: 'udp-birthday', chance: 'possible', reason: 'one NAT was not tested, the other picks ports at random' },
  { pair: [['unknown'], ALL_UDP], way: 'udp', chance: 'possible', reason: 'one NAT was not tested' },
];

const TCP_TABLE: readonly Row<TcpClass>[] = [
  { pair: [['blocked'], ALL_TCP], way: 'tcp', chance: 'hopeless', reason: 'one network lets no connections to other computers out' },
  { pair: [['open'], ALL_TCP], way: 'tcp', chance: 'likely', reason: 'one side takes connections from outside' },
  { pair: [['stable'], ['stable']], way: 'tcp', chance: 'likely', reason: 'both public ports are known: the two dials meet in a simultaneous open' },
  {
    pair: [['stable'], ['sequential']],
    way: 'tcp-prediction',
    chance: 'possible',
    reason: 'the next ports of the one NAT follow its last ones, and a dial towards each of a few may meet the other side’s',
  },
  {
    pair: [['sequential'], ['sequential', 'random']],
    way: 'tcp',
    chance: 'hopeless',
    reason: 'both NATs change the port of each connection',
  },
  { pair: [['random'], ALL_TCP], way: 'tcp', chance: 'hopeless', reason: 'one NAT picks a port at random for each connection' },
  { pair: [['unknown'], ALL_TCP], way: 'tcp', chance: 'possible', reason: 'one NAT was not tested for TCP' },
];

/** What the two know about each other's place, beside their NATs. */
export interface Vicinity {
  /** Both are seen at one public address. */
  readonly samePublicAddress: boolean;
}

/**
 * All ways in the order in which they deserve to win. The relay is last and always there; it is started at once, since what
 * it costs is nothing that anybody waits for.
 */
export function planWays(mine: Network, theirs: Network, vicinity: Vicinity): PlannedWay[] {
  const ways: PlannedWay[] = [];
  if (vicinity.samePublicAddress) {
    ways.push({ way: 'lan', chance: 'likely', reason: 'both are seen at one public address' });
    ways.push(hairpinWay(mine, theirs));
  }
  const bothV6 = mine.ipv6 === 'yes' && theirs.ipv6 === 'yes';
  ways.push(
    bothV6
      ? { way: 'ipv6', chance: 'likely', reason: 'both have an address of their own; firewalls open to whoever they send to' }
      : { way: 'ipv6', chance: 'hopeless', reason: 'one side has no IPv6 address' },
  );
  if (mine.mappedPort === 'yes' || theirs.mappedPort === 'yes')
    ways.push({ way: 'mapped', chance: 'likely', reason: 'a gateway forwards a port to one side' });
  ways.push(wayOf(UDP_TABLE, mine.udp, theirs.udp), wayOf(TCP_TABLE, mine.tcp, theirs.tcp));
  if (!vicinity.samePublicAddress) ways.push({ way: 'lan', chance: 'possible', reason: 'private networks may be joined behind the NATs' });
  const weight: Record<Chance, number> = { likely: 0, possible: 1, hopeless: 2 };
  const sorted = ways.map((way, i) => ({ way, i })).sort((a, b) => weight[a.way.chance] - weight[b.way.chance] || a.i - b.i);
  return [...sorted.map(({ way }) => way), { way: 'relay', chance: 'likely', reason: 'both reach the server' }];
}

function hairpinWay(mine: Network, theirs: Network): PlannedWay {
  if (mine.hairpin === 'no' || theirs.hairpin === 'no')
    return { way: 'hairpin', chance: 'hopeless', reason: 'the common NAT does not turn packets to its own outside back in' };
  if (mine.hairpin === 'yes') return { way: 'hairpin', chance: 'likely', reason: 'the common NAT turns packets to its own outside back in' };
  return { way: 'hairpin', chance: 'possible', reason: 'whether the common NAT turns packets back in was not tested' };
}

function wayOf<Class>(table: readonly Row<Class>[], a: Class, b: Class): PlannedWay {
  for (const { pair, way, chance, reason } of table) {
    const [first, second] = pair;
    if ((first.includes(a) && second.includes(b)) || (first.includes(b) && second.includes(a))) return { way, chance, reason };
  }
  throw new Error(`the plan has no row for ${String(a)} and ${String(b)}`);
}

/** Why there is no direct way; null where one is likely or possible by other means than a private network. */
export function whyNotDirect(mine: Network, theirs: Network, vicinity: Vicinity): string | null {
  const direct = planWays(mine, theirs, vicinity).filter(({ way }) => way !== 'relay' && way !== 'lan');
  if (direct.some(({ chance }) => chance !== 'hopeless')) return null;
  const told = direct.filter(({ way }) => way !== 'ipv6');
  return told.map(({ reason }) => reason).join('; ');
}
