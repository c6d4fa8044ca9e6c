/**
 * Keeps ports open at the gateway of this computer, by PCP, NAT-PMP or UPnP, whichever works. Sends nothing before it is
 * asked for a port or for what a crash left.
 */
import { type Clock, systemClock } from '../../core/clock.ts';
import { type RandomBytes, systemRandom } from '../../core/crypto/random.ts';
import { Emitter } from '../../core/emitter.ts';
import { abortError } from '../errors.ts';
import { isPrivateHost } from '../endpoint.ts';
import { noGateway, PortMapError, tooManyMappings } from './errors.ts';
import { GatewaySite } from './gateway-site.ts';
import { isAlive, MappingJournal, type OpenPort } from './journal.ts';
import { KeptMapping } from './kept-mapping.ts';
import { NONCE_BYTES } from './pcp.ts';
import { systemNetwork } from './system-network.ts';
import {
  type GatewayProtocol,
  type MappedProtocol,
  type MapperNetwork,
  type Mapping,
  MAPPING_VIAS,
  type MappingVia,
  type PortMapReport,
  type ViaReport,
} from './types.ts';
import { unlessAborted } from './unless-aborted.ts';
import { GatewayWatch } from './watch.ts';

/** Sessions need one port of each kind; gateways count them. */
const MAX_MAPPINGS = 16;
/** For how long ports are asked for: long enough to be quiet, short enough that what a crash leaves is gone the same day. */
const LEASE_S = 7_200;
/** Removing what is open may hold up the end of the program, and a first port, for so long. */
const STOP_MS = 1_500;
const LEFTOVERS_MS = 3_000;

export interface PortMapperOptions {
  /** Where to remember what is open, for the next run; null: nowhere. Written with mode 0600. */
  readonly stateFile: string | null;
  /** Its abort ends everything at once and leaves what is open to the next run; `stop()` removes it. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
  readonly network?: MapperNetwork;
  /** Default: all. */
  readonly protocols?: readonly MappingVia[];
  /** For how long ports are asked for at a time, in seconds. Default 7200. */
  readonly leaseS?: number;
  /** One line of diagnosis. */
  readonly log?: (line: string) => void;
  /** Unix time in ms. */
  readonly wallMs?: () => number;
  readonly isAlive?: (pid: number) => boolean;
  readonly pid?: number;
}

interface PortMapperEvents {
  /** A port outside is another one now. */
  changed: { previous: Mapping | null; mapping: Mapping };
  /** A port is not open any more; it is asked for again until it is given up. */
  lost: { previous: Mapping; reason: string };
  /** Something in `report()` is different. */
  report: void;
}

interface Kept {
  readonly kept: KeptMapping;
  readonly end: AbortController;
  /** Callers that wait for the first mapping. */
  waiting: number;
}

export class PortMapper extends Emitter<PortMapperEvents> {
  readonly #options: PortMapperOptions;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #network: MapperNetwork;
  readonly #journal: MappingJournal;
  readonly #watch: GatewayWatch;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #kept = new Map<string, Kept>();
  #site: Promise<GatewaySite> | null = null;
  #current: GatewaySite | null = null;
  #tidied: Promise<void> | null = null;
  /** Ports that are being closed. */
  readonly #closing = new Set<Promise<void>>();

