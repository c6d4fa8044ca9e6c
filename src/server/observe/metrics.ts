/** The server's numbers for Prometheus (docs/observability.md lists each). Counted at the decision, read at the scrape. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Detail, Reason } from './reasons.ts';
import { REASONS } from './reasons.ts';
import { watchEventLoop } from './event-loop-lag.ts';
import type { ReadyReport } from './ready.ts';
import type { Presence, ServerView } from './view.ts';

/** What a request for an introduction came to, by the name of its decision. */
const OUTCOMES: Partial<Record<Reason, string>> = {
  'introduced-tcp': 'tcp',
  'introduced-udp': 'udp',
  'introduced-local': 'local',
  'introduced-relay': 'relay',
  'punch-id-not-exist': 'unknown-id',
  'punch-offline': 'offline',
  'punch-license-mismatch': 'wrong-key',
  'punch-license-overuse': 'key-overuse',
  'punch-too-many': 'too-many',
  'punch-unanswered': 'unanswered',
};

const PRESENCES: readonly Presence[] = ['udp', 'tcp', 'ws', 'none'];

export class Metrics {
  readonly #registry = new Registry();
  readonly #stops: (() => void)[] = [];
  #observe: (reason: Reason, detail: Detail) => void = () => {};

  constructor(view: ServerView, ready: { readonly last: ReadyReport | null }) {
    const registers = [this.#registry];
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name: `litedesk_${name}`,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    new Gauge({ name: 'litedesk_build_info', help: 'Always 1; the labels say what runs.', labelNames: ['version', 'store'], registers }).set(
      { version: view.version, store: view.store().kind },
      1,
    );
    gauge('start_time_seconds', 'When the server started, Unix time.', () => view.startedAt / 1000);
    new Gauge({
      name: 'litedesk_peers',
      help: 'Computers in memory by how they are registered; transport="none" are offline.',
      labelNames: ['transport', 'state'],
      registers,
      async collect() {
        const census = await view.census();
        for (const transport of PRESENCES)
          this.set({ transport, state: transport === 'none' ? 'offline' : 'online' }, census[transport]);
      },
    });
    gauge('connections', 'TCP and WebSocket connections to all ports.', () => view.connections());
    gauge('requests_pending', 'Requests that wait for the answer of the controlled computer.', () => view.pendingRequests());
    gauge('relay_pairs', 'Sessions that the relay carries.', () => view.relay().pairs);
    gauge('relay_waiting', 'Connections that wait at the relay for their other half.', () => view.relay().waiting);
    new Gauge({
      name: 'litedesk_relay_up',
      help: 'Configured relays: 1 when it answers, 0 when not.',
      labelNames: ['relay'],
      registers,
      collect() {
        this.reset();
        for (const { address, alive } of view.relays()) if (alive !== null) this.set({ relay: address }, alive ? 1 : 0);
      },
    });
    gauge('store_rows', 'Computers in the store.', () => view.store().rows);
    gauge('store_connected', '1 when the store can be reached; 0 when a shared one is away.', () => (view.store().connected ? 1 : 0));
    gauge('lobby_peers', 'Clients of the lobby.', () => view.lobby() ?? 0);
    gauge('publishers', 'Connections of computers that publish services.', () => view.published()?.publishers ?? 0);
    gauge('published_services', 'Published ports and host names.', () => view.published()?.services ?? 0);
    gauge('published_connections', 'Connections from outside to published services.', () => view.published()?.connections ?? 0);
    gauge('ready', '1 when the last self-test passed, 0 when it failed, -1 before the first.', () =>
      ready.last === null ? -1 : ready.last.ok ? 1 : 0,
    );
    this.#process(registers);
    this.#counters(registers, view);
    this.#histograms(registers, view);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The page that Prometheus scrapes. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** How long something took that another process decided. */
  observe(reason: Reason, detail: Detail): void {
    this.#observe(reason, detail);
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#registry.clear();
  }

  #counters(registers: Registry[], view: ServerView): void {
    const totals = (name: string, help: string, label: string, read: () => Iterable<readonly [string, number]>): void => {
      new Counter({
        name: `litedesk_${name}`,
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset();
          for (const [value, count] of read()) this.inc({ [label]: value }, count);
        },
      });
    };
    const { counters } = view;
    const names = Object.keys(REASONS) as Reason[];
    const ofKind = (kind: string) => () =>
      names.filter((name) => REASONS[name].kind === kind).map((name) => [name, counters.of(name)] as const);
    totals('done_total', 'What the server did, by decision.', 'reason', ofKind('done'));
    totals('refusals_total', 'What the server refused, by reason.', 'reason', ofKind('refused'));
    totals('ignored_total', 'What the server dropped without a word, by reason.', 'reason', ofKind('ignored'));
    totals('ended_total', 'What came to its end, by reason.', 'reason', ofKind('ended'));
    totals('registrations_total', 'RegisterPk by result.', 'result', () =>
      names
        .filter((name) => name === 'registered' || name.startsWith('register-'))
        .map((name) => [name.replace('register-', ''), counters.of(name)] as const),
    );
    totals('introductions_total', 'Requests for a connection by outcome.', 'outcome', () =>
      (Object.entries(OUTCOMES) as [Reason, string][]).map(([name, outcome]) => [outcome, counters.of(name)] as const),
    );
    const total = (name: string, help: string, read: () => number): void => {
      new Counter({
        name: `litedesk_${name}`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    };
    total('relay_bytes_total', 'Bytes that the relay forwarded, both directions.', () => view.relay().bytes);
    total('published_bytes_total', 'Bytes of ended connections to published services, both directions.', () => view.published()?.bytes ?? 0);
    total('log_lines_suppressed_total', 'Log lines left out to bound the log.', () => view.suppressedLines());
  }

  #histograms(registers: Registry[], view: ServerView): void {
    const introduction = new Histogram({
      name: 'litedesk_introduction_seconds',
      help: 'From a request to the answer of the controlled computer, by outcome.',
      labelNames: ['outcome'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
      registers,
    });
    const registration = new Histogram({
      name: 'litedesk_registration_seconds',
      help: 'From RegisterPk to its OK, the write to the store included.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
      registers,
    });
    const relayWait = new Histogram({
      name: 'litedesk_relay_wait_seconds',
      help: 'How long the first half of a relayed session waited for the second.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
      registers,
    });
    const relaySession = new Histogram({
      name: 'litedesk_relay_session_seconds',
      help: 'How long relayed sessions lasted.',
      buckets: [1, 10, 60, 300, 1_800, 7_200, 28_800],
      registers,
    });
    const lag = new Histogram({
      name: 'litedesk_event_loop_lag_seconds',
      help: 'How late the event loop runs timers.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    });
    this.#observe = (reason, { ms }) => {
      if (ms === undefined) return;
      const outcome = OUTCOMES[reason];
      if (outcome !== undefined) introduction.observe({ outcome }, ms / 1000);
      else if (reason === 'registered') registration.observe(ms / 1000);
      else if (reason === 'relay-paired') relayWait.observe(ms / 1000);
      else if (reason === 'relay-ended') relaySession.observe(ms / 1000);
    };
    this.#stops.push(
      view.counters.onDecision((reason, detail) => this.#observe(reason, detail)),
      watchEventLoop((seconds) => lag.observe(seconds)),
    );
  }

  /** The process, under the names that dashboards know from other programs. */
  #process(registers: Registry[]): void {
    new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Memory of the process.',
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
    new Gauge({
      name: 'nodejs_heap_size_used_bytes',
      help: 'JavaScript heap in use.',
      registers,
      collect() {
        this.set(process.memoryUsage().heapUsed);
      },
    });
    new Counter({
      name: 'process_cpu_seconds_total',
      help: 'Processor time of the process.',
      registers,
      collect() {
        const { user, system } = process.cpuUsage();
        this.reset();
        this.inc((user + system) / 1e6);
      },
    });
  }
}
