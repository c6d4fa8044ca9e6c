/** One gateway and the protocols it speaks: asks by all of them at once, and takes the first that works. */
import type { Clock } from '../../core/clock.ts';
import type { RandomBytes } from '../../core/crypto/random.ts';
import { abortError } from '../errors.ts';
import type { ClientOptions } from './client.ts';
import { noPortMapping, portRefused, PortMapError } from './errors.ts';
import { IgdClient } from './igd-client.ts';
import { NatPmpClient } from './nat-pmp-client.ts';
import { PcpClient } from './pcp-client.ts';
import { PinholeClient } from './pinhole-client.ts';
import {
  type Gateway,
  type GatewayProtocol,
  type Grant,
  type MapperNetwork,
  MAPPING_VIAS,
  type MappingVia,
  type MappingWish,
  type ViaReport,
} from './types.ts';

/** What worked last time is asked so long before the others. */
const HEAD_START_MS = 500;
/** A protocol that did not work is not asked again for this long, or for as long as the gateway says. */
const FORGET_AFTER_MS = 5 * 60_000;
/** Taking back what was asked for and is not wanted any more may take so long. */
const TAKE_BACK_MS = 1_500;

export interface GatewaySiteOptions {
  readonly gateway: Gateway;
  readonly network: MapperNetwork;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly leaseS: number;
  readonly protocols: readonly MappingVia[];
  /** Ends everything that is under way, also what several wait for. */
  readonly signal: AbortSignal;
  readonly onReset: () => void;
  readonly onReport: () => void;
}

interface Known {
  readonly client: GatewayProtocol;
  report: ViaReport;
  /** Until when `report` stands, by the clock. */
  untilMs: number;
  probing: Promise<void> | null;
}

const NOT_ASKED: ViaReport = { state: 'not-asked', reason: '' };

export class GatewaySite {
  readonly gateway: Gateway;
  readonly #options: GatewaySiteOptions;
  readonly #known = new Map<MappingVia, Known>();
  /** Ports that are being taken back, by protocol and number. */
  readonly #takenBack = new Map<string, Promise<void>>();

  constructor(options: GatewaySiteOptions) {
    this.#options = options;
    this.gateway = options.gateway;
    for (const via of MAPPING_VIAS)
      if (options.protocols.includes(via)) this.#known.set(via, { client: newClient(via, options), report: NOT_ASKED, untilMs: 0, probing: null });
  }

  report(via: MappingVia): ViaReport {
    return this.#known.get(via)?.report ?? NOT_ASKED;
  }

  client(via: MappingVia): GatewayProtocol | null {
    return this.#known.get(via)?.client ?? null;
  }

