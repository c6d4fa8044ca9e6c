/**
 * Delay, bandwidth and loss on the way of a lab's host to the public segment, for kernels without netem: the host's cable
 * is cut where it enters the segment's bridge, and a user-space forwarder joins the two ends.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LineCounts, LineShape } from '../../src/core/testing/shaped-line.ts';
import { labUnavailable } from './availability.ts';
import { LAB_PATH, sh, trySh } from './shell.ts';

export interface DelayShape {
  /** From the host to the segment. */
  readonly up: LineShape;
  /** To the host; default as `up`. */
  readonly down?: LineShape;
  /** Of its losses; default 1. */
  readonly seed?: number;
}

export interface DirectionStats extends Readonly<LineCounts> {
  /** Time that frames spent in the queue in front of the bottleneck, in ms. */
  readonly queueDelayMs: {
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly max: number;
  };
}

/** Since the last time they were asked for. */
export interface DelayStats {
  readonly up: DirectionStats;
  readonly down: DirectionStats;
}

export type DelayCommand =
  | {
      readonly do: 'open';
      readonly name: string;
      readonly hostDevice: string;
      readonly segmentDevice: string;
      readonly shape: DelayShape;
    }
  | { readonly do: 'shape'; readonly name: string; readonly shape: DelayShape }
  | { readonly do: 'stats'; readonly name: string };

/** Null when delays can be put into labs here, else one sentence that says why not. */
export function delayUnavailable(): string | null {
  const noLab = labUnavailable();
  if (noLab !== null) return noLab;
  trySh('[ -e /dev/net/tun ] || { mkdir -p /dev/net; mknod /dev/net/tun c 10 200; }');
  try {
    closeSync(openSync('/dev/net/tun', 'r+'));
    return null;
  } catch {
    return 'this kernel has no TAP devices (/dev/net/tun)';
  }
}

/** All the delays of one lab: one forwarder process in the segment's namespace. */
export class DelayLines {
  readonly #segment: string;
  readonly #forwarder: ChildProcess;
  readonly #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  readonly #ports = new Map<string, string>();

  /** `segment`: the namespace that holds the bridge br0. Throws when the forwarder does not start. */
  constructor(segment: string) {
    this.#segment = segment;
    this.#forwarder = spawn(
      'nsenter',
      [
        `--net=/run/netns/${segment}`,
        process.execPath,
        '--no-warnings',
        join(import.meta.dirname, 'delay-forwarder.ts'),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, PATH: LAB_PATH } },
    );
    const lines = createInterface({ input: this.#forwarder.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      const answer = JSON.parse(line) as { value?: unknown; error?: string };
      const asked = this.#waiting.shift();
      if (answer.error === undefined) asked?.resolve(answer.value);
      else asked?.reject(new Error(answer.error));
    });
    const ended = (): void => {
      for (const asked of this.#waiting.splice(0)) asked.reject(new Error('the forwarder ended'));
    };
    this.#forwarder.once('exit', ended);
    this.#forwarder.once('error', ended);
    this.#forwarder.stdin?.on('error', ended);
  }

  /** Puts a delay into the cable that ends in `port` of the segment's bridge, or changes the one that is there. */
  async set(port: string, shape: DelayShape): Promise<void> {
    const known = this.#ports.get(port);
    if (known !== undefined) {
      await this.#ask({ do: 'shape', name: port, shape });
      return;
    }
    const number = this.#ports.size;
    this.#ports.set(port, port);
    const [hostDevice, segmentDevice, bridge] = [`dh${number}`, `ds${number}`, `db${number}`];
    await this.#ask({ do: 'open', name: port, hostDevice, segmentDevice, shape });
    sh(`
      ip -n ${this.#segment} link add ${bridge} type bridge
      ip -n ${this.#segment} link set ${port} master ${bridge}
      ip -n ${this.#segment} link set ${hostDevice} master ${bridge} up
      ip -n ${this.#segment} link set ${bridge} up
      ip -n ${this.#segment} link set ${segmentDevice} master br0 up
    `);
  }

  /** What went through that port since the last call. */
  async stats(port: string): Promise<DelayStats> {
    return (await this.#ask({ do: 'stats', name: port })) as DelayStats;
  }

  /** Ends the forwarder; its devices go with it, and the cables stay cut. */
  async close(): Promise<void> {
    if (this.#forwarder.exitCode !== null || this.#forwarder.signalCode !== null) return;
    const gone = once(this.#forwarder, 'exit');
    this.#forwarder.stdin?.end();
    await gone;
  }

  #ask(command: DelayCommand): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#forwarder.stdin?.write(`${JSON.stringify(command)}\n`);
    });
  }
}
