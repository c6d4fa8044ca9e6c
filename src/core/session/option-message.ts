import { hbb } from '../wire/proto.ts';
import type { SessionOptions } from './controller-types.ts';

/** Options as the wire has them; what is not set is left unchanged at the host (session §3.4). */
export function optionMessage(options: SessionOptions): hbb.IOptionMessage {
  const message: hbb.IOptionMessage = {};
  const flag = (value: boolean): hbb.OptionMessage.BoolOption =>
    value ? hbb.OptionMessage.BoolOption.Yes : hbb.OptionMessage.BoolOption.No;
  if (options.customQuality !== undefined)
    message.customImageQuality = Math.round(Math.min(2000, Math.max(10, options.customQuality))) << 8;
  else if (options.quality)
    message.imageQuality = {
      low: hbb.ImageQuality.Low,
      balanced: hbb.ImageQuality.Balanced,
      best: hbb.ImageQuality.Best,
    }[options.quality];
  if (options.fps !== undefined) message.customFps = Math.round(Math.min(120, Math.max(1, options.fps)));
  if (options.showRemoteCursor !== undefined) message.showRemoteCursor = flag(options.showRemoteCursor);
  if (options.disableClipboard !== undefined) message.disableClipboard = flag(options.disableClipboard);
  if (options.disableKeyboard !== undefined) message.disableKeyboard = flag(options.disableKeyboard);
  if (options.disableAudio !== undefined) message.disableAudio = flag(options.disableAudio);
  if (options.lockAfterSessionEnd !== undefined)
    message.lockAfterSessionEnd = flag(options.lockAfterSessionEnd);
  return message;
}
