/**
 * The relay's end of the datagrams (docs/protocol.md, "The relay over UDP"): who opens a stream, who has shown that its address is
 * its own, and what belongs to whom. Whoever shows a ticket that names its address may be joined at once, others when they have
 * brought back what was sent to them.
 */
import type { Clock } from '../core/clock.ts';
import { type hbb, type HostPort, readRelayDatagram, RELAY_TRIPLE } from '../core/wire/index.ts';
import { isReset, resetPacket } from '../core/kcp/index.ts';
import type { UdpPath } from './client.ts';
import type { Counters } from './counters.ts';
import type { ServerLimits } from './limits.ts';
import type { Detail } from './observe/reasons.ts';
import { RelayFlow } from './relay-flow.ts';
import { KcpEnd } from './relay-kcp-end.ts';

/** ms after which the proof is asked for again, and twice as long each time: some six times in all. */
const ASK_AGAIN_MS = 60;

export interface RelayFlowsOptions<Named extends { readonly atTicketsAddress: boolean }> {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Whether that address gets nothing here. */
  readonly refuses: (host: string) => boolean;
  /** What an acceptable request names, else null. */
  readonly admit: (request: hbb.IRequestRelay, from: Detail) => Named | null;
  /** Takes over an end that may be joined. */
  readonly arrive: (named: Named, end: KcpEnd) => void;
}

interface Entry<Named> {
  readonly flow: RelayFlow;
  readonly end: KcpEnd;
  readonly named: Named;
  arrived: boolean;
  cancelTimer: () => void;
}

export class RelayFlows<Named extends { readonly atTicketsAddress: boolean }> {
  readonly #o: RelayFlowsOptions<Named>;
  readonly #flows = new Map<string, Entry<Named>>();
  /** Those that have not proven themselves, in the order in which they came. */
  readonly #unproven = new Set<Entry<Named>>();
  readonly #byHost = new Map<string, number>();
  #openings = 0;
  #openingsSince = 0;

  constructor(options: RelayFlowsOptions<Named>) {
    this.#o = options;
  }

  get size(): number {
    return this.#flows.size;
  }

  onDatagram(bytes: Uint8Array, from: HostPort, path: UdpPath): void {
    const read = readRelayDatagram(bytes);
    if (!read) return;
    const key = `${from.host} ${from.port}`;
    const entry = this.#flows.get(key);
    if (entry && entry.flow.conv === read.conv) return this.#handle(entry, read, bytes, path);
    if (read.kind === 'open') this.#open(key, read, { bytes: bytes.length, from, path });
    // What we have forgotten ends at the other side too; the answer is not longer than the question.
    else if (read.kind === 'stream' && !isReset(bytes))
      path.send(resetPacket(read.conv, RELAY_TRIPLE), from);
  }

  close(): void {
    for (const { end } of [...this.#flows.values()]) end.destroy();
  }

  #handle(entry: Entry<Named>, read: NonNullable<ReturnType<typeof readRelayDatagram>>, bytes: Uint8Array, path: UdpPath): void {
    const { flow } = entry;
    flow.received(bytes.length, path);
    switch (read.kind) {
      case 'open':
        return flow.ask();
      case 'proof':
        if (flow.prove(read.token)) this.#onProven(entry);
        return;
      case 'stream':
        return flow.deliver(bytes);
      default:
    }
  }

  #open(
    key: string,
    { conv, request }: { readonly conv: number; readonly request: hbb.IRequestRelay },
    { bytes, from, path }: { readonly bytes: number; readonly from: HostPort; readonly path: UdpPath },
  ): void {
    const { limits, clock, counters, refuses, admit } = this.#o;
    const detail: Detail = { from: from.host, via: 'kcp' };
    if (refuses(from.host)) return void counters.count('relay-blocked', detail);
    // One socket, one stream: who opens another has given the first one up.
    const before = this.#flows.get(key);
    if (before?.arrived) return;
    if (!this.#mayOpen(from.host)) return void counters.count('relay-too-many-openings', detail);
    const named = admit(request, detail);
    if (!named) return;
    before?.end.destroy();
    const flow = new RelayFlow({ conv, from, path, maxEarlyBytes: limits.relayEarlyBytes, onClosed: () => this.#forget(key, entry) });
    const end = new KcpEnd(flow, { clock, maxMessage: limits.maxRelayMessageBytes, maxUnsent: limits.relayBufferBytes });
    const entry: Entry<Named> = { flow, end, named, arrived: false, cancelTimer: () => {} };
    const since = clock.now();
    // Either of question and proof may be lost; whoever has heard of us does not open again.
    const askAgain = (afterMs: number): void => {
      const leftMs = since + limits.relayProofMs - clock.now();
      entry.cancelTimer = clock.setTimer(Math.min(afterMs, leftMs), () => {
        if (afterMs < leftMs) {
          flow.ask();
          return askAgain(2 * afterMs);
        }
        counters.count('relay-unproven', detail);
        end.destroy();
      });
    };
    askAgain(ASK_AGAIN_MS);
    this.#flows.set(key, entry);
    this.#unproven.add(entry);
    this.#byHost.set(from.host, (this.#byHost.get(from.host) ?? 0) + 1);
    flow.received(bytes, path);
    flow.ask();
    if (named.atTicketsAddress) this.#arrive(entry);
  }

  #mayOpen(host: string): boolean {
    const { limits, clock } = this.#o;
    const now = clock.now();
    if (now - this.#openingsSince >= 1_000) {
      this.#openingsSince = now;
      this.#openings = 0;
    }
    if (++this.#openings > limits.maxRelayOpeningsPerSecond || this.#flows.size >= limits.maxRelayFlows) return false;
    if ((this.#byHost.get(host) ?? 0) >= limits.maxRelayUnprovenPerAddress) return false;
    if (this.#unproven.size >= limits.maxRelayUnproven)
      for (const oldest of this.#unproven) {
        oldest.end.destroy();
        break;
      }
    return true;
  }

  #onProven(entry: Entry<Named>): void {
    this.#settle(entry);
    if (!entry.arrived) this.#arrive(entry);
  }

  #arrive(entry: Entry<Named>): void {
    entry.arrived = true;
    this.#o.arrive(entry.named, entry.end);
  }

  /** It does not count as unproven any more. */
  #settle(entry: Entry<Named>): void {
    entry.cancelTimer();
    if (!this.#unproven.delete(entry)) return;
    const { host } = entry.flow.from;
    const left = (this.#byHost.get(host) ?? 1) - 1;
    if (left > 0) this.#byHost.set(host, left);
    else this.#byHost.delete(host);
  }

  #forget(key: string, entry: Entry<Named>): void {
    this.#settle(entry);
    if (this.#flows.get(key) === entry) this.#flows.delete(key);
  }
}
