/** Two muxes over a link in memory, for tests. */
import { VirtualClock } from '../clock.ts';
import { type MemoryLink, memoryLinkPair, type MemoryLinkOptions } from '../memory-link.ts';
import type { StreamResetError } from './codes.ts';
import type { MuxEnd, MuxStream } from './contract.ts';
import type { MuxLimits } from './limits.ts';
import { Mux } from './mux.ts';
import type { AfterTurn } from './writer.ts';

export const WEB = { kind: 'tcp', host: 'web.example', port: 80 } as const;

export interface MuxPair {
  readonly clock: VirtualClock;
  readonly near: Mux;
  readonly far: Mux;
  readonly nearLink: MemoryLink;
  readonly farLink: MemoryLink;
  /** Streams that the far side was offered, in order. */
  readonly offered: MuxStream[];
  readonly ends: { near: MuxEnd | null; far: MuxEnd | null };
  readonly violations: string[];
  /** Lets everything that waits in the links arrive, both ways, until nothing is left. */
  settle(): void;
}

/** `near` connects, `far` accepts and keeps the streams in `offered`. */
export function muxPair(
  options: { near?: Partial<MuxLimits>; far?: Partial<MuxLimits>; link?: MemoryLinkOptions; auto?: boolean; afterTurn?: AfterTurn } = {},
): MuxPair {
  const clock = new VirtualClock();
  const [nearLink, farLink] = memoryLinkPair(options.link);
  nearLink.auto = options.auto ?? true;
  farLink.auto = options.auto ?? true;
  const offered: MuxStream[] = [];
  const ends: MuxPair['ends'] = { near: null, far: null };
  const violations: string[] = [];
  const turns = options.afterTurn ? { afterTurn: options.afterTurn } : {};
  const near = new Mux({ link: nearLink, clock, role: 'connecting', limits: options.near, ...turns });
  const far = new Mux({
    link: farLink,
    clock,
    role: 'accepting',
    limits: options.far,
    ...turns,
    onStream: (stream) => offered.push(stream),
  });
  near.on('closed', (end) => (ends.near = end));
  far.on('closed', (end) => (ends.far = end));
  for (const mux of [near, far]) mux.on('violation', ({ reason }) => violations.push(reason));
  return {
    clock,
    near,
    far,
    nearLink,
    farLink,
    offered,
    ends,
    violations,
    settle: () => {
      while (nearLink.flush() + farLink.flush() > 0);
    },
  };
}

/** What a stream did, collected by reading everything at once unless `paused`. */
export class StreamLog {
  readonly stream: MuxStream;
  readonly chunks: Uint8Array[] = [];
  paused: boolean;
  ended = false;
  /** Undefined while it is open. */
  error: StreamResetError | null | undefined = undefined;
  opened: string | null = null;
  drains = 0;

  constructor(stream: MuxStream, paused = false) {
    this.stream = stream;
    this.paused = paused;
    stream.setHandlers({
      onReadable: () => {
        if (!this.paused) this.readAll();
      },
      onDrain: () => this.drains++,
      onOpened: (address) => (this.opened = address),
      onClose: (error) => (this.error = error),
    });
  }

  readAll(): void {
    for (let chunk = this.stream.read(); chunk; chunk = this.stream.read()) this.chunks.push(chunk);
    this.ended = this.stream.ended;
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
