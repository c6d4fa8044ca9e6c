/** One port that is kept open: asked for, renewed at half its life, asked for again when the gateway forgot it. */
import type { Clock } from '../../core/clock.ts';
import type { RandomBytes } from '../../core/crypto/random.ts';
import { isPrivateHost } from '../endpoint.ts';
import { abortError } from '../errors.ts';
import { fraction } from './client.ts';
import { PortMapError } from './errors.ts';
import type { GatewaySite } from './gateway-site.ts';
import type { GatewayProtocol, Grant, Mapping, MappingVia, MappingWish } from './types.ts';

/** Nobody is asked more often than this, however short the life that it gives (RFC 6887 §11.2.1). */
const MIN_WAIT_MS = 4_000;
/** At the latest then, also where a mapping has no end. Longer timers do not exist in Node from 25 days on. */
const MAX_WAIT_MS = 12 * 3_600_000;
/** Back-off while a mapping that was there is lost: RFC 6887 §8.1.1, IRT and MRT. */
const FIRST_RETRY_MS = 3_000;
const MAX_RETRY_MS = 1_024_000;
const RETRY_SPREAD = 0.1;

export interface KeptMappingOptions {
  readonly wish: MappingWish;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly signal: AbortSignal;
  /** The gateway of now. Throws PORT_MAP_NO_GATEWAY, ABORTED. */
  readonly site: () => Promise<GatewaySite>;
  /** By what ports were opened last time. */
  readonly preferred: () => MappingVia | null;
  /** The gateway has been asked and said yes; the first time, or again. */
  readonly onHeld: () => void;
  /** It is another one now, or none any more, for that reason. Not called for the first one. */
  readonly onChange: (previous: Mapping | null, mapping: Mapping | null, reason: string) => void;
}

export class KeptMapping {
  readonly #options: KeptMappingOptions;
  #wish: MappingWish;
  #mapping: Mapping | null = null;
  #site: GatewaySite | null = null;
  #client: GatewayProtocol | null = null;
  /** The gateway seems to have forgotten it. */
  #doubted = false;
  #kicked = false;
  #everHeld = false;
  #wake = (): void => {};
  /** Resolves with the first mapping; rejects as the gateway does, and then nothing is kept. */
  readonly first: Promise<Mapping>;
  /** Resolves when it asks for nothing any more. */
  readonly ended: Promise<void>;

  constructor(options: KeptMappingOptions) {
    this.#options = options;
    this.#wish = options.wish;
    let ended = Promise.resolve();
    this.first = new Promise((resolve, reject) => {
      ended = this.#run(resolve).catch(reject);
    });
    this.ended = ended;
    // Who asked for it may be gone.
    this.first.catch(() => {});
  }

  get mapping(): Mapping | null {
    return this.#mapping;
  }

  /** What to ask the gateway for, with the port that it gave. */
  get wish(): MappingWish {
    return this.#wish;
  }

  /** Who holds it, and of which gateway. */
  get holder(): { site: GatewaySite; client: GatewayProtocol } | null {
    return this.#site && this.#client ? { site: this.#site, client: this.#client } : null;
  }

  /** Asks for it again now: the gateway may have forgotten it. */
  kick(): void {
    if (!this.#everHeld) return;
    this.#doubted = true;
    this.#kicked = true;
    this.#wake();
  }

  async #run(onFirst: (mapping: Mapping) => void): Promise<void> {
    const { signal, clock } = this.#options;
    let failures = 0;
    for (;;) {
      try {
        const grant = await this.#ask(failures > 0);
        failures = 0;
        onFirst(this.#adopt(grant));
        await this.#rest(Math.min(Math.max((grant.lifetimeS * 1000) / 2, MIN_WAIT_MS), MAX_WAIT_MS));
      } catch (error) {
        if (signal.aborted) throw abortError(signal, 'punch');
        // Nobody waits for a port that was never there.
        if (!this.#everHeld) throw error;
        failures += 1;
        const leftMs = (this.#mapping?.expiresMs ?? 0) - clock.now();
        const isGone = leftMs <= 0 || (this.#doubted && !(error instanceof PortMapError && error.state === 'no-answer'));
        if (this.#mapping && isGone) this.#lose(error instanceof Error ? error.message : String(error));
        await this.#rest(this.#doubted || isGone ? this.#retryMs(failures) : Math.max(leftMs / 2, MIN_WAIT_MS));
      }
      if (signal.aborted) throw abortError(signal, 'punch');
    }
  }

  async #ask(isRetry: boolean): Promise<Grant> {
    const { signal, preferred } = this.#options;
    const site = await this.#options.site();
    if (site !== this.#site) this.#client = null;
    this.#site = site;
    const held = this.#client;
    if (held) {
      try {
        return await site.renew(held, this.#wish, signal);
      } catch (error) {
        // Next time any protocol will do.
        if (error instanceof PortMapError) this.#client = null;
        throw error;
      }
    }
    if (isRetry) site.reconsider();
    const { grant, client } = await site.map(this.#wish, this.#mapping?.via ?? preferred(), signal);
    this.#client = client;
    return grant;
  }

  #adopt(grant: Grant): Mapping {
    const { clock, onHeld, onChange } = this.#options;
    const { protocol, internalPort } = this.#wish;
    const previous = this.#mapping;
    const { externalAddress, externalPort, lifetimeS } = grant;
    const mapping: Mapping = {
      protocol,
      internalPort,
      externalAddress,
      externalPort,
      via: this.#client?.via ?? 'pcp',
      expiresMs: clock.now() + lifetimeS * 1000,
      doubleNat: isPrivateHost(externalAddress),
    };
    const wasHeld = this.#everHeld;
    this.#everHeld = true;
    this.#mapping = mapping;
    this.#wish = { ...this.#wish, externalPort };
    this.#doubted = false;
    onHeld();
    const isSame = previous?.externalAddress === externalAddress && previous.externalPort === externalPort && previous.via === mapping.via;
    if (wasHeld && !isSame) onChange(previous, mapping, 'the gateway gave another one');
    return mapping;
  }

  #lose(reason: string): void {
    const previous = this.#mapping;
    this.#mapping = null;
    this.#options.onChange(previous, null, reason);
  }

  #retryMs(failures: number): number {
    const spread = 1 + RETRY_SPREAD * (2 * fraction(this.#options.random) - 1);
    return Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20), MAX_RETRY_MS) * spread;
  }

  /** Resolves after `ms`, when it is kicked, or with the end. */
  #rest(ms: number): Promise<void> {
    const { clock, signal } = this.#options;
    if (this.#kicked || signal.aborted) {
      this.#kicked = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        signal.removeEventListener('abort', done);
        this.#kicked = false;
        this.#wake = () => {};
        resolve();
      };
      const cancel = clock.setTimer(ms, done);
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
