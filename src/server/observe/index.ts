/** Seeing the server work: one owner for metrics, decision log, self-test, status page and their HTTP port. */
import type { Clock } from '../../core/clock.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import { DecisionLog, type WriteLine } from './decision-log.ts';
import { createHttpHandler, type HttpHandler } from './http-handler.ts';
import { type HttpPort, openHttpPort } from './http-port.ts';
import { Metrics } from './metrics.ts';
import { type NumbersChannel, OtherWorkers, reportNumbers, type TimedDecision } from './numbers.ts';
import { Readiness, type SelfTest } from './ready.ts';
import { Status } from './status-picture.ts';
import { StatusStream } from './status-stream.ts';
import type { ServerView } from './view.ts';

export type { HttpHandler } from './http-handler.ts';
export type { ServerView } from './view.ts';

export interface ObserverOptions {
  readonly view: Omit<ServerView, 'suppressedLines' | 'counters'>;
  readonly counters: Counters;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly selfTest: SelfTest;
  readonly write?: WriteLine | undefined;
  readonly wholeIds: boolean;
  /** Whether anybody can look at all: else nothing is sampled. */
  readonly watched: boolean;
  /** This process is one of several; the first one has the numbers of all. */
  readonly workers?: { readonly isFirst: boolean; readonly channel: NumbersChannel } | undefined;
  /** Whoever shows it may see metrics and status page; '' : only programs on this computer, on the port of their own. */
  readonly token: string;
}

export class Observer {
  readonly readiness: Readiness;
  readonly #o: ObserverOptions;
  readonly #log: DecisionLog | null;
  readonly #metrics: Metrics;
  readonly #status: Status;
  readonly #stream: StatusStream;
  #port: HttpPort | null = null;
  #stopNumbers: () => void = () => {};

  constructor(options: ObserverOptions) {
    const { counters, limits, clock, write, wholeIds } = options;
    this.#o = options;
    this.#log = write ? new DecisionLog({ counters, limits, clock, write, wholeIds }) : null;
    const own: ServerView = { ...options.view, counters, suppressedLines: () => this.#log?.suppressed ?? 0 };
    const { workers } = options;
    const others = workers?.isFirst ? new OtherWorkers(clock, counters, (decision) => this.#onOther(decision)) : null;
    const view = others?.view(own) ?? own;
    if (workers && others) this.#stopNumbers = workers.channel.onNumbers((worker, numbers) => others.take(worker, numbers));
    else if (workers) this.#stopNumbers = reportNumbers(own, clock, (numbers) => workers.channel.send(numbers));
    this.readiness = new Readiness({
      test: options.selfTest,
      clock,
      cacheMs: limits.readyCacheMs,
      timeoutMs: limits.selfTestMs,
    });
    this.#metrics = new Metrics(view, this.readiness);
    this.#status = new Status({ view, clock, limits, ready: this.readiness, wholeIds, watched: options.watched });
    this.#stream = new StatusStream({
      clock,
      limits,
      first: () => this.#status.first(),
      next: () => this.#status.next(),
    });
  }

  /** The handler for a port that is open to others: health for everybody, the rest only with the token. */
  get publicHandler(): HttpHandler {
    return this.#handler(false);
  }

  /** Opens a port for it. `host` that is not loopback needs the token as well. @throws LiteDeskError */
  async listen(where: { readonly host: string; readonly port: number }): Promise<number> {
    this.#port = await openHttpPort(where, this.#o.limits, this.#handler(true));
    return this.#port.port;
  }

  async close(): Promise<void> {
    this.readiness.close();
    this.#stopNumbers();
    this.#stream.close();
    this.#status.close();
    this.#metrics.close();
    this.#log?.close();
    await this.#port?.close();
  }

  #onOther({ reason, ...detail }: TimedDecision): void {
    this.#metrics.observe(reason, detail);
    this.#status.note(reason, detail);
  }

  #handler(trustLoopback: boolean): HttpHandler {
    return createHttpHandler(
      { metrics: this.#metrics, readiness: this.readiness, status: this.#stream, counters: this.#o.counters },
      { token: this.#o.token, trustLoopback },
    );
  }
}
