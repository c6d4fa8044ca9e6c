/** What was found out about the network as a list of facts, and in one sentence for people. */
import { classify, type NatBehaviour } from './classify.ts';
import { scopeOf } from './candidates.ts';
import { type Network, tcpClassOf, udpClassOf } from './network.ts';
import { type AnswerFrom, type Fact, fact, type Observations, type Protocol } from './observation.ts';

/** Each has its sentence in every language of the app. */
export const NAT_VERDICTS = ['open', 'easy', 'usual', 'counting', 'random', 'no-udp', 'no-udp-random', 'one-port', 'unknown'] as const;
export type NatVerdict = (typeof NAT_VERDICTS)[number];

export interface NatReport {
  readonly udp4: NatBehaviour;
  readonly udp6: NatBehaviour;
  readonly tcp4: NatBehaviour;
  readonly network: Network;
  readonly facts: Readonly<Record<NatFactName, Fact>>;
  readonly verdict: NatVerdict;
}

export const NAT_FACTS = [
  'udp',
  'ipv4-translated',
  'ipv6',
  'mapping-varies-by-port',
  'mapping-varies-by-address',
  'port-kept',
  'answers-from-another-port-come-in',
  'answers-from-another-address-come-in',
  'tcp',
  'tcp-to-other-ports',
  'tcp-mapping-varies-by-port',
  'tcp-from-another-port-comes-in',
  'tcp-from-another-address-comes-in',
  'hairpin',
  'second-nat-outside',
  'port-mapping',
] as const;
export type NatFactName = (typeof NAT_FACTS)[number];

/** In English, for the command line; the app has its own words. */
export const NAT_VERDICT_TEXT: Readonly<Record<NatVerdict, string>> = {
  open: 'there is no NAT: other computers reach this one directly',
  easy: 'the NAT keeps its ports and is not strict: direct connections work with every kind of network',
  usual: 'the NAT keeps its ports: direct connections work with almost every kind of network',
  counting: 'the NAT changes its port with the destination, but in steps: direct connections mostly work',
  random: 'the NAT picks another port at random for each destination: direct connections work with NATs that keep theirs, and take some seconds',
  'no-udp': 'the network lets no UDP through: direct connections go over TCP where the other network allows it',
  'no-udp-random': 'the network lets no UDP through and its NAT picks ports at random: most connections go through the relay',
  'one-port': 'the network lets nothing out but connections to the one port of the server: all connections go through the relay',
  unknown: 'the network could not be tested',
};

/** `portMapping`: whether a gateway opens ports for us, where that was tried. */
export function natReport(observations: Observations, portMapping: Fact = 'not-tested'): NatReport {
  const udp4 = classify(observations, 'udp', 4);
  const udp6 = classify(observations, 'udp', 6);
  const tcp4 = classify(observations, 'tcp', 4);
  const ipv6 = fact(observations.localHosts.some((host) => host.includes(':') && scopeOf(host) === 'public'));
  const otherPorts = fact(observations.otherPortsOverTcp);
  const hairpin = fact(observations.hairpin);
  const tcp = otherPorts === 'no' ? 'blocked' : tcpClassOf(tcp4);
  const network: Network = { udp: udpClassOf(udp4), tcp, ipv6, mappedPort: portMapping, hairpin };
  const { allocation } = udp4;
  const comesIn = (protocol: Protocol, from: AnswerFrom): Fact => fact(observations.filters.find((entry) => entry.protocol === protocol && entry.family === 4 && entry.from === from)?.arrived);
  const wanScopes = observations.mappings.filter(({ family, seen }) => family === 4 && seen.host !== '').map(({ seen }) => scopeOf(seen.host));
  return {
    udp4,
    udp6,
    tcp4,
    network,
    facts: {
      udp: udp4.reached,
      'ipv4-translated': udp4.translated === 'not-tested' ? tcp4.translated : udp4.translated,
      ipv6,
      'mapping-varies-by-port': udp4.variesByPort,
      'mapping-varies-by-address': udp4.variesByAddress,
      'port-kept': fact(allocation.kind === 'unknown' ? undefined : allocation.kind === 'preserving'),
      'answers-from-another-port-come-in': comesIn('udp', 'other-port'),
      'answers-from-another-address-come-in': comesIn('udp', 'other-address'),
      tcp: tcp4.reached,
      'tcp-to-other-ports': otherPorts,
      'tcp-mapping-varies-by-port': tcp4.variesByPort,
      'tcp-from-another-port-comes-in': comesIn('tcp', 'other-port'),
      'tcp-from-another-address-comes-in': comesIn('tcp', 'other-address'),
      hairpin,
      // A server inside the carrier's network sees an address of that network; one outside cannot tell.
      'second-nat-outside': fact(wanScopes.includes('carrier') ? true : undefined),
      'port-mapping': portMapping,
    },
    verdict: verdictOf(network, udp4, tcp4),
  };
}

function verdictOf({ udp, tcp }: Network, udp4: NatBehaviour, tcp4: NatBehaviour): NatVerdict {
  switch (udp) {
    case 'open':
      return 'open';
    case 'full-cone':
      return 'easy';
    case 'restricted':
      return udp4.mapping === 'none' ? 'open' : 'easy';
    case 'port-restricted':
      return udp4.mapping === 'none' && udp4.filtering === 'unknown' ? 'open' : 'usual';
    case 'symmetric-sequential':
      return 'counting';
    case 'symmetric-random':
      return 'random';
    case 'blocked':
      if (tcp === 'blocked' && tcp4.reached === 'yes') return 'one-port';
      return tcp === 'random' || tcp === 'sequential' || tcp === 'blocked' ? 'no-udp-random' : 'no-udp';
    default:
      // The server has no test over UDP: what TCP shows is mostly the same.
      return tcp4.mapping === 'none' ? 'open' : tcp === 'stable' ? 'usual' : tcp === 'random' ? 'random' : 'unknown';
  }
}
