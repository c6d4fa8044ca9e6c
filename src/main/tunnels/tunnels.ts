/** The tunnels of this computer: their definitions in the settings, the ones that run, and what windows see of them. */
import type { Clock } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { LiteDeskError } from '../../core/errors.ts';
import type { AccessRule, StoredSecrets, Tunnel, TunnelSecrets } from '../../shared/tunnels.ts';
import { MAX_RULES, MAX_TUNNELS } from '../../shared/tunnels.ts';
import type { TunnelEntry, TunnelsState } from '../../shared/tunnels-state.ts';
import type { RunningTunnel, TunnelEngine } from './engine.ts';
import { STOPPED } from './engine.ts';
import { RateMeter } from './rate-meter.ts';

const SAMPLE_INTERVAL_MS = 1_000;

/** A definition as it is stored. */
export type StoredTunnel = Tunnel & { readonly secrets: StoredSecrets };

/** Where definitions are kept. */
export interface TunnelStore {
  readonly tunnels: readonly StoredTunnel[];
  readonly rules: readonly AccessRule[];
  change(change: { tunnels?: StoredTunnel[]; rules?: AccessRule[] }): void;
}

export interface TunnelsOptions {
  readonly store: TunnelStore;
  readonly engine: TunnelEngine;
  readonly clock: Clock;
  readonly viewers: TunnelsState['viewers'];
}

interface Running {
  readonly tunnel: RunningTunnel;
  readonly meter: RateMeter;
}

interface TunnelsEvents {
  /** Something that a window shows changed; counters and rates once a second. */
  changed: void;
}

export class Tunnels extends Emitter<TunnelsEvents> {
  readonly #options: TunnelsOptions;
  readonly #running = new Map<string, Running>();
  /** One change at a time for each tunnel: a port is free before it is listened on again. */
  readonly #busy = new Map<string, Promise<void>>();
  #removed: { stored: StoredTunnel; index: number } | null = null;
  #cancelSample: () => void = () => {};

  constructor(options: TunnelsOptions) {
    super();
    this.#options = options;
  }