  constructor(options: PortMapperOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#network = options.network ?? systemNetwork;
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#ended.signal]) : this.#ended.signal;
    const wallMs = options.wallMs ?? Date.now;
    this.#journal = new MappingJournal({
      path: options.stateFile,
      pid: options.pid ?? process.pid,
      isAlive: options.isAlive ?? isAlive,
      wallMs,
      log: (line) => this.#log(line),
    });
    this.#watch = new GatewayWatch({
      network: this.#network,
      clock: this.#clock,
      random: this.#random,
      wallMs,
      look: (doubtful) => this.#look(doubtful).catch((error: unknown) => this.#logError(error)),
    });
    this.#signal.addEventListener('abort', () => this.#watch.stop(), { once: true });
  }

  /**
   * Opens a port of the gateway that leads to `internalPort` of this computer, and keeps it open until `unmap` or `stop`. Asking
   * again for the same port gives the same mapping. Throws PORT_MAP_NO_GATEWAY, PORT_MAP_NO_ANSWER, PORT_MAP_REFUSED,
   * PORT_MAP_LIMIT, ABORTED; then nothing is kept.
   */
  async map(protocol: MappedProtocol, internalPort: number, signal?: AbortSignal): Promise<Mapping> {
    if (this.#signal.aborted) throw abortError(this.#signal, 'punch');
    if (signal?.aborted) throw abortError(signal, 'punch');
    const key = `${protocol} ${internalPort}`;
    let entry = this.#kept.get(key);
    if (!entry) {
      if (this.#kept.size >= MAX_MAPPINGS) throw tooManyMappings(MAX_MAPPINGS);
      entry = this.#keep(key, protocol, internalPort);
    }
    const { kept, end } = entry;
    entry.waiting += 1;
    try {
      const first = await unlessAborted(kept.first, signal);
      return kept.mapping ?? first;
    } finally {
      entry.waiting -= 1;
      // Others may wait for the same port, or have it.
      if (signal?.aborted && entry.waiting === 0 && kept.mapping === null) {
        if (this.#kept.get(key) === entry) this.#kept.delete(key);
        end.abort();
      }
    }
  }

  /** Closes the port again. Never throws: what cannot be removed ends by itself. */
  async unmap(protocol: MappedProtocol, internalPort: number): Promise<void> {
    const key = `${protocol} ${internalPort}`;
    const entry = this.#kept.get(key);
    if (!entry) return;
    this.#kept.delete(key);
    entry.end.abort();
    if (this.#kept.size === 0) this.#watch.stop();
    await this.#close([entry]);
    this.emit('report', undefined);
  }

  /** Asks by every protocol, without opening a port; then `report()` knows all of them. Throws PORT_MAP_NO_GATEWAY, ABORTED. */
  async probe(): Promise<PortMapReport> {
    const site = await this.#siteOf();
    await site.probeAll();
    return this.report();
  }

  /** The network of this computer may be another one now: looks, and asks for every port again where it is. */
  networkChanged(): void {
    if (this.#kept.size > 0) this.#watch.now();
  }

  report(): PortMapReport {
    const mappings = [...this.#kept.values()].flatMap(({ kept }) => (kept.mapping ? [kept.mapping] : []));
    const externalAddress = mappings[0]?.externalAddress ?? null;
    const protocols = Object.fromEntries(
      MAPPING_VIAS.map((via) => [via, this.#current?.report(via) ?? { state: 'not-asked', reason: '' }]),
    ) as Record<MappingVia, ViaReport>;
    return {
      gateway: this.#current?.gateway.address ?? null,
      externalAddress,
      doubleNat: externalAddress === null ? null : isPrivateHost(externalAddress),
      protocols,
      mappings,
    };
  }

  /** Removes what a run that crashed left open at the gateway of now; without such a thing nothing is sent. Never throws. */
  removeLeftovers(): Promise<void> {
    this.#tidied ??= this.#tidy();
    return this.#tidied;
  }

  /** Closes every port at the gateway, within 1.5 s, and ends. */
  async stop(): Promise<void> {
    if (this.#signal.aborted) return;
    const entries = [...this.#kept.values()];
    this.#kept.clear();
    this.#watch.stop();
    if (entries.length > 0) void this.#close(entries);
    // Those that were given up just before, too.
    await Promise.all(this.#closing);
    this.#ended.abort();
  }

  #keep(key: string, protocol: MappedProtocol, internalPort: number): Kept {
    const end = new AbortController();
    const kept = new KeptMapping({
      wish: { protocol, internalPort, externalPort: internalPort, nonce: this.#random(NONCE_BYTES) },
      clock: this.#clock,
      random: this.#random,
      signal: AbortSignal.any([this.#signal, end.signal]),
      site: async () => {
        await this.removeLeftovers();
        return this.#siteOf();
      },
      preferred: () => (this.#current ? this.#journal.preferred(this.#current.gateway.address) : null),
      onHeld: () => {
        this.#write();
        if (this.#current) this.#watch.start(this.#current.gateway);
        this.emit('report', undefined);
      },
      onChange: (previous, mapping, reason) => {
        if (mapping) this.emit('changed', { previous, mapping });
        else if (previous) this.emit('lost', { previous, reason });
        this.emit('report', undefined);
      },
    });
    const entry: Kept = { kept, end, waiting: 0 };
    this.#kept.set(key, entry);
    kept.first.catch(() => {
      if (this.#kept.get(key) === entry) this.#kept.delete(key);
    });
    return entry;
  }

  /** The gateway of now; looked for once, and again when the network changed. */
  #siteOf(): Promise<GatewaySite> {
    this.#site ??= this.#findSite().catch((error: unknown) => {
      this.#site = null;
      throw error;
    });
    return this.#site;
  }

  async #findSite(): Promise<GatewaySite> {
    const gateway = await this.#network.gateway();
    if (this.#signal.aborted) throw abortError(this.#signal, 'punch');
    if (!gateway) throw noGateway();
    this.#current = new GatewaySite({
      gateway,
      network: this.#network,
      clock: this.#clock,
      random: this.#random,
      leaseS: this.#options.leaseS ?? LEASE_S,
      protocols: this.#options.protocols ?? MAPPING_VIAS,
      signal: this.#signal,
      onReset: () => this.#kickAll(),
      onReport: () => this.emit('report', undefined),
    });
    return this.#current;
  }

  #kickAll(): void {
    for (const { kept } of this.#kept.values()) kept.kick();
  }

  /** Asks whether everything is still there, and asks for it again where it is not. */
  async #look(doubtful: boolean): Promise<void> {
    const gateway = await this.#network.gateway();
    const current = this.#current?.gateway;
    if (!gateway || !current || this.#signal.aborted) return;
    const isOther = gateway.address !== current.address || gateway.localAddress !== current.localAddress;
    if (isOther) {
      this.#log(`the gateway is ${gateway.address} now`);
      this.#site = null;
    }
    // Asking for all of it again is the one question that every gateway answers whole: some have a new address and do not say.
    if (isOther || doubtful) {
      this.#kickAll();
      return;
    }
    const byClient = new Map<GatewayProtocol, KeptMapping[]>();
    for (const { kept } of this.#kept.values()) {
      const { holder } = kept;
      if (holder && kept.mapping) byClient.set(holder.client, [...(byClient.get(holder.client) ?? []), kept]);
    }
    for (const [client, all] of byClient) {
      try {
        const outcome = await client.check(all.map(({ wish }) => wish), this.#signal);
        if (outcome === 'as-before') continue;
        this.#log(`the gateway forgot what was asked of it by ${client.via}, or has another address`);
        for (const kept of all) kept.kick();
      } catch (error) {
        // It may be starting just now: renewing tells, and the next look.
        if (!(error instanceof PortMapError)) throw error;
      }
    }
  }

  #close(entries: readonly Kept[]): Promise<void> {
    const work = this.#release(entries)
      .then((left) => this.#write(left))
      .finally(() => this.#closing.delete(work));
    this.#closing.add(work);
    return work;
  }

  /** Takes mappings away at their gateway; returns those of which it did not say that they are gone. */
  async #release(entries: readonly Kept[]): Promise<OpenPort[]> {
    for (const { end } of entries) end.abort();
    const open = new Set(entries);
    await this.#within(STOP_MS, (signal) =>
      Promise.all(
        entries.map(async (entry) => {
          const { holder, mapping, wish } = entry.kept;
          if (holder && mapping) await holder.client.unmap(wish, signal);
          open.delete(entry);
        }),
      ),
    );
    // What was just being asked for is taken back, too.
    await Promise.all(entries.map(({ kept }) => kept.ended));
    await this.#current?.settled();
    return [...open].flatMap(({ kept }) => openPorts(kept));
  }

  async #tidy(): Promise<void> {
    const left = this.#journal.leftovers();
    if (left.length === 0) return;
    await this.#within(LEFTOVERS_MS, async (signal) => {
      const site = await this.#siteOf();
      const { address, localAddress } = site.gateway;
      // Those of another network are kept for when this computer is back there.
      const here = left.filter((entry) => entry.gateway === address && entry.localAddress === localAddress);
      let closed = 0;
      await Promise.all(
        here.map(async (entry) => {
          const client = site.client(entry.via);
          if (!client) return;
          await client.unmap(entry, signal);
          this.#journal.forget([entry]);
          closed += 1;
        }),
      ).finally(() => {
        if (closed > 0) this.#log(`${closed} ports that the last run left open at ${address} are closed`);
      });
    });
  }

  #write(left: readonly OpenPort[] = []): void {
    const open = [...this.#kept.values()].flatMap(({ kept }) => openPorts(kept));
    const [first] = open;
    this.#journal.write([...open, ...left], first ? { gateway: first.gateway, via: first.via } : null);
  }

  /** Runs `work` with at most `ms`; what it throws is only worth a line. */
  async #within(ms: number, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const late = new AbortController();
    const cancel = this.#clock.setTimer(ms, () => late.abort());
    const signal = AbortSignal.any([this.#signal, late.signal]);
    try {
      await work(signal);
    } catch (error) {
      this.#logError(error);
    } finally {
      cancel();
    }
  }

  #log(line: string): void {
    this.#options.log?.(`port mapping: ${line}`);
  }

  #logError(error: unknown): void {
    if (!this.#signal.aborted) this.#log(error instanceof Error ? error.message : String(error));
  }
}

function openPorts({ holder, mapping, wish }: KeptMapping): OpenPort[] {
  if (!holder || !mapping) return [];
  const { address, localAddress } = holder.site.gateway;
  return [{ ...wish, gateway: address, localAddress, via: mapping.via }];
}
