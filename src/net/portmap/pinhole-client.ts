/** UPnP for IPv6: pinholes in the firewall of one gateway (Internet Gateway Device 2, WANIPv6FirewallControl:1). */
import { type ClientOptions, clampLifetime } from './client.ts';
import { refused } from './errors.ts';
import { IGD_ERROR, type IgdAction, type IgdService, PINHOLE_SERVICE, type SoapAnswer } from './igd.ts';
import { IgdTransport, upnpRefusal } from './igd-transport.ts';
import { KnownService } from './known-service.ts';
import type { GatewayProtocol, Grant, MappedProtocol, MappingWish } from './types.ts';

/** IANA numbers, as the service wants them (WANIPv6FirewallControl:1 §2.2.5). */
const PROTOCOLS: Readonly<Record<MappedProtocol, number>> = { tcp: 6, udp: 17 };
/** Only to learn the number of a pinhole that is closed right away. */
const SHORT_LEASE_S = 60;

export class PinholeClient implements GatewayProtocol {
  readonly via = 'upnp';
  readonly #options: ClientOptions;
  readonly #transport: IgdTransport;
  readonly #service: KnownService;
  /** By protocol and port: the gateway's number of the pinhole. */
  readonly #open = new Map<string, string>();

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#transport = new IgdTransport(options);
    this.#service = new KnownService(options, (location, signal) => this.#choose(location, signal));
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#service.find(signal);
  }

  async map(wish: MappingWish, signal: AbortSignal): Promise<Grant> {
    const { leaseS, gateway } = this.#options;
    const known = this.#open.get(keyOf(wish));
    if (known === undefined || !(await this.#renew(known, signal))) this.#open.set(keyOf(wish), await this.#add(wish, leaseS, signal));
    // Nothing is translated: whoever knows the address may come now.
    return { externalAddress: gateway.localAddress, externalPort: wish.internalPort, lifetimeS: clampLifetime(leaseS) };
  }

  async unmap(wish: MappingWish, signal: AbortSignal): Promise<void> {
    // One that an earlier run left: asked for again it has the same number (WANIPv6FirewallControl:1 §2.5.2).
    const number = this.#open.get(keyOf(wish)) ?? (await this.#add(wish, SHORT_LEASE_S, signal));
    this.#open.delete(keyOf(wish));
    const answer = await this.#call('DeletePinhole', { UniqueID: number }, signal);
    if (!answer.ok && answer.code !== IGD_ERROR.noSuchPinhole && answer.code !== IGD_ERROR.invalidArgs) throw upnpRefusal(answer);
  }

  async check(wishes: readonly MappingWish[], signal: AbortSignal): Promise<'as-before' | 'lost'> {
    for (const wish of wishes) {
      const number = this.#open.get(keyOf(wish));
      if (number === undefined) return 'lost';
      const answer = await this.#call('GetPinholePackets', { UniqueID: number }, signal);
      if (!answer.ok && answer.code !== IGD_ERROR.invalidAction && answer.code !== IGD_ERROR.notImplemented) {
        this.#open.delete(keyOf(wish));
        return 'lost';
      }
    }
    return 'as-before';
  }

  async #call(action: IgdAction, args: Readonly<Record<string, string | number>>, signal: AbortSignal): Promise<SoapAnswer> {
    return this.#service.ask((service) => this.#transport.call(service, action, args, signal), signal);
  }

  /** The service that opens the firewall, and that may. */
  async #choose(location: URL, signal: AbortSignal): Promise<IgdService> {
    const [service] = await this.#transport.services(location, [PINHOLE_SERVICE], signal);
    if (!service) throw refused('it has no service that opens its firewall');
    const answer = await this.#transport.call(service, 'GetFirewallStatus', {}, signal);
    if (!answer.ok) throw upnpRefusal(answer);
    if (answer.values.get('InboundPinholeAllowed') === '0') throw refused('its rules forbid it');
    return service;
  }

  /** False: the gateway does not know it any more. */
  async #renew(number: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#call('UpdatePinhole', { UniqueID: number, NewLeaseTime: this.#options.leaseS }, signal);
    // After a restart the number may be another's, or nobody's; whatever it says, asking anew is right.
    return answer.ok;
  }

  async #add({ protocol, internalPort }: MappingWish, leaseS: number, signal: AbortSignal): Promise<string> {
    const answer = await this.#call(
      'AddPinhole',
      {
        // From anybody: whom the other side's firewall lets speak is not known before.
        RemoteHost: '',
        RemotePort: 0,
        InternalClient: this.#options.gateway.localAddress,
        InternalPort: internalPort,
        Protocol: PROTOCOLS[protocol],
        LeaseTime: leaseS,
      },
      signal,
    );
    if (!answer.ok) throw upnpRefusal(answer);
    const number = answer.values.get('UniqueID') ?? '';
    if (!/^\d{1,5}$/.test(number)) throw refused('what it answered makes no sense');
    return number;
  }
}

function keyOf({ protocol, internalPort }: MappingWish): string {
  return `${protocol} ${internalPort}`;
}
