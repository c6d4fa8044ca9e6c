/** Under which address a server sees a UDP socket of ours; the owner of the socket hands in what arrives there. */
import type { Clock } from '../core/clock.ts';
import { decodeRendezvous, encodeRendezvous, normalizeHost, unmangleAddress } from '../core/wire/index.ts';
import type { HostPort, hbb } from '../core/wire/index.ts';

/** When the question is sent, until it is answered; the first two repetitions are for a lost datagram, the others for a slow way. */
const SEND_AT_MS = [0, 90, 200, 400, 700] as const;
const SEEN_TIMEOUT_MS = 1_200;
/** As long as the longest answer: a server answers nothing that is longer than its question. */
const PADDING = new Uint8Array(64);

export interface Seen {
  /** `host` is '' where the server tells the port alone. */
  readonly address: HostPort;
  /** The other port from which this server can answer; null: it has none. */
  readonly otherPort: number | null;
  /** Another address of this server, which answers on the same port; null: it has none. */
  readonly otherAddress: string | null;
}

export interface AskOptions {
  readonly signal: AbortSignal;
  /** The answer is to come from the server's other port. */
  readonly fromPort?: number;
  /** The answer is to come from the server's other address. */
  readonly fromHost?: string;
  readonly timeoutMs?: number;
}

interface Waiting {
  readonly host: string;
  readonly port: number;
  readonly done: (seen: Seen | null) => void;
}

export class SeenAddress {
  readonly #send: (bytes: Uint8Array, to: HostPort) => void;
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();

  constructor(send: (bytes: Uint8Array, to: HostPort) => void, clock: Clock) {
    this.#send = send;
    this.#clock = clock;
  }

  /** Resolves to null when no answer comes in time or the signal aborts. */
  ask(server: HostPort, options: AskOptions): Promise<Seen | null> {
    const { signal, fromPort, fromHost, timeoutMs = SEEN_TIMEOUT_MS } = options;
    if (signal.aborted) return Promise.resolve(null);
    const request: hbb.ITestNatRequest = {
      ...{ wantAddress: true, padding: PADDING },
      ...(fromPort === undefined ? {} : { fromOtherPort: true }),
      ...(fromHost === undefined ? {} : { fromOtherAddress: true }),
    };
    const bytes = encodeRendezvous({ testNatRequest: request });
    return new Promise((resolve) => {
      const done = (seen: Seen | null): void => {
        this.#waiting.delete(waiting);
        for (const cancel of cancels) cancel();
        signal.removeEventListener('abort', onAbort);
        resolve(seen);
      };
      const onAbort = (): void => done(null);
      const waiting: Waiting = { host: normalizeHost(fromHost ?? server.host), port: fromPort ?? server.port, done };
      const cancels = [
        ...SEND_AT_MS.slice(1).map((atMs) => this.#clock.setTimer(atMs, () => this.#send(bytes, server))),
        this.#clock.setTimer(timeoutMs, () => done(null)),
      ];
      this.#waiting.add(waiting);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#send(bytes, server);
    });
  }

  /** True: it was an answer that somebody waited for. */
  handle(from: HostPort, bytes: Uint8Array): boolean {
    const found = [...this.#waiting].find(({ host, port }) => host === from.host && port === from.port);
    if (!found) return false;
    const seen = readSeen(bytes);
    if (!seen) return false;
    found.done(seen);
    return true;
  }
}

function readSeen(bytes: Uint8Array): Seen | null {
  try {
    const answer = decodeRendezvous(bytes).testNatResponse;
    if (!answer) return null;
    const { address, port = 0, otherPort = 0, otherAddress } = answer;
    const full = address?.length ? unmangleAddress(address) : { host: '', port: port ?? 0 };
    if (full.port === 0) return null;
    return {
      address: { host: full.host && normalizeHost(full.host), port: full.port },
      otherPort: otherPort || null,
      otherAddress: otherAddress?.length ? normalizeHost(unmangleAddress(otherAddress).host) : null,
    };
  } catch {
    return null;
  }
}
