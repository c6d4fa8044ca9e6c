/**
 * The native link's part of the key exchange over a real link (docs/protocol.md): the steps of core/native/handshake.ts, in
 * their order, with their errors as people see them.
 */
import { systemRandom } from '../core/crypto/random.ts';
import { WireError } from '../core/errors.ts';
import type { NativeState, PeerKey } from '../core/native/contract.ts';
import {
  acceptAnswer,
  answerOffer,
  controllerConfirm,
  hostConfirm,
  type PendingOffer,
  readControllerConfirm,
} from '../core/native/handshake.ts';
import type { PathKeys } from '../core/native/key-schedule.ts';
import { RecordStream } from '../core/native/record.ts';
import type { hbb } from '../core/wire/proto.ts';
import type { HandshakeStep } from './await-secured.ts';
import { handshakeErrors } from './handshake-errors.ts';
import type { NetLink } from './net-link.ts';
import type { SecureControllerOptions, SecureHostOptions } from './secure-options.ts';
import { SecuredNetLink } from './secured-link.ts';

/**
 * Answers a host's verified offer and proves the keys and our identity; the step that it returns takes the host's proof.
 * @param host who signed the offer.
 */
export function answerNative(
  link: NetLink,
  options: SecureControllerOptions & { native: NonNullable<SecureControllerOptions['native']> },
  host: PeerKey,
  offer: hbb.INativeOffer,
  offerFrame: Uint8Array,
): HandshakeStep {
  const { native, random = systemRandom } = options;
  const { frame, keys } = typed(() => answerOffer(offer, offerFrame, random, native.join ?? null));
  const stream = new RecordStream({ sendKey: keys.controllerKey, receiveKey: keys.hostKey });
  link.send(frame);
  link.send(stream.seal(controllerConfirm(keys, native.identity)));
  return (payload) => {
    // Whoever can seal this record holds the offer's secret key, and has seen this answer to it.
    confirmed(stream, payload);
    return new SecuredNetLink(link, { cipher: stream, peerKey: host.key, native: stateOf(keys, host) });
  };
}

/** Takes a controller's answer to our offer; the step that it returns takes the controller's proof. */
export function acceptNative(
  link: NetLink,
  native: NonNullable<SecureHostOptions['native']>,
  pending: PendingOffer,
  frames: { offer: Uint8Array; answer: Uint8Array },
  answer: hbb.INativeAnswer,
): HandshakeStep {
  const keys = typed(() => acceptAnswer(pending, frames, answer, (id) => native.findSession(id)));
  const stream = new RecordStream({ sendKey: keys.hostKey, receiveKey: keys.controllerKey });
  return (payload) => {
    const content = confirmed(stream, payload);
    const peer = typed(() => readControllerConfirm(keys, content));
    link.send(stream.seal(hostConfirm()));
    return new SecuredNetLink(link, {
      cipher: stream,
      peerKey: peer?.key ?? null,
      native: stateOf(keys, peer),
    });
  };
}

/** Without the keys, which only the records need. */
function stateOf(keys: PathKeys, peer: PeerKey | null): NativeState {
  const { sessionId, sessionSecret, transcript, joined } = keys;
  return { sessionId, sessionSecret, transcript, joined, peer };
}

function confirmed(stream: RecordStream, payload: Uint8Array): Uint8Array {
  try {
    return stream.open(payload);
  } catch (error) {
    throw handshakeErrors.notConfirmed(error);
  }
}

/** Runs a step of the handshake and gives its failure the wording for people. */
function typed<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    switch (error instanceof WireError ? error.code : '') {
      case 'NATIVE_UNSUPPORTED':
        throw handshakeErrors.nativeUnsupported(error);
      case 'NATIVE_JOIN':
        throw handshakeErrors.joinRefused(error);
      case 'NATIVE_IDENTITY':
        throw handshakeErrors.badIdentity(error);
      case 'BAD_KEY':
        throw handshakeErrors.invalidKey(error);
      default:
        throw handshakeErrors.malformed(error);
    }
  }
}
