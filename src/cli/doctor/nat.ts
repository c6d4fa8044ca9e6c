/** What can be said about the NAT in front of this computer, and what cannot. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Filtering } from '../../core/nat/classify.ts';
import { NAT_VERDICT_TEXT, type NatReport } from '../../core/nat/report.ts';
import type { HostPort } from '../../core/wire/index.ts';
import { formatHostPort } from '../../net/index.ts';
import { type Finding, ok, skip, warn } from './check.ts';
import { natSymmetric } from './errors.ts';
import type { SeenPort } from './ports.ts';

export interface NatSeen {
  /** Two TCP connections from one local port, to two ports of the server. */
  readonly first: SeenPort | null;
  readonly second: SeenPort | null;
  readonly udp: SeenPort | null;
  /** Where the server sees our TCP connections; null: not known. */
  readonly publicAddress: HostPort | null;
}

/** In one word, for the verdict. */
export type NatWord = 'no NAT' | 'NAT keeps its mapping' | 'NAT changes its mapping with the destination' | 'NAT unknown';

export function checkNat(seen: NatSeen): { mapping: Finding; filtering: Finding; word: NatWord } {
  const { first, second, udp, publicAddress } = seen;
  const own = ownAddresses();
  const outside = publicAddress ? ` The server sees this computer at ${publicAddress.host}.` : '';
  const udpSays = udp ? ` Over UDP the port ${udp.seen === udp.local ? 'stays the same' : `${udp.local} becomes ${udp.seen}`}.` : '';
  const filtering = skip(
    'Which packets the NAT lets in cannot be told with a single server address.',
    'Connect to another computer with `litedesk connect`: its attempts tell which paths work.',
  );
  if (publicAddress && own.has(publicAddress.host) && (!first || first.seen === first.local))
    return {
      mapping: ok(`There is no NAT between this computer and the server.${udpSays}`),
      filtering: skip('Without a NAT only firewalls filter, and they cannot be seen from here.'),
      word: 'no NAT',
    };
  const carrier = publicAddress && isSharedSpace(publicAddress.host) ? ' The address belongs to a carrier: there is a second NAT outside.' : '';
  if (!first || !second)
    return { mapping: skip(`The mapping of the NAT was not tested: that takes two ports that answer.${outside}${udpSays}`), filtering, word: 'NAT unknown' };
  if (first.seen === second.seen)
    return {
      mapping: ok(
        `The NAT maps one local port to one public port for both ports of the server (${first.local} became ${first.seen}): holes can be punched.${outside}${carrier}${udpSays}`,
      ),
      filtering,
      word: 'NAT keeps its mapping',
    };
  return {
    mapping: warn(natSymmetric(`${first.local} became ${first.seen} and ${second.seen}`, `${outside}${carrier}${udpSays}`)),
    filtering,
    word: 'NAT changes its mapping with the destination',
  };
}

/** Which packets the NAT lets in; null where this server cannot show it. */
export function checkFiltering({ udp4, tcp4 }: NatReport): Finding | null {
  const [udp, tcp] = [filteringText(udp4.filtering, 'datagrams'), filteringText(tcp4.filtering, 'connections')];
  if (!udp && !tcp) return null;
  return ok([udp && `UDP: ${udp}.`, tcp && `TCP: ${tcp}.`].filter(Boolean).join(' '));
}

function filteringText(filtering: Filtering, what: 'datagrams' | 'connections'): string {
  switch (filtering) {
    case 'endpoint-independent':
      return `the NAT lets ${what} from anywhere in, once a port is in use`;
    case 'address-dependent':
      return `the NAT lets ${what} from other ports of an address in that was sent to`;
    case 'address-and-port-dependent':
      return what === 'datagrams' ? 'the NAT lets only answers in: both sides have to open it for each other, which they do' : 'the NAT lets only answers in';
    default:
      return '';
  }
}

/** The network in one sentence, and every single fact for programs. */
export function checkNetwork({ verdict, facts, udp4 }: NatReport): Finding {
  const text = NAT_VERDICT_TEXT[verdict];
  const { allocation } = udp4;
  const step = allocation.kind === 'sequential' ? ` Its ports are ${allocation.step} apart.` : '';
  const detail = `In short: ${text}.${step}`;
  return { status: verdict === 'unknown' ? 'skip' : 'ok', detail, facts };
}

function ownAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address)));
}

/** 100.64.0.0/10, between carriers and their customers. */
function isSharedSpace(host: string): boolean {
  if (isIP(host) !== 4) return false;
  const [a = 0, b = 0] = host.split('.').map(Number);
  return a === 100 && b >= 64 && b < 128;
}

/** For the detail of a check that failed because the server has a text console on loopback (rendezvous §1.4). */
export function consoleHint(address: HostPort): string {
  return `${formatHostPort(address)} is on this computer, where stock hbbs and hbbr serve a text console instead: use another address of it.`;
}
