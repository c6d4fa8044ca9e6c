/** Ethernet devices whose other end is this process (Linux TAP), by the C library: Node itself has no ioctl and no poll. */
import { constants, openSync } from 'node:fs';
import { createRequire } from 'node:module';

/** linux/if_tun.h, linux/if.h, asm-generic. */
const TUNSETIFF = 0x400454ca;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_AT = 16;
const POLLIN = 1;
const POLLFD_BYTES = 8;
const PR_SET_TIMERSLACK = 29;

type CFunction = (...args: unknown[]) => number;
interface LibC {
  readonly ioctl: CFunction;
  readonly read: CFunction;
  readonly write: CFunction;
  readonly ppoll: CFunction;
  readonly prctl: CFunction;
}
let loaded: LibC | undefined;

function libc(): LibC {
  if (loaded === undefined) {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load('libc.so.6');
    const declare = (prototype: string): CFunction => library.func(prototype) as CFunction;
    loaded = {
      ioctl: declare('int ioctl(int fd, unsigned long request, void *argument)'),
      read: declare('long read(int fd, void *buffer, unsigned long length)'),
      write: declare('long write(int fd, void *buffer, unsigned long length)'),
      ppoll: declare('int ppoll(void *fds, unsigned long count, void *timeout, void *mask)'),
      prctl: declare('int prctl(int option, unsigned long value)'),
    };
  }
  return loaded;
}

/** Makes the device `name` in the network namespace of this process; it lives as long as the descriptor. */
export function openTap(name: string): number {
  const fd = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name);
  request.writeUInt16LE(IFF_TAP | IFF_NO_PI, IFREQ_FLAGS_AT);
  if (libc().ioctl(fd, TUNSETIFF, request) !== 0) throw new Error(`the system makes no TAP device ${name}`);
  return fd;
}

/** Reads one frame into `buffer`; returns its length, 0 or less when none waits. */
export function readFrame(fd: number, buffer: Uint8Array): number {
  return libc().read(fd, buffer, buffer.length);
}

/** A frame that the system does not take is lost, as on a wire. */
export function writeFrame(fd: number, frame: Uint8Array): void {
  libc().write(fd, frame, frame.length);
}

/** Waits for one of several descriptors to have something to read. */
export class ReadPoll {
  readonly #fds: Buffer;
  readonly #count: number;
  readonly #timeout = Buffer.alloc(16);

  constructor(fds: readonly number[]) {
    this.#count = fds.length;
    this.#fds = Buffer.alloc(fds.length * POLLFD_BYTES);
    for (const [index, fd] of fds.entries()) {
      this.#fds.writeInt32LE(fd, index * POLLFD_BYTES);
      this.#fds.writeInt16LE(POLLIN, index * POLLFD_BYTES + 4);
    }
    // Waits end when they should, not up to 50 µs later.
    libc().prctl(PR_SET_TIMERSLACK, 1);
  }

  /** Blocks for at most `timeoutMs` (Infinity: for ever). */
  wait(timeoutMs: number): void {
    const ns = Number.isFinite(timeoutMs) ? BigInt(Math.max(0, Math.floor(timeoutMs * 1e6))) : -1n;
    if (ns >= 0n) {
      this.#timeout.writeBigInt64LE(ns / 1_000_000_000n, 0);
      this.#timeout.writeBigInt64LE(ns % 1_000_000_000n, 8);
    }
    libc().ppoll(this.#fds, this.#count, ns >= 0n ? this.#timeout : null, null);
  }

  /** Whether the descriptor at this place of the list had something, or was at its end, after the last wait. */
  ready(index: number): boolean {
    return this.#fds.readInt16LE(index * POLLFD_BYTES + 6) !== 0;
  }
}
