/** When to look whether a gateway still is as it was: now and then, when it says that it started, after a sleep. */
import type { Clock } from '../../core/clock.ts';
import type { RandomBytes } from '../../core/crypto/random.ts';
import { fraction } from './client.ts';
import { decodeNatPmp } from './nat-pmp.ts';
import { ANNOUNCE_GROUP, ANNOUNCE_GROUP6, ANNOUNCE_PORT, decodePcp } from './pcp.ts';
import type { Gateway, MapperNetwork, UdpDoor } from './types.ts';

const EVERY_MS = 60_000;
/** The wall clock ahead of the timers by this: the computer slept, and what was open may be gone. */
const SLEPT_MS = 30_000;
/** All computers hear a gateway start: each waits up to this long (RFC 6887 §14.1.3). */
const ANNOUNCE_SPREAD_MS = 5_000;
/** Announcements can be forged: they make us look, but no more often than this. */
const ANNOUNCE_PAUSE_MS = 10_000;

export interface GatewayWatchOptions {
  readonly network: MapperNetwork;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Unix time in ms. */
  readonly wallMs: () => number;
  /** Looks; never rejects. `doubtful`: there is a reason to think that something changed. */
  readonly look: (doubtful: boolean) => Promise<void>;
}

export class GatewayWatch {
  readonly #options: GatewayWatchOptions;
  #gateway: Gateway | null = null;
  #door: UdpDoor | null = null;
  #cancel = (): void => {};
  #cancelAnnounced = (): void => {};
  #announcedMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;
  #again = false;

  constructor(options: GatewayWatchOptions) {
    this.#options = options;
  }

  /** Begins, or goes on with another gateway. */
  start(gateway: Gateway): void {
    if (this.#gateway === gateway) return;
    this.stop();
    this.#gateway = gateway;
    this.#tick();
    const group = { host: gateway.address.includes(':') ? ANNOUNCE_GROUP6 : ANNOUNCE_GROUP, port: ANNOUNCE_PORT };
    this.#options.network.openUdp(gateway.localAddress, group).then(
      (door) => {
        if (this.#gateway !== gateway) {
          door.close();
          return;
        }
        this.#door = door;
        door.onDatagram((bytes, from) => {
          if (from.host === gateway.address && isAnnouncement(bytes)) this.#announced();
        });
      },
      // Without announcements a restart is seen at the next look.
      () => {},
    );
  }

  stop(): void {
    this.#gateway = null;
    this.#cancel();
    this.#cancelAnnounced();
    this.#door?.close();
    this.#door = null;
  }

  /** Looks now, or once more when it is just looking. */
  now(doubtful = true): void {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = this.#options.look(doubtful).finally(() => {
      this.#looking = null;
      if (this.#again && this.#gateway) this.now();
      this.#again = false;
    });
  }

  #tick(): void {
    const { clock, wallMs } = this.#options;
    const startedMs = clock.now();
    const wallStartedMs = wallMs();
    this.#cancel = clock.setTimer(EVERY_MS, () => {
      const slept = wallMs() - wallStartedMs - (clock.now() - startedMs) > SLEPT_MS;
      this.#tick();
      this.now(slept);
    });
  }

  #announced(): void {
    const { clock, random } = this.#options;
    if (clock.now() - this.#announcedMs < ANNOUNCE_PAUSE_MS) return;
    this.#announcedMs = clock.now();
    this.#cancelAnnounced = clock.setTimer(fraction(random) * ANNOUNCE_SPREAD_MS, () => this.now());
  }
}

/** What a gateway sends to all when it starts or its address changed (RFC 6887 §14.1.2, RFC 6886 §3.2.1). */
function isAnnouncement(bytes: Uint8Array): boolean {
  for (const isOne of [() => decodePcp(bytes).opcode === 'announce', () => decodeNatPmp(bytes).kind === 'address']) {
    try {
      if (isOne()) return true;
    } catch {
      // Not in this protocol.
    }
  }
  return false;
}
