import { WireError } from '../errors.ts';
import { hbb } from '../wire/proto.ts';
import { CLIPBOARD_BYTES, CLIPBOARD_SEND_BYTES } from './limits.ts';
import { versionAtLeast } from './version.ts';
import { zstdOpen } from './zstd.ts';

const utf8 = new TextEncoder();

/**
 * The message that carries `text` to a peer, in the form that peer understands (session §5.1); null when too long.
 * Never compressed: the flag is optional and a compressor is not.
 */
export function clipboardMessage(
  text: string,
  peer: { version: string; platform: string },
): hbb.IMessage | null {
  const content = utf8.encode(text);
  if (content.length > CLIPBOARD_SEND_BYTES) return null;
  const entry: hbb.IClipboard = { content, format: hbb.ClipboardFormat.Text };
  const single = peer.platform === '' || peer.platform === 'iOS';
  const multiFrom = peer.platform === 'Android' ? '1.3.3' : '1.3.0';
  if (!single && versionAtLeast(peer.version, multiFrom)) return { multiClipboards: { clipboards: [entry] } };
  return { clipboard: entry };
}

/** The text of a clipboard message of either form, or null when it has none or breaks a limit. */
export function clipboardText(message: hbb.IMessage): string | null {
  const entries = message.multiClipboards?.clipboards ?? (message.clipboard ? [message.clipboard] : []);
  const entry = entries.find((candidate) => (candidate.format ?? 0) === hbb.ClipboardFormat.Text);
  if (!entry) return null;
  try {
    const content = entry.content ?? new Uint8Array();
    if (!entry.compress && content.length > CLIPBOARD_BYTES) return null;
    return new TextDecoder().decode(entry.compress ? zstdOpen(content, CLIPBOARD_BYTES) : content);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
