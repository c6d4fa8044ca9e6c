/**
 * Opens streams through everything that a real one passes, on the loopback: listener, mux, sealed link, rules, dialler. The
 * engine interprets code at first and compiles it as it is used, on threads that it wakes for it; until some hundred
 * connections have come, each of them takes half as long again.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.ts';
import { Mux } from '../../core/mux/index.ts';
import { CHANNEL } from '../../core/native/contract.ts';
import { MultipathLink } from '../../core/native/multipath.ts';
import { RecordStream } from '../../core/native/record.ts';
import { SecuredNetLink } from '../../net/secured-link.ts';
import { TcpLink } from '../../net/tcp-link.ts';
import { TcpForward } from './forward.ts';
import { TunnelHost } from './tunnel-host.ts';

const LOOPBACK = '127.0.0.1';
const KEY_BYTES = 32;
/** After these more bring little. */
const STREAMS = 300;
/** The first streams of a session are those that somebody waits for. */
const REST_MS = 300;
/** Between two: what else the process does goes first. */
const PAUSE_MS = 1;
const LIMIT_MS = 2_000;

export interface RehearsalOptions {
  readonly clock?: Clock;
  readonly run?: (signal: AbortSignal) => Promise<void>;
}

/** One rehearsal, a moment after it was first asked for. */
export class TunnelRehearsal {
  #abort: AbortController | null = null;
  #cancel: () => void = () => {};
  readonly #clock: Clock;
  readonly #run: (signal: AbortSignal) => Promise<void>;

  constructor({ clock = systemClock, run = rehearseStreams }: RehearsalOptions = {}) {
    this.#clock = clock;
    this.#run = run;
  }

  /** A session with streams has begun. Does nothing after the first time. */
  soon(): void {
    if (this.#abort) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#cancel = this.#clock.setTimer(REST_MS, () => {
      // What could not be rehearsed is slower the first time.
      this.#run(AbortSignal.any([abort.signal, AbortSignal.timeout(LIMIT_MS)])).catch(() => {});
    });
  }

  /** None from here on, and what is under way ends. */
  close(): void {
    this.#cancel();
    this.#abort ??= new AbortController();
    this.#abort.abort();
  }
}

/** Throws the reason of `signal`, and what the loopback refuses. */
export async function rehearseStreams(signal: AbortSignal, streams = STREAMS): Promise<void> {
  const [target, middle] = [createServer(echo), createServer()];
  const ends: (() => void)[] = [() => target.close(), () => middle.close()];
  try {
    const [targetPort, middlePort] = await Promise.all([listen(target, signal), listen(middle, signal)]);
    const arrived = once(middle, 'connection', { signal });
    const near = connect({ host: LOOPBACK, port: middlePort });
    ends.push(() => near.destroy());
    const [far] = (await arrived) as [Socket];
    const keys = [randomBytes(KEY_BYTES), randomBytes(KEY_BYTES)] as const;
    const [hostLink, ownLink] = [multipath(far, keys[0], keys[1], 'host'), multipath(near, keys[1], keys[0], 'controller')];
    ends.push(() => ownLink.destroy(), () => hostLink.destroy());
    const host = new TunnelHost({ audit: () => {}, onViolation: () => {} });
    host.setRules([{ kind: 'tcp', host: LOOPBACK, firstPort: targetPort, lastPort: targetPort, peer: '' }]);
    host.attach(hostLink.channel(CHANNEL.streams), { peerId: '1', proven: true }, 0);
    const mux = new Mux({ link: ownLink.channel(CHANNEL.streams), clock: systemClock, role: 'connecting', afterTurn: setImmediate, limits: { deadMs: 0 } });
    const forward = new TcpForward({
      address: { host: LOOPBACK, port: 0 },
      target: { kind: 'tcp', host: LOOPBACK, port: targetPort },
      open: (to) => Promise.resolve(mux.open(to)),
      openStock: () => Promise.resolve(),
      onFailure: () => {},
    });
    ends.push(() => void forward.close());
    const { port } = await forward.listen();
    for (let count = 0; count < streams; count++) {
      await ask(port, signal);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  } finally {
    for (const end of ends) end();
  }
}

function multipath(socket: Socket, sendKey: Uint8Array, receiveKey: Uint8Array, role: 'host' | 'controller'): MultipathLink {
  const cipher = new RecordStream({ sendKey, receiveKey });
  const link = new SecuredNetLink(new TcpLink(socket), { cipher });
  return new MultipathLink({ clock: systemClock, random: randomBytes, role, first: { link, kind: 'lan' } });
}

async function listen(server: Server, signal: AbortSignal): Promise<number> {
  server.listen(0, LOOPBACK);
  await once(server, 'listening', { signal });
  return (server.address() as AddressInfo).port;
}

function echo(socket: Socket): void {
  socket.on('error', () => {});
  socket.pipe(socket);
}

/** One connection, from dialling to its answer. */
async function ask(port: number, signal: AbortSignal): Promise<void> {
  const socket = connect({ host: LOOPBACK, port, noDelay: true });
  // `once` stops listening, and an error that nobody hears ends the process.
  socket.on('error', () => {});
  try {
    socket.write(Buffer.alloc(1));
    await once(socket, 'data', { signal });
  } finally {
    socket.destroy();
  }
}
