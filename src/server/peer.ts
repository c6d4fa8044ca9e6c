/** One peer in memory. There are hundreds of thousands, so what is read seldom is packed and what is compared is not copied. */
import type { Client, UdpPath } from './client.ts';

/** Before every time of the clock, and still a small integer, which costs no memory of its own. */
export const NEVER = -(2 ** 30);

const GUID_AT = 2;
const PK_AT = GUID_AT + 16;
const NO_BYTES = new Uint8Array(0);

export class Peer {
  readonly id: string;
  /** Last registered IP, as in the store. */
  ip = '';
  /** Where it was last heard; port 0 right after it was loaded. */
  host = '';
  port = 0;
  /** The UDP socket at which it was heard. */
  path: UdpPath | null = null;
  /** The connection that is its registration (rendezvous §5.6). */
  client: Client | null = null;
  /** Whole ms of the clock. */
  lastSeen = NEVER;
  registerAt = NEVER;
  registerCount = 0;
  /** Length of the key in two characters, guid, key, uuid: one byte a character in one object, where three typed arrays take 700 bytes. */
  #packed = '';

  #hasKey = false;

  constructor(id: string) {
    this.id = id;
  }

  /** Whether a machine uuid belongs to the id. */
  get owned(): boolean {
    return this.#packed.length > this.#uuidAt;
  }

  /** A field, since every heartbeat asks: the packed text is elsewhere in memory. */
  get hasKey(): boolean {
    return this.#hasKey;
  }

  /** Copies; empty before `setKeys`. */
  get guid(): Uint8Array {
    return this.#bytes(GUID_AT, PK_AT);
  }

  get pk(): Uint8Array {
    return this.#bytes(PK_AT, this.#uuidAt);
  }

  get uuid(): Uint8Array {
    return this.#bytes(this.#uuidAt, this.#packed.length);
  }

  setKeys(guid: Uint8Array, uuid: Uint8Array, pk: Uint8Array): void {
    this.#hasKey = pk.length > 0;
    this.#packed = Buffer.concat([Uint8Array.of(pk.length & 0xff, pk.length >> 8), guid, pk, uuid]).toString('latin1');
  }

  hasUuid(uuid: Uint8Array): boolean {
    return this.#packed.length > 0 && this.#same(this.#uuidAt, this.#packed.length, uuid);
  }

  hasPk(pk: Uint8Array): boolean {
    return this.#packed.length > 0 && this.#same(PK_AT, this.#uuidAt, pk);
  }

  get #uuidAt(): number {
    const packed = this.#packed;
    return packed === '' ? 0 : PK_AT + (packed.charCodeAt(0) | (packed.charCodeAt(1) << 8));
  }

  #bytes(from: number, to: number): Uint8Array {
    return this.#packed === '' ? NO_BYTES : new Uint8Array(Buffer.from(this.#packed.slice(from, to), 'latin1'));
  }

  #same(from: number, to: number, bytes: Uint8Array): boolean {
    if (to - from !== bytes.length) return false;
    for (let i = 0; i < bytes.length; i++) if (this.#packed.charCodeAt(from + i) !== bytes[i]) return false;
    return true;
  }
}
