import type { hbb } from '../wire/proto.ts';
import { clipboardText } from './clipboard.ts';
import { readVideoFrame } from './codecs.ts';
import type { ControllerSessionEvents, RemoteInfo } from './controller-types.ts';
import { CursorReader } from './cursor-reader.ts';
import * as limits from './limits.ts';
import { readDisplays, readSwitchDisplay } from './remote-info.ts';

export interface ControllerScreenOptions {
  /** The host; its displays are kept up to date here. */
  info: RemoteInfo;
  /** Whether its clipboard is taken at the moment. */
  mayClipboard(): boolean;
  emit<K extends keyof ControllerSessionEvents>(name: K, event: ControllerSessionEvents[K]): void;
}

/** What an open session shows of the host: the messages of its screen, pointer, clipboard and chat, read and handed on. */
export class ControllerScreen {
  readonly #o: ControllerScreenOptions;
  readonly #cursors = new CursorReader();

  constructor(options: ControllerScreenOptions) {
    this.#o = options;
  }

  onMessage(message: hbb.Message): void {
    const { info, emit } = this.#o;
    switch (message.union) {
      case 'videoFrame':
        for (const frame of readVideoFrame(message.videoFrame ?? {}))
          if (frame.display >= 0 && frame.display < limits.MAX_DISPLAYS) emit('video', frame);
        break;
      case 'cursorData': {
        const shape = this.#cursors.read(message.cursorData ?? {});
        if (shape) emit('cursor', shape);
        break;
      }
      case 'cursorId': {
        const id = this.#cursors.known(message.cursorId ?? 0n);
        if (id !== null) emit('cursor-id', id);
        break;
      }
      case 'cursorPosition':
        emit('cursor-position', { x: message.cursorPosition?.x ?? 0, y: message.cursorPosition?.y ?? 0 });
        break;
      case 'peerInfo':
        // Carries only the displays; its other fields must not overwrite what the login gave (session §2.9).
        if (message.peerInfo) {
          info.displays = readDisplays(message.peerInfo);
          emit('displays', info.displays);
        }
        break;
      case 'clipboard':
      case 'multiClipboards': {
        const text = this.#o.mayClipboard() ? clipboardText(message) : null;
        if (text !== null) emit('clipboard', { text });
        break;
      }
      case 'misc':
        this.#onMisc(message.misc ?? {});
        break;
      default:
        break;
    }
  }

  #onMisc(misc: hbb.IMisc): void {
    const { info, emit } = this.#o;
    if (misc.switchDisplay) this.#onSwitchDisplay(misc.switchDisplay);
    else if (misc.chatMessage) {
      const text = (misc.chatMessage.text ?? '').slice(0, limits.CHAT_LENGTH);
      if (text) emit('chat', { text });
    } else if (misc.followCurrentDisplay != null) {
      if (info.displays[misc.followCurrentDisplay]) emit('follow-display', misc.followCurrentDisplay);
    } else if (misc.backNotification?.details) {
      const text = misc.backNotification.details.slice(0, limits.CHAT_LENGTH);
      emit('message-box', { type: 'info', title: '', text });
    }
  }

  #onSwitchDisplay(message: hbb.ISwitchDisplay): void {
    const { info, emit } = this.#o;
    const display = message.display ?? 0;
    const known = info.displays[display];
    const geometry = readSwitchDisplay(message, known);
    if (!known || !geometry) return;
    info.displays[display] = geometry;
    emit('geometry', { display, geometry });
  }
}
