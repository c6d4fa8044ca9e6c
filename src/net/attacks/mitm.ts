/** For tests: somebody on the wire between two real ends, who sees every frame and may do with it what he likes. */
import type { SignKeyPair } from '../../core/crypto/index.ts';
import { signKeyPair } from '../../core/crypto/index.ts';
import { LiteDeskError } from '../../core/errors.ts';
import type { LinkClose } from '../../core/link.ts';
import { PAYLOAD_LIMITS } from '../../core/link.ts';
import {
  type SecureControllerOptions,
  type SecuredLink,
  type SecureHostOptions,
  secureAsController,
  secureAsHost,
} from '../secure.ts';
import type { TcpLink } from '../tcp-link.ts';
import { tcpPair } from '../test-pairs.ts';

export const HOST_ID = '123456789';
export const CONTROLLER_ID = '987654321';

/** Keys of the honest ends and of the attacker, the same in every run. Crypto must be ready. */
export function testKeys(): { host: SignKeyPair; controller: SignKeyPair; attacker: SignKeyPair } {
  const pair = (seed: number): SignKeyPair => signKeyPair(new Uint8Array(32).fill(seed));
  return { host: pair(1), controller: pair(2), attacker: pair(3) };
}

/** The two legs, and all that passed. Without orders every frame goes on as it came. */
export class Mitm {
  readonly fromController: Uint8Array[] = [];
  readonly fromHost: Uint8Array[] = [];
  /** What to do with a frame and its number, from 0, in that direction. */
  onController: (payload: Uint8Array, index: number) => void = (payload) => this.toHost(payload);
  onHost: (payload: Uint8Array, index: number) => void = (payload) => this.toController(payload);
  readonly #controllerLeg: TcpLink;
  readonly #hostLeg: TcpLink;

  constructor(controllerLeg: TcpLink, hostLeg: TcpLink) {
    this.#controllerLeg = controllerLeg;
    this.#hostLeg = hostLeg;
    controllerLeg.setHandlers({
      onFrame: (payload) => this.onController(payload, this.fromController.push(payload) - 1),
      onClose: () => hostLeg.close(),
    });
    hostLeg.setHandlers({
      onFrame: (payload) => this.onHost(payload, this.fromHost.push(payload) - 1),
      onClose: () => controllerLeg.close(),
    });
  }

  toHost(payload: Uint8Array): void {
    this.#hostLeg.send(payload);
  }

  toController(payload: Uint8Array): void {
    this.#controllerLeg.send(payload);
  }

  /** Cuts both legs. */
  cut(): void {
    this.#controllerLeg.close();
    this.#hostLeg.close();
  }

  /** Whether these bytes passed in clear, inside of any frame. */
  saw(bytes: Uint8Array): boolean {
    const wanted = Buffer.from(bytes);
    return [...this.fromController, ...this.fromHost].some((frame) => Buffer.from(frame).includes(wanted));
  }
}

/** What became of one honest end. */
export class End {
  /** Present once the handshake was done. */
  link: SecuredLink | null = null;
  /** The code with which the handshake failed, or the link later. */
  code: string | null = null;
  readonly got: string[] = [];
  #waiting: (() => void)[] = [];

  settle(link: SecuredLink): void {
    this.link = link;
    link.setHandlers({
      onFrame: (payload) => {
        this.got.push(Buffer.from(payload).toString());
        this.#wake();
      },
      onClose: (close) => this.#closed(close),
    });
    this.#wake();
  }

  fail(error: unknown): void {
    this.code = error instanceof LiteDeskError ? error.code : `untyped: ${String(error)}`;
    this.#wake();
  }

  /** Resolves when `ready` is true; looked at after each event of this end. */
  async until(ready: () => boolean): Promise<void> {
    while (!ready()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when the handshake is done or has failed. */
  async settled(): Promise<void> {
    await this.until(() => this.link !== null || this.code !== null);
  }

  #closed(close: LinkClose): void {
    this.code = close.error instanceof LiteDeskError ? close.error.code : close.by;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

export interface Meeting {
  readonly mitm: Mitm;
  readonly controller: End;
  readonly host: End;
  /** Waits for both handshakes, done or failed. */
  settled(): Promise<void>;
  end(): Promise<void>;
}

export interface MeetingOptions {
  controller?: Partial<SecureControllerOptions>;
  host?: Partial<SecureHostOptions>;
  /** Tells the attacker what to do, before the first frame. */
  between?: (mitm: Mitm) => void;
}

/** A controller and a host, both with native links, and the attacker between them, over loopback sockets. */
export async function meet(options: MeetingOptions = {}): Promise<Meeting> {
  const stranger = { maxPayload: PAYLOAD_LIMITS.handshake };
  const [near, nearLeg, closeNear] = await tcpPair(stranger);
  const [far, farLeg, closeFar] = await tcpPair(stranger);
  const mitm = new Mitm(nearLeg as TcpLink, farLeg as TcpLink);
  options.between?.(mitm);
  const keys = testKeys();
  const [controller, host] = [new End(), new End()];
  secureAsHost(far, {
    id: HOST_ID,
    signSecretKey: keys.host.secretKey,
    allowPlaintext: false,
    native: { findSession: () => null },
    ...options.host,
  }).then(
    (link) => host.settle(link),
    (error: unknown) => host.fail(error),
  );
  secureAsController(near, {
    peerId: HOST_ID,
    hostKey: keys.host.publicKey,
    allowPlaintext: false,
    native: { identity: { id: CONTROLLER_ID, ...keys.controller } },
    ...options.controller,
  }).then(
    (link) => controller.settle(link),
    (error: unknown) => controller.fail(error),
  );
  return {
    mitm,
    controller,
    host,
    settled: async () => void (await Promise.all([controller.settled(), host.settled()])),
    end: async () => {
      for (const link of [near, far]) link.destroy();
      mitm.cut();
      await closeNear();
      await closeFar();
    },
  };
}

const open: Meeting[] = [];

/** Ends what `start` began; to be called after each test. */
export async function endMeetings(): Promise<void> {
  for (const meeting of open.splice(0)) await meeting.end();
}

/** `meet`, ended by endMeetings(). */
export async function start(options: MeetingOptions = {}): Promise<Meeting> {
  const meeting = await meet(options);
  open.push(meeting);
  return meeting;
}

/** What both ends come to, once both are done with their handshakes: codes, or `linked`. */
export async function outcome(
  options: MeetingOptions,
): Promise<{ meeting: Meeting; ends: [string, string] }> {
  const meeting = await start(options);
  await meeting.settled();
  const { controller, host } = meeting;
  return { meeting, ends: [controller.code ?? 'linked', host.code ?? 'linked'] };
}

/** Both ends linked through an attacker who did nothing yet. */
export async function linked(options: MeetingOptions = {}): Promise<Meeting> {
  const { meeting, ends } = await outcome(options);
  if (ends.some((end) => end !== 'linked')) throw new Error(`not linked: ${ends.join(', ')}`);
  return meeting;
}
