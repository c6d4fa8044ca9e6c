/**
 * Relay tickets: a statement, signed with the server's key, that the server introduced one side of one uuid. A relay that
 * knows the public key checks them without asking anybody. A ticket is good for a minute, for its side, once.
 */
import { openCombined, SIGNATURE_BYTES, signCombined } from '../core/crypto/index.ts';
import { decodeAs, encodeAs, hbb } from '../core/wire/index.ts';
import type { Clock } from '../core/clock.ts';
import type { ServerLimits } from './limits.ts';

/** 1: the controller, 2: the controlled side, 0: what a server tells a relay about both. */
export type TicketSide = 0 | 1 | 2;
export const CONTROLLER = 1;
export const CONTROLLED = 2;

export interface Ticket {
  readonly uuid: string;
  readonly side: TicketSide;
  /** Unix time in seconds. */
  readonly expires: number;
  readonly hosts: readonly string[];
}

/** The same key signs ids and box keys: no protobuf message and nothing of 32 bytes begins like this. */
const PREFIX = new Uint8Array(Buffer.from('LiteDesk relay ticket 1\0'));
/** Seconds that a ticket is good for: as long as a stock controller waits for an answer, three times. */
export const TICKET_LIFETIME_S = 60;
/** Seconds by which the clocks of server and relay may differ. */
const MAX_SKEW_S = 60;
/** A ticket with a long uuid and two long addresses. */
const MAX_TICKET_BYTES = 600;

/** Signs a ticket. `secretKey` has 64 bytes; `nowMs` is Unix time. */
export function sealTicket(
  ticket: { uuid: string; side: TicketSide; hosts?: readonly string[] },
  secretKey: Uint8Array,
  nowMs: number,
): Uint8Array {
  const { uuid, side, hosts = [] } = ticket;
  const expires = Math.floor(nowMs / 1000) + TICKET_LIFETIME_S;
  const body = encodeAs(hbb.RelayTicket, { uuid, side, expires, hosts: [...hosts] });
  return signCombined(Buffer.concat([PREFIX, body]), secretKey);
}

export type TicketFault = 'forged' | 'expired';

/** The ticket, or why it is none. `publicKeys` are those that this relay trusts; `nowMs` is Unix time. */
export function openTicket(sealed: Uint8Array, publicKeys: readonly Uint8Array[], nowMs: number): Ticket | TicketFault {
  if (sealed.length <= SIGNATURE_BYTES + PREFIX.length || sealed.length > MAX_TICKET_BYTES) return 'forged';
  // Before the costly check: whatever does not even begin like one.
  if (Buffer.compare(sealed.subarray(SIGNATURE_BYTES, SIGNATURE_BYTES + PREFIX.length), PREFIX) !== 0) return 'forged';
  for (const publicKey of publicKeys) {
    const text = openCombined(sealed, publicKey);
    if (!text) continue;
    try {
      const { uuid, side, expires, hosts } = decodeAs<hbb.RelayTicket>(hbb.RelayTicket, text.subarray(PREFIX.length), 100);
      if (uuid === '' || (side !== 0 && side !== CONTROLLER && side !== CONTROLLED)) return 'forged';
      const nowS = nowMs / 1000;
      // One from far ahead was made by a clock that is wrong, and would be remembered for ever.
      if (expires + MAX_SKEW_S < nowS || expires > nowS + TICKET_LIFETIME_S + MAX_SKEW_S) return 'expired';
      return { uuid, side, expires, hosts: [...hosts] };
    } catch {
      return 'forged';
    }
  }
  return 'forged';
}

/** Which tickets were shown already. */
export class UsedTickets {
  readonly #shown = new Map<string, { readonly until: number; readonly by: string }>();
  readonly #limits: ServerLimits;
  readonly #clock: Clock;

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#shown.size;
  }

  /**
   * `again`: the same address has shown it before, as one does who comes by several ways at once. When full, a new ticket is
   * refused rather than an old one forgotten: that would be a replay.
   */
  use(ticket: Ticket, by: string): 'first' | 'again' | 'refused' {
    const key = `${ticket.side}${ticket.uuid}`;
    const known = this.#shown.get(key);
    if (known) return known.by === by ? 'again' : 'refused';
    if (this.#shown.size >= this.#limits.maxUsedTickets) {
      this.expire();
      if (this.#shown.size >= this.#limits.maxUsedTickets) return 'refused';
    }
    this.#shown.set(key, { until: this.#clock.now() + (TICKET_LIFETIME_S + 2 * MAX_SKEW_S) * 1000, by });
    return 'first';
  }

  /** All live for the same time, so the oldest are in front. */
  expire(): void {
    const now = this.#clock.now();
    for (const [key, { until }] of this.#shown) {
      if (until > now) return;
      this.#shown.delete(key);
    }
  }
}
