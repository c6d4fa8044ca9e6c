/** How the NAT in front of this computer treats UDP, seen by one server at two ports. */
import type { Clock } from '../core/clock.ts';
import { familyOf } from '../core/nat/candidates.ts';
import type { FilterObservation, Observation, Observations } from '../core/nat/observation.ts';
import type { HostPort } from '../core/wire/index.ts';
import { plainAddress } from './endpoint.ts';
import { localAddresses } from './local-addresses.ts';
import { createPunchSocket } from './punch-udp.ts';
import { type Seen, SeenAddress } from './seen-address.ts';

/** Two show whether the mapping depends on the destination, and four more how its ports follow each other. */
const SOCKETS = 3;
/** A server on this computer sees us there. */
const LOOPBACK = ['127.0.0.1', '::1'] as const;

/**
 * Takes two round trips, and 1.2 s where UDP or the other port is not answered. Only what the server answers counts: one that
 * has no such test leaves everything untested. The signal ends it with what is known by then.
 */
export async function probeUdp(server: HostPort, signal: AbortSignal, clock: Clock): Promise<Observations> {
  const family = familyOf(server.host);
  const mappings: Observation[] = [];
  const filters: FilterObservation[] = [];
  const sockets: Asking[] = [];
  try {
    const ask = async (own: Asking, destination: HostPort): Promise<Seen | null> => {
      const seen = await own.seen.ask(destination, { signal });
      if (seen) mappings.push({ protocol: 'udp', family, local: { host: '', port: own.port }, destination, seen: seen.address });
      return seen;
    };
    const open = async (): Promise<Asking> => {
      const own = await openAsking(family, clock);
      sockets.push(own);
      return own;
    };
    const first = await open();
    const otherPort = (await ask(first, server))?.otherPort ?? null;
    if (otherPort !== null) {
      const second = { host: server.host, port: otherPort };
      // The one that never speaks to the other port itself shows whether answers from there come in.
      const silent = await open();
      const filter = silent.seen.ask(server, { signal, fromPort: otherPort });
      await ask(first, second);
      for (let i = 1; i < SOCKETS; i++) {
        const own = await open();
        await ask(own, server);
        await ask(own, second);
      }
      const arrived = (await filter) !== null;
      if (!signal.aborted) filters.push({ protocol: 'udp', family, from: 'other-port', arrived });
    }
    return { mappings, filters, reached: { [`udp${family}`]: mappings.length > 0 }, localHosts: [...localAddresses(), ...LOOPBACK] };
  } finally {
    for (const { close } of sockets) close();
  }
}

interface Asking {
  readonly seen: SeenAddress;
  readonly port: number;
  readonly close: () => void;
}

async function openAsking(family: 4 | 6, clock: Clock): Promise<Asking> {
  const socket = createPunchSocket(family === 4 ? 'udp4' : 'udp6');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(0, resolve);
  });
  // Nobody listens there: then no answer comes.
  socket.removeAllListeners('error').on('error', () => {});
  const seen = new SeenAddress((bytes, to) => socket.send(bytes, to.port, to.host, () => {}), clock);
  socket.on('message', (bytes, from) => seen.handle({ host: plainAddress(from.address), port: from.port }, bytes));
  return { seen, port: socket.address().port, close: () => socket.close() };
}
