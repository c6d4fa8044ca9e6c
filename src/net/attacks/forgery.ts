/** For tests: what an attacker on the wire can make of the two messages of a native handshake. */
import { boxKeyPair, signIdPk } from '../../core/crypto/index.ts';
import { decodeAs, decodeMessage, encodeAs, encodeMessage, hbb } from '../../core/wire/index.ts';
import type { Mitm } from './mitm.ts';

/** The host's offer as it came, opened without looking at the signature. */
export function readOffer(frame: Uint8Array): hbb.IdPk {
  const { signedId } = decodeMessage(frame);
  return decodeAs<hbb.IdPk>(hbb.IdPk, signedId?.id.subarray(64) ?? new Uint8Array());
}

/** The offer with other content and the signature of the original. */
export function forgeOffer(frame: Uint8Array, change: (idPk: hbb.IdPk) => void): Uint8Array {
  const { signedId } = decodeMessage(frame);
  const idPk = readOffer(frame);
  change(idPk);
  const id = Buffer.concat([signedId?.id.subarray(0, 64) ?? new Uint8Array(), encodeAs(hbb.IdPk, idPk)]);
  return encodeMessage({ signedId: { id } });
}

export function offerSignedBy(secretKey: Uint8Array, id: string, native?: hbb.INativeOffer): Uint8Array {
  return encodeMessage({ signedId: { id: signIdPk(id, boxKeyPair().publicKey, secretKey, native) } });
}

export function forgeAnswer(frame: Uint8Array, change: (answer: hbb.INativeAnswer) => void): Uint8Array {
  const { publicKey } = decodeMessage(frame);
  const native = publicKey?.native;
  if (!native) throw new Error('no native answer');
  change(native);
  return encodeMessage({ publicKey: { native } });
}

const first =
  (forge: (frame: Uint8Array) => Uint8Array) =>
  (send: (frame: Uint8Array) => void) =>
  (payload: Uint8Array, index: number): void =>
    send(index === 0 ? forge(payload) : payload);

/** Puts another frame in the place of the host's offer. */
export const offering = (forge: (frame: Uint8Array) => Uint8Array) => (mitm: Mitm) => {
  mitm.onHost = first(forge)((frame) => mitm.toController(frame));
};

/** Puts another frame in the place of the controller's answer. */
export const answering = (forge: (frame: Uint8Array) => Uint8Array) => (mitm: Mitm) => {
  mitm.onController = first(forge)((frame) => mitm.toHost(frame));
};