  /** Resolves when every protocol has answered or has been given up. Rejects with ABORTED only. */
  async probeAll(): Promise<void> {
    await Promise.all([...this.#known.keys()].map((via) => this.#probe(via)));
  }

  /** Asks again where there was no answer: the gateway may have started by now. */
  reconsider(): void {
    for (const known of this.#known.values()) if (known.report.state === 'no-answer') known.report = NOT_ASKED;
  }

  /**
   * Makes the mapping by the first protocol that answers and grants it; `preferred` is asked before the others. Throws
   * PORT_MAP_REFUSED, PORT_MAP_NO_ANSWER, ABORTED.
   */
  async map(wish: MappingWish, preferred: MappingVia | null, signal: AbortSignal): Promise<{ grant: Grant; client: GatewayProtocol }> {
    await this.#takenBack.get(keyOf(wish));
    if (signal.aborted) throw abortError(signal, 'punch');
    const untried = new Set(this.#known.keys());
    const asked = new Map<MappingVia, Promise<MappingVia>>();
    const begin = (vias: Iterable<MappingVia>): void => {
      for (const via of [...vias]) if (untried.delete(via)) asked.set(via, this.#probe(via).then(() => via));
    };
    const reasons: { via: MappingVia; reason: string }[] = [];
    let cancelHeadStart = (): void => {};
    let onAbort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(abortError(signal, 'punch'));
      signal.addEventListener('abort', onAbort, { once: true });
    });
    let headStart: Promise<null> | null = null;
    if (preferred !== null && untried.has(preferred)) {
      begin([preferred]);
      headStart = new Promise((resolve) => {
        cancelHeadStart = this.#options.clock.setTimer(HEAD_START_MS, () => resolve(null));
      });
    } else begin(untried);
    try {
      while (asked.size > 0) {
        const via: MappingVia | null = await Promise.race([aborted, ...asked.values(), ...(headStart ? [headStart] : [])]);
        if (via !== null) {
          asked.delete(via);
          const client = this.#works(via);
          const grant = client && (await this.renew(client, wish, signal).catch((error: unknown) => this.#unlessRefused(error)));
          if (client && grant) return { grant, client };
          const { state, reason } = this.report(via);
          if (state === 'refused') reasons.push({ via, reason });
        }
        headStart = null;
        begin(untried);
      }
    } finally {
      cancelHeadStart();
      signal.removeEventListener('abort', onAbort);
    }
    throw reasons.length > 0 ? portRefused(this.gateway.address, reasons) : noPortMapping(this.gateway.address);
  }

  /** One mapping by one protocol; what comes of it is in the report. Throws PortMapError, ABORTED. */
  async renew(client: GatewayProtocol, wish: MappingWish, signal: AbortSignal): Promise<Grant> {
    try {
      return await client.map(wish, signal);
    } catch (error) {
      // The question is out: the gateway may say yes to somebody who does not listen any more.
      if (!(error instanceof PortMapError)) this.#takeBack(client, wish);
      this.#note(client.via, error);
      throw error;
    }
  }

  /** Resolves when nothing is being taken back. */
  async settled(): Promise<void> {
    await Promise.all(this.#takenBack.values());
  }

  #takeBack(client: GatewayProtocol, wish: MappingWish): void {
    const late = new AbortController();
    const cancel = this.#options.clock.setTimer(TAKE_BACK_MS, () => late.abort());
    const key = keyOf(wish);
    const work = client
      .unmap(wish, AbortSignal.any([this.#options.signal, late.signal]))
      // It ends by itself then.
      .catch(() => {})
      .finally(() => {
        cancel();
        if (this.#takenBack.get(key) === work) this.#takenBack.delete(key);
      });
    this.#takenBack.set(key, work);
  }

  #works(via: MappingVia): GatewayProtocol | null {
    const known = this.#known.get(via);
    return known?.report.state === 'works' ? known.client : null;
  }

  /** Asks once whether that protocol is spoken; what was found out lately stands. Rejects with ABORTED only. */
  #probe(via: MappingVia): Promise<void> {
    const known = this.#known.get(via);
    if (!known) return Promise.resolve();
    const { state } = known.report;
    if (state === 'works' || (state !== 'not-asked' && this.#options.clock.now() < known.untilMs)) return Promise.resolve();
    known.probing ??= known.client
      .probe(this.#options.signal)
      .then(
        () => this.#tell(known, { state: 'works', reason: '' }, 0),
        (error: unknown) => this.#note(via, error),
      )
      .finally(() => {
        known.probing = null;
      });
    return known.probing;
  }

  #unlessRefused(error: unknown): null {
    if (error instanceof PortMapError) return null;
    throw error;
  }

  /** Takes note of why a protocol failed; anything else, as an abort, is thrown on. */
  #note(via: MappingVia, error: unknown): void {
    if (!(error instanceof PortMapError)) throw error;
    const known = this.#known.get(via);
    if (known) this.#tell(known, { state: error.state, reason: error.message }, error.retryAfterMs);
  }

  #tell(known: Known, report: ViaReport, retryAfterMs: number): void {
    known.report = report;
    known.untilMs = this.#options.clock.now() + Math.max(FORGET_AFTER_MS, retryAfterMs);
    this.#options.onReport();
  }
}

function keyOf({ protocol, internalPort }: MappingWish): string {
  return `${protocol} ${internalPort}`;
}

function newClient(via: MappingVia, options: ClientOptions): GatewayProtocol {
  if (via === 'pcp') return new PcpClient(options);
  if (options.gateway.address.includes(':')) return new PinholeClient(options);
  return via === 'nat-pmp' ? new NatPmpClient(options) : new IgdClient(options);
}
