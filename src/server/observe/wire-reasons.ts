/** The results of the wire's own enums, under the names of reasons.ts. */
import { hbb } from '../../core/wire/index.ts';
import type { Reason } from './reasons.ts';

const Result = hbb.RegisterPkResponse.Result;
const Failure = hbb.PunchHoleResponse.Failure;

/** The answer to RegisterPk (rendezvous §5.8). */
export function registerReason(result: hbb.RegisterPkResponse.Result): Reason {
  switch (result) {
    case Result.OK:
      return 'registered';
    case Result.UUID_MISMATCH:
      return 'register-uuid-mismatch';
    case Result.ID_EXISTS:
      return 'register-id-exists';
    case Result.TOO_FREQUENT:
      return 'register-too-frequent';
    case Result.INVALID_ID_FORMAT:
      return 'register-invalid-id-format';
    case Result.NOT_SUPPORT:
      return 'register-not-support';
    case Result.NOT_DEPLOYED:
      return 'register-not-deployed';
    default:
      return 'register-server-error';
  }
}

/** A refused PunchHoleRequest (rendezvous §6.2). */
export function failureReason(failure: hbb.PunchHoleResponse.Failure): Reason {
  switch (failure) {
    case Failure.OFFLINE:
      return 'punch-offline';
    case Failure.LICENSE_MISMATCH:
      return 'punch-license-mismatch';
    case Failure.LICENSE_OVERUSE:
      return 'punch-license-overuse';
    default:
      return 'punch-id-not-exist';
  }
}

/** How the controller was introduced, by what it is told. */
export function introducedReason(message: hbb.IRendezvousMessage): Reason {
  if (message.relayResponse) return 'introduced-relay';
  if (message.punchHoleResponse?.isUdp) return 'introduced-udp';
  return message.punchHoleResponse?.isLocal ? 'introduced-local' : 'introduced-tcp';
}
