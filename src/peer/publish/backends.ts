/** The programs behind one published service: whose turn it is, and which of them answer at all. */
import { request } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import type { HostPort } from '../../core/wire/index.ts';
import { dialTcp, formatHostPort } from '../../net/index.ts';
import type { HealthCheck } from './service-spec.ts';

const CHECK_TIMEOUT_MS = 5_000;

interface Backend {
  readonly address: HostPort;
  healthy: boolean;
}

export interface BackendsOptions {
  readonly addresses: readonly HostPort[];
  readonly health: HealthCheck | null;
  readonly clock: Clock;
  /** Told when the last one fell out, and when the first one is back. */
  readonly onHealth: (healthy: boolean) => void;
  /** Others answer, or do not, than before. */
  readonly onChange: () => void;
}

export class Backends {
  readonly #o: BackendsOptions;
  readonly #backends: Backend[];
  readonly #abort = new AbortController();
  #cancel = (): void => {};
  #next = 0;

  constructor(options: BackendsOptions) {
    this.#o = options;
    this.#backends = options.addresses.map((address) => ({ address, healthy: true }));
  }

  get healthy(): boolean {
    return this.#backends.some(({ healthy }) => healthy);
  }

  /** Those that do not answer, as host:port. */
  get down(): string[] {
    return this.#backends.filter(({ healthy }) => !healthy).map(({ address }) => formatHostPort(address));
  }

  /** Those to try, in this order: the next one first, those that did not answer last. */
  take(): HostPort[] {
    const from = this.#next++ % this.#backends.length;
    const inTurn = [...this.#backends.slice(from), ...this.#backends.slice(0, from)];
    const healthy = inTurn.filter((backend) => backend.healthy);
    return (healthy.length > 0 ? healthy : inTurn).map(({ address }) => address);
  }

  /** Looks at all of them once, then regularly. Without a check all count as healthy. */
  async start(): Promise<void> {
    if (!this.#o.health) return;
    await this.#look();
  }

  close(): void {
    this.#abort.abort();
    this.#cancel();
  }

  async #look(): Promise<void> {
    const { health, clock, onHealth, onChange } = this.#o;
    if (!health || this.#abort.signal.aborted) return;
    const before = this.healthy;
    const down = this.down.join();
    await Promise.all(
      this.#backends.map(async (backend) => {
        backend.healthy = await this.#answers(backend.address, health);
      }),
    );
    if (this.#abort.signal.aborted) return;
    if (before !== this.healthy) onHealth(this.healthy);
    if (down !== this.down.join()) onChange();
    this.#cancel = clock.setTimer(health.intervalMs, () => void this.#look());
  }

  async #answers(address: HostPort, { path }: HealthCheck): Promise<boolean> {
    const { signal } = this.#abort;
    try {
      if (path !== null) return await answersHttp(address, path, signal);
      const socket = await dialTcp({ ...address, timeoutMs: CHECK_TIMEOUT_MS, signal, stage: 'session' });
      socket.destroy();
      return true;
    } catch {
      return false;
    }
  }
}

function answersHttp({ host, port }: HostPort, path: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, method: 'GET', agent: false, signal: AbortSignal.any([signal, AbortSignal.timeout(CHECK_TIMEOUT_MS)]) });
    asked.once('error', reject);
    asked.once('response', (response) => {
      response.resume();
      response.on('error', () => {});
      resolve((response.statusCode ?? 500) < 400);
      response.once('end', () => asked.destroy());
    });
    asked.end();
  });
}