  get state(): TunnelsState {
    const { store, viewers } = this.#options;
    return { tunnels: store.tunnels.map((stored) => this.#entry(stored)), rules: [...store.rules], viewers };
  }

  /** Tunnels that are up or on their way. */
  get running(): number {
    return this.#running.size;
  }

  /** Brings up what is to come up with the app. */
  start(): void {
    const { store, engine } = this.#options;
    engine.setRules(store.rules);
    for (const stored of store.tunnels) if (stored.run) this.#bringUp(stored);
    this.#sampleLater();
  }

  async stop(): Promise<void> {
    this.#cancelSample();
    await Promise.all([...this.#busy.values(), ...[...this.#running.keys()].map((id) => this.#bringDown(id))]);
  }

  /** Errors: TUNNELS_TOO_MANY. */
  async save(tunnel: Tunnel, secrets: TunnelSecrets): Promise<void> {
    const { store } = this.#options;
    const before = store.tunnels.find(({ id }) => id === tunnel.id);
    if (!before && store.tunnels.length >= MAX_TUNNELS) throw tooMany('tunnels', MAX_TUNNELS);
    // A password belongs to the computer it was given for.
    const known = before && peerOf(before) === peerOf(tunnel) ? before.secrets : { proxyPassword: before?.secrets.proxyPassword };
    const stored: StoredTunnel = { ...tunnel, secrets: defined({ ...known, ...secrets }) };
    store.change({ tunnels: before ? store.tunnels.map((other) => (other === before ? stored : other)) : [...store.tunnels, stored] });
    await this.#apply(stored);
  }

  /** Errors: TUNNEL_UNKNOWN. */
  async run(id: string, run: boolean): Promise<void> {
    const { store } = this.#options;
    const stored: StoredTunnel = { ...this.#stored(id), run };
    store.change({ tunnels: store.tunnels.map((other) => (other.id === id ? stored : other)) });
    await this.#apply(stored);
  }

  /** Errors: TUNNEL_UNKNOWN. */
  async remove(id: string): Promise<void> {
    const { store } = this.#options;
    const stored = this.#stored(id);
    this.#removed = { stored, index: store.tunnels.indexOf(stored) };
    store.change({ tunnels: store.tunnels.filter((other) => other !== stored) });
    await this.#apply({ ...stored, run: false });
  }

  /** Brings the tunnel back that was removed last. Errors: TUNNEL_UNKNOWN, TUNNELS_TOO_MANY. */
  async restore(id: string): Promise<void> {
    const { store } = this.#options;
    const removed = this.#removed;
    if (removed?.stored.id !== id) throw unknown();
    if (store.tunnels.length >= MAX_TUNNELS) throw tooMany('tunnels', MAX_TUNNELS);
    this.#removed = null;
    store.change({ tunnels: store.tunnels.toSpliced(removed.index, 0, removed.stored) });
    await this.#apply(removed.stored);
  }

  /** Errors: TUNNELS_TOO_MANY. */
  saveRule(rule: AccessRule): void {
    const { rules } = this.#options.store;
    const known = rules.some(({ id }) => id === rule.id);
    if (!known && rules.length >= MAX_RULES) throw tooMany('rules', MAX_RULES);
    this.#changeRules(known ? rules.map((other) => (other.id === rule.id ? rule : other)) : [...rules, rule]);
  }

  removeRule(id: string): void {
    this.#changeRules(this.#options.store.rules.filter((rule) => rule.id !== id));
  }

  /** Where the viewer of this tunnel is to connect. Errors: TUNNEL_UNKNOWN, TUNNEL_NOT_READY. */
  viewerOf(id: string): { kind: 'rdp' | 'vnc'; address: string } {
    const { kind } = this.#stored(id);
    const status = this.#running.get(id)?.tunnel.status;
    if ((kind !== 'rdp' && kind !== 'vnc') || status?.phase !== 'ready' || status.address === '') throw notReady();
    return { kind, address: status.address };
  }

  /** A password let us in at that peer: from now on its hash is kept instead. */
  signedIn(peer: string, peerPasswordHash: string): void {
    const { store } = this.#options;
    const keep = (stored: StoredTunnel): StoredTunnel =>
      peerOf(stored) === peer ? { ...stored, secrets: defined({ ...stored.secrets, peerPassword: undefined, peerPasswordHash }) } : stored;
    store.change({ tunnels: store.tunnels.map(keep) });
    for (const stored of store.tunnels)
      if (this.#running.get(stored.id)?.tunnel.status.phase === 'password' && peerOf(stored) === peer) void this.#apply(stored);
  }

  #changeRules(rules: AccessRule[]): void {
    const { store, engine } = this.#options;
    store.change({ rules });
    engine.setRules(rules);
    this.emit('changed', undefined);
  }

  #stored(id: string): StoredTunnel {
    const stored = this.#options.store.tunnels.find((each) => each.id === id);
    if (!stored) throw unknown();
    return stored;
  }

  #entry(stored: StoredTunnel): TunnelEntry {
    const { secrets, ...tunnel } = stored;
    const running = this.#running.get(stored.id);
    const { inBps, outBps } = running?.meter.history ?? STOPPED.rates;
    const status = running ? running.tunnel.status : STOPPED;
    return {
      tunnel,
      status: { ...status, id: stored.id, rates: { inBps: [...inBps], outBps: [...outBps] } },
      hasProxyPassword: (secrets.proxyPassword ?? '') !== '',
    };
  }

  /** Stops what runs under this id and starts it anew where it is to run. */
  async #apply(stored: StoredTunnel): Promise<void> {
    const { id } = stored;
    const done = (this.#busy.get(id) ?? Promise.resolve()).then(async () => {
      await this.#bringDown(id);
      if (stored.run) this.#bringUp(stored);
    });
    this.#busy.set(id, done);
    try {
      await done;
    } finally {
      if (this.#busy.get(id) === done) this.#busy.delete(id);
      this.emit('changed', undefined);
    }
  }

  #bringUp(stored: StoredTunnel): void {
    const { secrets, ...tunnel } = stored;
    const running = this.#options.engine.start(tunnel, secrets, () => this.emit('changed', undefined));
    this.#running.set(stored.id, { tunnel: running, meter: new RateMeter() });
  }

  async #bringDown(id: string): Promise<void> {
    const running = this.#running.get(id);
    this.#running.delete(id);
    await running?.tunnel.stop();
  }

  #sampleLater(): void {
    const { clock } = this.#options;
    this.#cancelSample = clock.setTimer(SAMPLE_INTERVAL_MS, () => {
      const now = clock.now();
      for (const { tunnel, meter } of this.#running.values()) meter.sample(now, tunnel.status.bytesIn, tunnel.status.bytesOut);
      if (this.#running.size > 0) this.emit('changed', undefined);
      this.#sampleLater();
    });
  }
}

function peerOf(tunnel: Tunnel): string {
  return tunnel.kind === 'publish' ? '' : tunnel.peer;
}

function defined(secrets: StoredSecrets): StoredSecrets {
  return Object.fromEntries(Object.entries(secrets).filter(([, value]) => value !== undefined && value !== ''));
}

function unknown(): LiteDeskError {
  return new LiteDeskError({
    code: 'TUNNEL_UNKNOWN',
    stage: 'usage',
    message: 'There is no such tunnel any more.',
    hint: 'Add it again.',
  });
}

function notReady(): LiteDeskError {
  return new LiteDeskError({
    code: 'TUNNEL_NOT_READY',
    stage: 'usage',
    message: 'The tunnel is not up.',
    hint: 'Start it, and wait until it is ready.',
  });
}

function tooMany(what: string, limit: number): LiteDeskError {
  return new LiteDeskError({
    code: 'TUNNELS_TOO_MANY',
    stage: 'usage',
    message: `There are ${limit} ${what} already.`,
    hint: 'Remove one that is not needed any more.',
  });
}
