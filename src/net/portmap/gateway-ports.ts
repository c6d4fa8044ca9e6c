/** What this computer keeps open at its gateways: ports that an IPv4 gateway forwards, and pinholes in the firewall before IPv6. */
import { join } from 'node:path';
import type { Family } from '../../core/nat/observation.ts';
import { PortMapper } from './port-mapper.ts';
import { systemNetwork6 } from './system-network.ts';
import type { MappedProtocol, Mapping } from './types.ts';

export interface GatewayPortsOptions {
  /** Where what is open is remembered. */
  readonly dataDir: string;
  readonly log: (line: string) => void;
}

/** Silent until it is asked for a port. The two gateways are often one device, but neither knows of the other's ports. */
export class GatewayPorts {
  readonly #mappers: Readonly<Record<Family, PortMapper>>;

  constructor({ dataDir, log }: GatewayPortsOptions) {
    this.#mappers = {
      4: new PortMapper({ stateFile: join(dataDir, 'open-ports.json'), log }),
      6: new PortMapper({ stateFile: join(dataDir, 'open-pinholes.json'), log, network: systemNetwork6, protocols: ['pcp', 'upnp'] }),
    };
  }

  /** As {@link PortMapper.map}, at the gateway of that family. */
  map(family: Family, protocol: MappedProtocol, internalPort: number, signal?: AbortSignal): Promise<Mapping> {
    return this.#mappers[family].map(protocol, internalPort, signal);
  }

  unmap(family: Family, protocol: MappedProtocol, internalPort: number): Promise<void> {
    return this.#mappers[family].unmap(protocol, internalPort);
  }

  networkChanged(): void {
    for (const mapper of this.#all) mapper.networkChanged();
  }

  async removeLeftovers(): Promise<void> {
    await Promise.all(this.#all.map((mapper) => mapper.removeLeftovers()));
  }

  /** Closes everything, within 1.5 s, and ends. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map((mapper) => mapper.stop()));
  }

  get #all(): PortMapper[] {
    return Object.values(this.#mappers);
  }
}
