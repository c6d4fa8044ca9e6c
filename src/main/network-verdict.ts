/** What kind of network this computer is in: tested with its server when that is there, and again when the network changed. */
import type { Clock } from '../core/clock.ts';
import type { NatReport } from '../core/nat/report.ts';
import { NetworkWatch } from '../net/network-watch.ts';
import { probeNetwork } from '../peer/network-probe.ts';
import type { Peer } from '../peer/peer.ts';

/** Nothing in the test takes longer. */
const PROBE_TIMEOUT_MS = 10_000;
/** A change of networks comes in several steps. */
const SETTLE_MS = 2_000;

export interface NetworkVerdictOptions {
  readonly peer: Pick<Peer, 'on' | 'server'>;
  readonly clock: Clock;
  readonly onChange: () => void;
  /** For tests; default: the real one. */
  readonly probe?: typeof probeNetwork;
  /** For tests; default: this computer's interfaces. */
  readonly look?: () => string;
}

export class NetworkVerdict {
  readonly #options: NetworkVerdictOptions;
  readonly #watch: NetworkWatch;
  readonly #off: () => void;
  #report: NatReport | null = null;
  #abort = new AbortController();
  #cancel: () => void = () => {};

  constructor(options: NetworkVerdictOptions) {
    this.#options = options;
    this.#off = options.peer.on('registered', () => this.#test());
    this.#watch = new NetworkWatch({
      clock: options.clock,
      ...(options.look ? { look: options.look } : {}),
      onChange: () => {
        this.#set(null);
        this.#cancel();
        this.#cancel = options.clock.setTimer(SETTLE_MS, () => this.#test());
      },
    });
  }

  /** Null while it is not known. */
  get report(): NatReport | null {
    return this.#report;
  }

  close(): void {
    this.#off();
    this.#cancel();
    this.#watch.close();
    this.#abort.abort();
  }

  #test(): void {
    const { peer, probe = probeNetwork } = this.#options;
    const { server } = peer;
    this.#abort.abort();
    if (!server) return;
    const { signal } = (this.#abort = new AbortController());
    probe(server, server.single ? 'one' : 'two', AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)])).then(
      (report) => {
        if (!signal.aborted) this.#set(report);
      },
      // A network that cannot be tested is not worth a word.
      () => {},
    );
  }

  #set(report: NatReport | null): void {
    if (report === this.#report) return;
    this.#report = report;
    this.#options.onChange();
  }
}
