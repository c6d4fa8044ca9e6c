/** Signed ids and keys for controllers (rendezvous §11.1), of the peers that were asked for last. */
import { signIdPk } from '../core/crypto/index.ts';
import type { Peer } from './peer.ts';

interface Signed {
  readonly pk: Uint8Array;
  readonly bytes: Uint8Array;
}

export class SignedKeys {
  readonly #secretKey: Uint8Array;
  readonly #max: number;
  /** In the order of their last use. */
  readonly #byId = new Map<string, Signed>();

  /** @param secretKey of the server, 64 bytes */
  constructor(secretKey: Uint8Array, max: number) {
    this.#secretKey = secretKey;
    this.#max = max;
  }

  of(peer: Peer): Uint8Array {
    let signed = this.#byId.get(peer.id);
    if (signed) this.#byId.delete(peer.id);
    if (!signed || !peer.hasPk(signed.pk)) {
      const pk = peer.pk;
      signed = { pk, bytes: signIdPk(peer.id, pk, this.#secretKey) };
    }
    if (this.#byId.size >= this.#max)
      for (const oldest of this.#byId.keys()) {
        this.#byId.delete(oldest);
        break;
      }
    this.#byId.set(peer.id, signed);
    return signed.bytes;
  }
}
