import type { PortMapper } from '../net/portmap/index.ts';
import type { PathPortMapper } from './path-round.ts';

/** The peer's ports at the gateway as the search for paths uses them; null where they are switched off. */
export function pathPortMapper(mapper: PortMapper | null): PathPortMapper | null {
  return (
    mapper && {
      map: async (protocol, internalPort, signal) => {
        const { externalAddress, externalPort } = await mapper.map(protocol, internalPort, signal);
        return { host: externalAddress, port: externalPort };
      },
      unmap: (protocol, internalPort) => void mapper.unmap(protocol, internalPort),
    }
  );
}
