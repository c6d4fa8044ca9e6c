/** What others may reach through this computer. Nothing, until a rule says otherwise. */
import { type BlockList, isIP, isIPv4 } from 'node:net';
import type { TunnelRule } from './rule-text.ts';
import { addressClass, canonicalAddress, list, isSpecialNetwork } from './addresses.ts';

/** Who asks. */
export interface Asker {
  readonly peerId: string;
  /** It has proven the key of that id: rules for one peer count only then. */
  readonly proven: boolean;
}

interface Compiled {
  readonly rule: TunnelRule;
  /** Null: a name, or every host. */
  readonly network: BlockList | null;
  /** The rule names special addresses and nothing else, so that it reaches them; `0.0.0.0/0` names nothing. */
  readonly special: boolean;
}

/** What the name `localhost` in a rule stands for. */
const LOCALHOST = ['127.0.0.1', '::1'] as const;

export class RuleBook {
  readonly #rules: readonly Compiled[];

  constructor(rules: readonly TunnelRule[]) {
    this.#rules = rules.map(compile);
  }

  get size(): number {
    return this.#rules.length;
  }

  /** Some rule could allow it, depending on what the name resolves to. Without one no name is looked up. */
  mayAllow(asker: Asker, kind: 'tcp' | 'udp', host: string, port: number): boolean {
    const name = isIP(host.replace(/%.*$/, '')) ? null : canonicalName(host);
    return this.#rules.some(
      (compiled) =>
        applies(compiled.rule, asker, kind, port) &&
        (compiled.network !== null || compiled.rule.host === '*' || compiled.rule.host === name || name === null),
    );
  }

  /** `host` is what was asked for, `address` what it resolved to and what is going to be dialled. */
  allows(asker: Asker, kind: 'tcp' | 'udp', host: string, address: string, port: number): boolean {
    const place = canonicalAddress(address);
    const special = addressClass(place) !== 'ordinary';
    const family = isIPv4(place) ? 'ipv4' : 'ipv6';
    return this.#rules.some(({ rule, network, special: namesSpecial }) => {
      if (!applies(rule, asker, kind, port)) return false;
      if (network) return network.check(place, family) && (!special || namesSpecial);
      // A name that turns out to lead here is somebody's trick, whoever wrote the rule.
      if (special) return false;
      return rule.host === '*' || rule.host === canonicalName(host);
    });
  }

  allowsService(asker: Asker, name: string): boolean {
    return this.#rules.some(
      ({ rule }) =>
        forPeer(rule, asker) && (rule.kind === 'any' || (rule.kind === 'service' && (rule.host === '*' || rule.host === name))),
    );
  }
}

function applies(rule: TunnelRule, asker: Asker, kind: 'tcp' | 'udp', port: number): boolean {
  return forPeer(rule, asker) && (rule.kind === kind || rule.kind === 'any') && port >= rule.firstPort && port <= rule.lastPort;
}

function forPeer(rule: TunnelRule, asker: Asker): boolean {
  return rule.peer === '' || (asker.proven && rule.peer === asker.peerId);
}

function canonicalName(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

function compile(given: TunnelRule): Compiled {
  if (given.kind === 'service' || given.host === '*') return { rule: given, network: null, special: false };
  const rule = { ...given, host: canonicalName(given.host) };
  if (rule.host === 'localhost')
    return { rule, network: list(`${LOCALHOST[0]}/32`, `${LOCALHOST[1]}/128`), special: true };
  const [zoned = '', bits] = rule.host.split('/');
  const address = zoned.replace(/%.*$/, '');
  if (!isIP(address)) return { rule, network: null, special: false };
  const whole = bits === undefined || Number(bits) === (isIPv4(address) ? 32 : 128);
  // A wrapped IPv4 address is compared as IPv4, so a rule for one is that, too.
  const place = whole ? canonicalAddress(address) : address;
  const length = whole ? (isIPv4(place) ? 32 : 128) : Number(bits);
  return { rule, network: list(`${place}/${length}`), special: isSpecialNetwork(place, length) };
}
