/** How the NAT in front of this computer treats UDP, seen by one server at two ports, and at two addresses where it has them. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { familyOf } from '../core/nat/candidates.ts';
import type { AnswerFrom, FilterObservation, Observation, Observations } from '../core/nat/observation.ts';
import type { HostPort } from '../core/wire/index.ts';
import { plainAddress } from './endpoint.ts';
import { localAddresses } from './local-addresses.ts';
import { createPunchSocket } from './punch-udp.ts';
import { type AskOptions, type Seen, SeenAddress } from './seen-address.ts';

/** Two show whether the mapping depends on the destination, and four more how its ports follow each other. */
const SOCKETS = 3;
/** A server on this computer sees us there. */
const LOOPBACK = ['127.0.0.1', '::1'] as const;
/** When two sockets of ours speak to each other by their public addresses: the first ones only open the NAT. */
const HAIRPIN_AT_MS = [0, 60, 150, 300] as const;
/** A NAT turns packets around within milliseconds. */
const HAIRPIN_WAIT_MS = 600;

/**
 * Takes three round trips, and 1.2 s more where UDP, the other port or the other address is not answered. Only what the server
 * answers counts: one that has no such test leaves everything untested. The signal ends it with what is known by then.
 */
export async function probeUdp(server: HostPort, signal: AbortSignal, clock: Clock): Promise<Observations> {
  const family = familyOf(server.host);
  const mappings: Observation[] = [];
  const filters: FilterObservation[] = [];
  const sockets: Asking[] = [];
  let hairpin: boolean | undefined;
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
    const told = await ask(first, server);
    if (told && told.otherPort !== null) {
      const { otherPort, otherAddress } = told;
      const second = { host: server.host, port: otherPort };
      // The one that never speaks to the other port or address itself shows whether answers from there come in.
      const silent = await open();
      const filter = async (from: AnswerFrom, wanted: Omit<AskOptions, 'signal'>): Promise<void> => {
        const arrived = (await silent.seen.ask(server, { ...wanted, signal })) !== null;
        if (!signal.aborted) filters.push({ protocol: 'udp', family, from, arrived });
      };
      const filtering = Promise.all([
        filter('other-port', { fromPort: otherPort }),
        otherAddress === null ? null : filter('other-address', { fromHost: otherAddress }),
      ]);
      await ask(first, second);
      if (otherAddress !== null) await ask(first, { host: otherAddress, port: server.port });
      for (let i = 1; i < SOCKETS; i++) {
        const own = await open();
        await ask(own, server);
        await ask(own, second);
      }
      const ends = [first, sockets.at(-1) ?? first].map((own) => ({ own, seen: publicEnd(mappings, own.port) }));
      [hairpin] = await Promise.all([turnsBack(ends, clock, signal), filtering]);
    }
    const reached = { [`udp${family}`]: mappings.length > 0 };
    return { mappings, filters, reached, localHosts: [...localAddresses(), ...LOOPBACK], ...(hairpin === undefined ? {} : { hairpin }) };
  } finally {
    for (const { close } of sockets) close();
  }
}

interface Asking {
  readonly seen: SeenAddress;
  readonly port: number;
  readonly send: (bytes: Uint8Array, to: HostPort) => void;
  /** Hears what is no answer of the server. */
  onOther: (bytes: Uint8Array) => void;
  readonly close: () => void;
}

/** Where everybody sees that socket; null where that depends on who looks, or is this computer itself. */
function publicEnd(mappings: readonly Observation[], port: number): HostPort | null {
  const own = mappings.filter(({ local }) => local.port === port).map(({ seen }) => seen);
  const [first] = own;
  const same = first && own.length > 1 && own.every((seen) => seen.port === first.port && seen.host === first.host);
  return same && first.host !== '' && ![...localAddresses(), ...LOOPBACK].includes(first.host) ? first : null;
}

/** Whether two sockets behind one NAT reach each other by its outside; undefined: that cannot be tested here. */
function turnsBack(ends: readonly { own: Asking; seen: HostPort | null }[], clock: Clock, signal: AbortSignal): Promise<boolean | undefined> {
  const [a, b] = ends;
  if (!a?.seen || !b?.seen || a.own === b.own || signal.aborted) return Promise.resolve(undefined);
  const [toA, toB] = [a.seen, b.seen];
  const mark = randomBytes(16);
  return new Promise((resolve) => {
    const done = (arrived: boolean | undefined): void => {
      for (const cancel of cancels) cancel();
      signal.removeEventListener('abort', onAbort);
      resolve(arrived);
    };
    const onAbort = (): void => done(undefined);
    const cancels = [
      ...HAIRPIN_AT_MS.map((atMs) =>
        clock.setTimer(atMs, () => {
          a.own.send(mark, toB);
          b.own.send(mark, toA);
        }),
      ),
      clock.setTimer(HAIRPIN_WAIT_MS, () => done(false)),
    ];
    signal.addEventListener('abort', onAbort, { once: true });
    for (const { own } of ends)
      own.onOther = (bytes) => {
        if (mark.equals(bytes)) done(true);
      };
  });
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
  const send = (bytes: Uint8Array, to: HostPort): void => socket.send(bytes, to.port, to.host, () => {});
  const asking: Asking = { seen: new SeenAddress(send, clock), port: socket.address().port, send, onOther: () => {}, close: () => socket.close() };
  socket.on('message', (bytes, from) => {
    if (!asking.seen.handle({ host: plainAddress(from.address), port: from.port }, bytes)) asking.onOther(bytes);
  });
  return asking;
}
