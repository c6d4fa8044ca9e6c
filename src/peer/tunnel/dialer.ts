/**
 * The side that dials: takes the streams that a peer opens, asks the rules, resolves, connects and joins. The address that is
 * checked is the one that is dialled, so a name that changes its mind in between gains nothing.
 */
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { LiteDeskError } from '../../core/errors.ts';
import { formatTarget, type MuxStream, type StreamCode, type StreamTarget } from '../../core/mux/index.ts';
import { dialTcp, formatHostPort, resolveHost } from '../../net/index.ts';
import { dialCode } from './dial-code.ts';
import { join } from './join.ts';
import { DIAL_TIMEOUT_MS } from './limits.ts';
import type { Asker, RuleBook } from './rules.ts';
import { joinUdp } from './udp-dial.ts';

/** One line of the audit: written when a stream is refused, and when one that was allowed is over. */
export interface StreamAudit {
  readonly peerId: string;
  readonly proven: boolean;
  /** As it was asked for, `kind:host:port`. */
  readonly target: string;
  /** What was dialled; null when it did not come to that. */
  readonly address: string | null;
  readonly allowed: boolean;
  /** Null when it ended in order. */
  readonly code: StreamCode | null;
  readonly reason: string;
  /** From and to the peer. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ms: number;
}

/** The same for people. */
export function describeStream({ peerId, target, allowed, code, bytesIn, bytesOut, ms }: StreamAudit): string {
  if (!allowed) return `${peerId} was refused ${target} (${code})`;
  return `${peerId} used ${target} for ${(ms / 1000).toFixed(1)} s, ${bytesIn} bytes in, ${bytesOut} out${code ? ` (${code})` : ''}`;
}

export interface DialerOptions {
  readonly asker: Asker;
  readonly rules: () => RuleBook;
  readonly audit: (line: StreamAudit) => void;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** All addresses of a name; the system's resolver if absent. */
  readonly resolve?: (host: string, signal: AbortSignal) => Promise<readonly string[]>;
  /** Takes a stream to a service that is offered here by name; false: there is none. */
  readonly openService?: (name: string, stream: MuxStream) => boolean;
}

type DialTarget = Extract<StreamTarget, { kind: 'tcp' | 'udp' }>;

/** Why a stream is refused. */
class Refusal extends Error {
  readonly code: StreamCode;
  constructor(code: StreamCode, reason: string) {
    super(reason);
    this.code = code;
  }
}

export class Dialer {
  readonly #o: DialerOptions;

  constructor(options: DialerOptions) {
    this.#o = options;
  }

  /** Takes a stream that the peer opened. Never throws. */
  readonly take = (stream: MuxStream): void => {
    const startedAt = this.#o.now();
    const abort = new AbortController();
    let address: string | null = null;
    let allowed = false;
    // From here until it is joined, data waits in the stream; a reset ends the dialling.
    stream.setHandlers({ onClose: () => abort.abort() });
    const audit = (code: StreamCode | null, reason: string): void =>
      this.#o.audit({
        ...this.#o.asker,
        target: formatTarget(stream.target),
        address,
        allowed,
        code,
        reason,
        bytesIn: stream.bytesIn,
        bytesOut: stream.bytesOut,
        ms: Math.round(this.#o.now() - startedAt),
      });
    const over = (): void => audit(stream.closed?.error?.code ?? null, stream.closed?.error?.message ?? '');
    this.#open(stream, abort.signal, (dialled) => {
      allowed = true;
      address = dialled;
    }, over).catch((error: unknown) => {
      const refusal = asRefusal(error);
      // The peer gave up meanwhile: that is what the log should say.
      if (stream.closed) return over();
      stream.reset(refusal.code, refusal.message);
      audit(refusal.code, refusal.message);
    });
  };

  async #open(
    stream: MuxStream,
    signal: AbortSignal,
    onDialled: (address: string | null) => void,
    done: () => void,
  ): Promise<void> {
    const { target } = stream;
    if (target.kind === 'service') {
      if (!this.#o.rules().allowsService(this.#o.asker, target.name)) throw new Refusal('refused-by-rule', 'no rule allows it');
      if (!this.#o.openService?.(target.name, stream)) throw new Refusal('unknown-service', '');
      onDialled(null);
      return done();
    }
    if (target.kind === 'published') throw new Refusal('unknown-service', 'nothing is published here');
    const addresses = await this.#allowed(target, signal);
    onDialled(null);
    if (target.kind === 'udp') {
      const host = addresses[0] as string;
      const address = formatHostPort({ host, port: target.port });
      onDialled(address);
      await joinUdp(stream, host, target.port, done);
      stream.accept(address);
      return;
    }
    const socket = await dialFirst(addresses, target.port, signal);
    if (signal.aborted) {
      socket.resetAndDestroy();
      return done();
    }
    const address = formatHostPort({ host: socket.remoteAddress ?? '', port: target.port });
    onDialled(address);
    join(socket, stream, done);
    stream.accept(address);
  }

  /** The addresses of the target that the rules allow. */
  async #allowed(target: DialTarget, signal: AbortSignal): Promise<string[]> {
    const { asker } = this.#o;
    const { kind, host, port } = target;
    if (!this.#o.rules().mayAllow(asker, kind, host, port)) throw new Refusal('refused-by-rule', 'no rule allows it');
    const literal = isIP(host) !== 0;
    const resolve = this.#o.resolve ?? ((name, abort) => resolveHost(name, { signal: abort }));
    const found = literal ? [host] : await resolve(host, signal);
    const allowed = found.filter((address) => this.#o.rules().allows(asker, kind, host, address, port));
    if (allowed.length === 0)
      throw new Refusal('refused-by-rule', literal ? 'no rule allows it' : 'no rule allows the address of that name');
    return allowed;
  }
}

/** The first that answers, in the order of the resolver. */
async function dialFirst(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  let last: unknown = null;
  for (const host of addresses) {
    try {
      return await dialTcp({ host, port, timeoutMs: DIAL_TIMEOUT_MS, signal, stage: 'session' });
    } catch (error) {
      if (signal.aborted) throw error;
      last = error;
    }
  }
  throw last ?? new Refusal('unreachable', '');
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof LiteDeskError) return new Refusal(dialCode(error), '');
  return new Refusal('internal', error instanceof Error ? error.message : String(error));
}
