/**
 * Dials a client back where it came from, to show it which connections its NAT lets in. Only to the address and port of a connection
 * that stands, so that nobody else can be made to get a SYN; bounded, since each takes a socket of ours.
 */
import { connect } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { HostPort } from '../core/wire/index.ts';
import type { ServerLimits } from './limits.ts';
import { RecentSources } from './recent-sources.ts';

/** `fromHost`: the local address to dial from; undefined: as the route says. True: somebody took the connection. */
export type Dial = (to: HostPort, fromHost: string | undefined, timeoutMs: number) => Promise<boolean>;

export interface DialBackOptions {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  /** Another address of this server; null: it has none. */
  readonly secondAddress: string | null;
  /** For tests; default: a TCP connection that ends at once. */
  readonly dial?: Dial;
}

export interface DialledBack {
  readonly fromOtherPort: boolean;
  /** Null: there is no other address of that family. */
  readonly fromOtherAddress: boolean | null;
}

export class DialBack {
  readonly #options: DialBackOptions;
  readonly #recent: RecentSources;
  #running = 0;

  constructor(options: DialBackOptions) {
    this.#options = options;
    const { dialBackPauseMs, maxDialBacks } = options.limits;
    this.#recent = new RecentSources(dialBackPauseMs, maxDialBacks, options.clock);
  }

  /** Null at once when this address was dialled a moment ago, or too many are. */
  dial(client: HostPort, localHost: string): Promise<DialledBack> | null {
    const { limits, secondAddress, dial = dialOnce } = this.#options;
    const source = { host: client.host, port: 0 };
    if (client.port === 0 || this.#running >= limits.maxDialBacks || this.#recent.has(source)) return null;
    this.#recent.add(source);
    const other = secondAddress !== null && secondAddress !== localHost && isV6(secondAddress) === isV6(client.host) ? secondAddress : null;
    this.#running += 1;
    return Promise.all([
      dial(client, localHost || undefined, limits.dialBackMs),
      other === null ? null : dial(client, other, limits.dialBackMs),
    ])
      .then(([fromOtherPort, fromOtherAddress]) => ({ fromOtherPort, fromOtherAddress }))
      .finally(() => {
        this.#running -= 1;
      });
  }
}

function isV6(host: string): boolean {
  return host.includes(':');
}

const dialOnce: Dial = ({ host, port }, fromHost, timeoutMs) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, ...(fromHost === undefined ? {} : { localAddress: fromHost }) });
    const done = (arrived: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(arrived);
    };
    const timer = setTimeout(() => done(false), timeoutMs);
    socket.once('connect', () => done(true));
    // After a reset of a connection that stood, too.
    socket.on('error', () => done(false));
  });
