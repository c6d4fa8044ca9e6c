import type { hbb } from '../wire/proto.ts';
import { type Decoding, encodeDecoding } from './codecs.ts';
import type { ControllerSessionOptions, SessionOptions } from './controller-types.ts';
import { optionMessage } from './option-message.ts';
import { PROTOCOL_VERSION } from './version.ts';

/** A login request without its password (session §2.5). */
export function loginRequest(
  o: ControllerSessionOptions,
  options: SessionOptions,
  decoding: Decoding,
): hbb.ILoginRequest {
  const kind = o.kind ?? 'desktop';
  const request: hbb.ILoginRequest = {
    username: o.peerId,
    myId: o.myId,
    myName: o.myName,
    sessionId: o.sessionId,
    version: o.version ?? PROTOCOL_VERSION,
    myPlatform: o.platform,
  };
  if (kind === 'desktop' || kind === 'view-camera') {
    request.option = { ...optionMessage(options), supportedDecoding: encodeDecoding(decoding) };
    request.videoAckRequired = o.videoAck ?? false;
  }
  if (kind === 'file-transfer') request.fileTransfer = {};
  if (kind === 'view-camera') request.viewCamera = {};
  if (kind === 'terminal') request.terminal = {};
  if (kind === 'tunnel') request.tunnel = {};
  if (kind === 'port-forward')
    request.portForward = { host: o.portForward?.host ?? '', port: o.portForward?.port ?? 0 };
  return request;
}
