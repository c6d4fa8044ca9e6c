/** UPnP with one gateway: Internet Gateway Device 1 and 2. */
import { type ClientOptions, fraction, isOutsideAddress } from './client.ts';
import { refused } from './errors.ts';
import {
  choosesPorts,
  IGD_ERROR,
  igdProtocol,
  type IgdService,
  MAPPING_NAME,
  readPort,
  SERVICES,
  type SoapAnswer,
} from './igd.ts';
import { IgdTransport, upnpRefusal } from './igd-transport.ts';
import { firstThatWorks, KnownService } from './known-service.ts';
import type { GatewayProtocol, Grant, MappingWish } from './types.ts';

/** Ports that are tried while others have them. */
const MAX_PORT_TRIES = 6;
/** From where other ports are taken: above what servers use, and below what systems take for outgoing connections. */
const OTHER_PORTS = { first: 20_000, count: 12_000 } as const;

interface Entry {
  readonly isOurs: boolean;
  readonly leaseS: number;
}

export class IgdClient implements GatewayProtocol {
  readonly via = 'upnp';
  readonly #options: ClientOptions;
  readonly #transport: IgdTransport;
  readonly #service: KnownService;
  #externalAddress = '';
  /** The gateway takes no leases (725): what is mapped there stays until it is removed. */
  #permanentOnly = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#transport = new IgdTransport(options);
    this.#service = new KnownService(options, (location, signal) => this.#choose(location, signal));
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#service.find(signal);
  }

  async map(wish: MappingWish, signal: AbortSignal): Promise<Grant> {
    const service = await this.#service.get(signal);
    this.#externalAddress = await this.#askAddress(service, signal);
    const externalPort = await this.#add(service, wish, signal);
    const entry = await this.#entry(service, wish, externalPort, signal);
    // Some say yes and do nothing, or have let another have the port.
    if (entry !== 'not told' && !entry?.isOurs) throw refused('it says that the port is open, and it is not');
    const askedS = this.#permanentOnly ? 0 : this.#options.leaseS;
    const leaseS = entry === 'not told' ? askedS : Math.min(entry?.leaseS ?? 0, this.#options.leaseS);
    return { externalAddress: this.#externalAddress, externalPort, lifetimeS: leaseS === 0 ? Number.POSITIVE_INFINITY : leaseS };
  }

  async unmap(wish: MappingWish, signal: AbortSignal): Promise<void> {
    const service = await this.#service.get(signal);
    const entry = await this.#entry(service, wish, wish.externalPort, signal);
    // The port may be another's by now.
    if (entry === null || (entry !== 'not told' && !entry.isOurs)) return;
    const answer = await this.#transport.call(service, 'DeletePortMapping', portArguments(wish, wish.externalPort), signal);
    if (!answer.ok && answer.code !== IGD_ERROR.noSuchEntry) throw upnpRefusal(answer);
  }

  async check(wishes: readonly MappingWish[], signal: AbortSignal): Promise<'as-before' | 'lost'> {
    const before = this.#externalAddress;
    this.#externalAddress = await this.#service.ask((service) => this.#askAddress(service, signal), signal);
    if (before !== this.#externalAddress) return 'lost';
    const service = await this.#service.get(signal);
    for (const wish of wishes) {
      const entry = await this.#entry(service, wish, wish.externalPort, signal);
      if (entry !== 'not told' && !entry?.isOurs) return 'lost';
    }
    return 'as-before';
  }

  /** The service of the line that is connected. */
  async #choose(location: URL, signal: AbortSignal): Promise<IgdService> {
    const services = await this.#transport.services(location, SERVICES, signal);
    const attempt = async (service: IgdService): Promise<IgdService> => {
      this.#externalAddress = await this.#askAddress(service, signal);
      return service;
    };
    return firstThatWorks(services, attempt, refused('it has no service that opens ports'));
  }

  async #askAddress(service: IgdService, signal: AbortSignal): Promise<string> {
    const answer = await this.#transport.call(service, 'GetExternalIPAddress', {}, signal);
    if (!answer.ok) throw upnpRefusal(answer);
    const address = answer.values.get('NewExternalIPAddress') ?? '';
    if (!isOutsideAddress(address)) throw refused('it has no address outside');
    return address;
  }

  /** Opens the port that is wished for, or another that is free; returns it. */
  async #add(service: IgdService, wish: MappingWish, signal: AbortSignal): Promise<number> {
    if (choosesPorts(service) && !(await this.#isHeld(service, wish, signal))) {
      const answer = await this.#addOne(service, 'AddAnyPortMapping', wish, wish.externalPort, signal);
      const port = answer.ok ? readPort(answer.values.get('NewReservedPort')) : null;
      if (port !== null) return port;
      if (answer.ok) throw refused('what it answered makes no sense');
      if (answer.code !== IGD_ERROR.invalidAction && answer.code !== IGD_ERROR.notImplemented) throw upnpRefusal(answer);
    }
    let why: Extract<SoapAnswer, { ok: false }> = { ok: false, code: IGD_ERROR.noPortsLeft, description: 'every port that was tried is taken' };
    let port = wish.externalPort;
    for (let tries = 0; tries < MAX_PORT_TRIES; tries++) {
      const entry = await this.#entry(service, wish, port, signal);
      // Many old gateways give a port away a second time without a word: who has it is asked first.
      if (entry === null || entry === 'not told' || entry.isOurs) {
        const answer = await this.#addOne(service, 'AddPortMapping', wish, port, signal);
        if (answer.ok) return port;
        why = answer;
        if (answer.code === IGD_ERROR.samePortValuesRequired && port !== wish.internalPort) {
          port = wish.internalPort;
          continue;
        }
        if (answer.code !== IGD_ERROR.conflict && answer.code !== IGD_ERROR.conflictWithOther) break;
      }
      port = OTHER_PORTS.first + Math.floor(fraction(this.#options.random) * OTHER_PORTS.count);
    }
    throw upnpRefusal(why);
  }

  async #addOne(service: IgdService, action: 'AddPortMapping' | 'AddAnyPortMapping', wish: MappingWish, port: number, signal: AbortSignal): Promise<SoapAnswer> {
    const call = (): Promise<SoapAnswer> =>
      this.#transport.call(
        service,
        action,
        {
          ...portArguments(wish, port),
          NewInternalPort: wish.internalPort,
          NewInternalClient: this.#options.gateway.localAddress,
          NewEnabled: 1,
          NewPortMappingDescription: MAPPING_NAME,
          NewLeaseDuration: this.#permanentOnly ? 0 : this.#options.leaseS,
        },
        signal,
      );
    const answer = await call();
    if (answer.ok || answer.code !== IGD_ERROR.onlyPermanentLeases || this.#permanentOnly) return answer;
    this.#permanentOnly = true;
    return call();
  }

  async #isHeld(service: IgdService, wish: MappingWish, signal: AbortSignal): Promise<boolean> {
    const entry = await this.#entry(service, wish, wish.externalPort, signal);
    return entry !== null && entry !== 'not told' && entry.isOurs;
  }

  /** Who has that port outside; null: nobody. */
  async #entry(service: IgdService, wish: MappingWish, port: number, signal: AbortSignal): Promise<Entry | null | 'not told'> {
    const answer = await this.#transport.call(service, 'GetSpecificPortMappingEntry', portArguments(wish, port), signal);
    if (!answer.ok) return answer.code === IGD_ERROR.noSuchEntry ? null : 'not told';
    const { values } = answer;
    const lease = Number(values.get('NewLeaseDuration') ?? 0);
    return {
      isOurs:
        values.get('NewInternalClient') === this.#options.gateway.localAddress && readPort(values.get('NewInternalPort')) === wish.internalPort,
      leaseS: Number.isInteger(lease) && lease > 0 ? lease : 0,
    };
  }
}

function portArguments(wish: MappingWish, port: number): Record<string, string | number> {
  return { NewRemoteHost: '', NewExternalPort: port, NewProtocol: igdProtocol(wish.protocol) };
}
