/** Signed ids and keys for controllers (rendezvous §11.1), of the peers that were asked for last. */
import { signIdPk } from '../core/crypto/index.ts';
import type { ServerKeys } from './key-file.ts';
import type { Peer } from './peer.ts';

interface Signed {
  readonly by: ServerKeys;
  readonly pk: Uint8Array;
  readonly bytes: Uint8Array;
}

export class SignedKeys {
  readonly #max: number;
  /** In the order of their last use. */
  readonly #byId = new Map<string, Signed>();

  constructor(max: number) {
    this.#max = max;
  }

  /** The peer's id and key, signed with the pair `by`. While two keys overlap, the last one used is remembered. */
  of(peer: Peer, by: ServerKeys): Uint8Array {
    let signed = this.#byId.get(peer.id);
    if (signed) this.#byId.delete(peer.id);
    if (signed?.by !== by || !peer.hasPk(signed.pk)) {
      const pk = peer.pk;
      signed = { by, pk, bytes: signIdPk(peer.id, pk, by.secretKey) };
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
