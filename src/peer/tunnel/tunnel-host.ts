/** The tunnels that others have through this computer: virtual streams of LiteDesk peers, and tunnels as stock peers make them. */
import { isIP } from 'node:net';
import { pipeline } from 'node:stream';
import { systemClock } from '../../core/clock.ts';
import type { Link } from '../../core/link.ts';
import { formatTarget, Mux, type MuxStream } from '../../core/mux/index.ts';
import { PortForwardRefused, type PortForwardTarget } from '../../core/session/index.ts';
import type { TunnelRule } from './rule-text.ts';
import { dialTcp, formatHostPort, type NetLink, resolveHost } from '../../net/index.ts';
import { Dialer, type StreamAudit } from './dialer.ts';
import { Lookups } from './lookups.ts';
import { STOCK_DIAL_TIMEOUT_MS, STOCK_IDLE_MS } from './limits.ts';
import { type Asker, RuleBook } from './rules.ts';

export interface TunnelHostOptions {
  /** Each stream that was refused, and each that is over. */
  readonly audit: (line: StreamAudit) => void;
  /** A peer sent what no program that means well sends; the stream, or all of its streams, have ended. */
  readonly onViolation: (violation: StreamViolation) => void;
  /** Takes a stream to a service that is offered here by name; false: there is none. */
  readonly openService?: (name: string, stream: MuxStream) => boolean;
}

export interface StreamViolation extends Asker {
  readonly reason: string;
}

export function describeViolation({ peerId, reason }: StreamViolation): string {
  return `${peerId} broke the rules of virtual streams: ${reason}.`;
}

export interface PortForwardOptions {
  /** Becomes raw once the target is connected. */
  readonly link: NetLink;
  readonly asker: Asker;
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
  /** The tunnel, once started, is over. */
  readonly onEnd: () => void;
}

export class TunnelHost {
  readonly #o: TunnelHostOptions;
  readonly #lookups = new Lookups();
  #rules = new RuleBook([]);

  constructor(options: TunnelHostOptions) {
    this.#o = options;
  }

  /** From now on; streams that are open stay. */
  setRules(rules: readonly TunnelRule[]): void {
    this.#rules = new RuleBook(rules);
  }

  /** Takes the streams of one session from here on. The mux ends with its link. */
  attach(link: Link, asker: Asker, deadMs?: number): Mux {
    const dialer = new Dialer({
      asker,
      rules: () => this.#rules,
      audit: this.#o.audit,
      now: () => systemClock.now(),
      resolve: (host, signal) => resolveHost(host, { signal, lookup: this.#lookups.of(asker.peerId) }),
      ...(this.#o.openService ? { openService: this.#o.openService } : {}),
    });
    const mux = new Mux({
      link,
      clock: systemClock,
      role: 'accepting',
      onStream: dialer.take,
      afterTurn: setImmediate,
      ...(deadMs === undefined ? {} : { limits: { deadMs } }),
    });
    mux.on('violation', ({ reason }) => this.#o.onViolation({ ...asker, reason }));
    return mux;
  }

  /**
   * A tunnel as stock peers make them: one login, one TCP connection, raw bytes from then on (session §7). Throws
   * PortForwardRefused when no rule allows it, else what kept the target from being reached.
   */
  async portForward(options: PortForwardOptions): Promise<PortForwardTarget> {
    const { link, asker, host, port, signal } = options;
    const startedAt = systemClock.now();
    const target = formatTarget({ kind: 'tcp', host, port });
    const audit = (line: Pick<StreamAudit, 'address' | 'allowed' | 'code' | 'reason' | 'bytesIn' | 'bytesOut'>): void =>
      this.#o.audit({ ...asker, target, ...line, ms: Math.round(systemClock.now() - startedAt) });
    const nothing = { address: null, bytesIn: 0, bytesOut: 0 };
    const refuse = (): never => {
      audit({ ...nothing, allowed: false, code: 'refused-by-rule', reason: 'no rule allows it' });
      throw new PortForwardRefused(target);
    };
    if (!this.#rules.mayAllow(asker, 'tcp', host, port)) return refuse();
    const found = isIP(host) ? [host] : await resolveHost(host, { signal, timeoutMs: STOCK_DIAL_TIMEOUT_MS, lookup: this.#lookups.of(asker.peerId) });
    const address = found.find((candidate) => this.#rules.allows(asker, 'tcp', host, candidate, port));
    if (address === undefined) return refuse();
    const socket = await dialTcp({ host: address, port, timeoutMs: STOCK_DIAL_TIMEOUT_MS, signal, stage: 'session' }).catch(
      (error: unknown) => {
        audit({ ...nothing, address, allowed: true, code: 'unreachable', reason: (error as Error).message });
        throw error;
      },
    );
    return {
      start: () => {
        const raw = link.takeRaw();
        socket.setTimeout(STOCK_IDLE_MS, () => socket.destroy());
        // The end of either half ends the whole (session §7.8).
        pipeline(raw, socket, raw, (error) => {
          audit({
            address: formatHostPort({ host: address, port }),
            allowed: true,
            code: error ? 'target-reset' : null,
            reason: error?.message ?? '',
            bytesIn: socket.bytesWritten,
            bytesOut: socket.bytesRead,
          });
          options.onEnd();
        });
      },
      cancel: () => socket.destroy(),
    };
  }
}
