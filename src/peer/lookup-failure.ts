/** What a server's refusal to introduce two peers means (rendezvous §6.2). */
import type { LiteDeskError } from '../core/errors.ts';
import { hbb } from '../core/wire/index.ts';
import { idNotFound, keyMismatch, lookupRefused, peerOffline } from './errors.ts';

export function lookupFailure(response: hbb.PunchHoleResponse, id: string, licenceKey: string): LiteDeskError {
  const Failure = hbb.PunchHoleResponse.Failure;
  // Our servers explain a wrong key to stock clients in words; ours has its own.
  if (response.failure === Failure.LICENSE_MISMATCH && response.serverKeyId.length > 0)
    return keyMismatch(licenceKey, response.serverKeyId);
  if (response.otherFailure !== '') return lookupRefused(response.otherFailure);
  switch (response.failure) {
    case Failure.OFFLINE:
      return peerOffline(id);
    case Failure.LICENSE_MISMATCH:
      return keyMismatch(licenceKey, null);
    case Failure.LICENSE_OVERUSE:
      return lookupRefused('the server is licensed for fewer users');
    default:
      return idNotFound(id);
  }
}
