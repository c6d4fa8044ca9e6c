import type { Clock } from '../clock.ts';
import type { ErrorData } from '../errors.ts';
import type { Link } from '../link.ts';
import { hbb } from '../wire/proto.ts';
import { clipboardMessage, clipboardText } from './clipboard.ts';
import { decodeDecoding } from './codecs.ts';
import type { DesktopHost, SessionPermissions } from './contract.ts';
import { HostCursor } from './host-cursor.ts';
import { HostInput } from './host-input.ts';
import { HostVideo, switchDisplayMessage } from './host-video.ts';
import * as limits from './limits.ts';
import { customRatio, QUALITY, type RateControl } from './quality.ts';

export interface HostDeskOptions {
  desktop: DesktopHost | null;
  clock: Clock;
  link: Link;
  /** Live: the session changes it. */
  permissions: SessionPermissions;
  rate: RateControl;
  viewer: { version: string; platform: string };
  ackRequired: boolean;
  send(message: hbb.IMessage): void;
  congested(): boolean;
  onVideoError(error: ErrorData): void;
}

const Bool = hbb.OptionMessage.BoolOption;
/** Largest answer to a screenshot request. */
const SCREENSHOT_BYTES = 32 * 1024 * 1024;

/** What an authorised remote-desktop viewer can do: picture, input, pointer, clipboard and options (session §3–§5). */
export class HostDesk {
  readonly video: HostVideo;
  readonly #o: HostDeskOptions;
  readonly #desktop: DesktopHost;
  readonly #input: HostInput;
  readonly #cursor: HostCursor;
  #current = 0;
  #disableKeyboard = false;
  #disableClipboard = false;
  #lockAtEnd = false;
  #lastClipboard: string | null = null;
  #unwatchClipboard: (() => void) | null = null;
  #screenshotRunning = false;
  #stopped = false;

  constructor(options: HostDeskOptions) {
    this.#o = options;
    this.#desktop = options.desktop ?? noDesktop;
    this.#input = new HostInput(this.#desktop.injector, this.#desktop.platform);
    this.video = new HostVideo(
      {
        desktop: this.#desktop,
        clock: options.clock,
        send: (message) => options.send(message),
        bufferedBytes: () => options.link.bufferedBytes,
        congested: () => options.congested(),
        onError: (error) => this.#onVideoError(error),
        ackRequired: options.ackRequired,
      },
      options.rate.rate,
    );
    this.#cursor = new HostCursor({
      desktop: this.#desktop,
      clock: options.clock,
      send: (message) => options.send(message),
      roomy: () => options.link.bufferedBytes < limits.REPLY_BUFFER_BYTES,
    });
  }

  /** Applies the options of the login and starts the picture of the first display (session §2.5). */
  start(option: hbb.IOptionMessage | null): void {
    if (option) this.#option(option);
    this.#cursor.start(this.#mayInput);
    if (this.#stopped) return;
    if (this.#desktop.displays().length > 0) this.video.capture([this.#current]);
    this.#unwatchClipboard = this.#desktop.watchClipboard?.((text) => this.#clipboardChanged(text)) ?? null;
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.video.stop();
    this.#cursor.stop();
    this.#unwatchClipboard?.();
    this.#input.release();
    if (this.#lockAtEnd && this.#o.permissions.keyboard)
      this.#desktop.injector.inject({ type: 'named', key: 'LockScreen', action: 'press' });
  }

  permissionsChanged(): void {
    if (!this.#mayInput) this.#input.release();
    this.#cursor.allow(this.#mayInput);
  }

  onMessage(message: hbb.Message): void {
    switch (message.union) {
      case 'mouseEvent':
        if (this.#mayInput && message.mouseEvent) {
          const type = (message.mouseEvent.mask ?? 0) & 7;
          if (type === 0 || type === 5) this.#cursor.viewerMoved();
          this.#input.mouse(message.mouseEvent);
        }
        break;
      case 'keyEvent':
        if (this.#mayInput && message.keyEvent) this.#input.key(message.keyEvent);
        break;
      case 'clipboard':
      case 'multiClipboards':
        this.#clipboardReceived(message);
        break;
      case 'misc':
        if (message.misc) this.#misc(message.misc);
        break;
      case 'screenshotRequest':
        if (message.screenshotRequest) void this.#screenshot(message.screenshotRequest);
        break;
      case 'voiceCallRequest':
        // Not offered; without an answer the controller would wait (session §8.3).
        if (message.voiceCallRequest?.isConnect)
          this.#reply({
            voiceCallResponse: {
              accepted: false,
              reqTimestamp: message.voiceCallRequest.reqTimestamp ?? 0n,
              ackTimestamp: 0n,
            },
          });
        break;
      default:
        break;
    }
  }

  get #mayInput(): boolean {
    return this.#o.permissions.keyboard && !this.#disableKeyboard;
  }

  get #mayClipboard(): boolean {
    return this.#o.permissions.clipboard && !this.#disableClipboard && this.#mayInput;
  }

  #misc(misc: hbb.IMisc): void {
    if (misc.option) this.#option(misc.option);
    else if (misc.refreshVideo) this.video.refresh();
    else if (misc.refreshVideoDisplay != null) this.video.refresh(misc.refreshVideoDisplay);
    else if (misc.videoReceived) this.video.ack();
    else if (misc.switchDisplay) this.#switchDisplay(misc.switchDisplay.display ?? 0);
    else if (misc.captureDisplays) this.#captureDisplays(misc.captureDisplays);
    else if (misc.messageQuery) this.#announce(misc.messageQuery.switchDisplay ?? 0);
    else if (misc.autoAdjustFps) this.#maxFps(misc.autoAdjustFps);
    else if (misc.togglePrivacyMode)
      this.#reply({
        misc: {
          backNotification: {
            privacyModeState: hbb.BackNotification.PrivacyModeState.PrvNotSupported,
            implKey: (misc.togglePrivacyMode.implKey ?? '').slice(0, limits.NAME_LENGTH),
            details: 'Privacy mode is not supported',
          },
        },
      });
  }

  #option(option: hbb.IOptionMessage): void {
    if (option.imageQuality) {
      const quality = hbb.ImageQuality;
      const ratios = new Map([
        [quality.Low, QUALITY.low],
        [quality.Balanced, QUALITY.balanced],
        [quality.Best, QUALITY.best],
      ]);
      const ratio = ratios.get(option.imageQuality);
      if (ratio !== undefined) this.#o.rate.setRatio(ratio);
    } else if ((option.customImageQuality ?? 0) > 0)
      this.#o.rate.setRatio(customRatio(option.customImageQuality ?? 0));
    if ((option.customFps ?? 0) > 0) this.#o.rate.setMaxFps(option.customFps ?? 0);
    if (option.supportedDecoding) this.video.setDecoding(decodeDecoding(option.supportedDecoding));
    if (option.disableKeyboard) this.#disableKeyboard = option.disableKeyboard === Bool.Yes;
    if (option.disableClipboard) this.#disableClipboard = option.disableClipboard === Bool.Yes;
    if (option.lockAfterSessionEnd) this.#lockAtEnd = option.lockAfterSessionEnd === Bool.Yes;
    if (option.showRemoteCursor) this.#cursor.showPosition(option.showRemoteCursor === Bool.Yes);
    if (option.blockInput === Bool.Yes)
      this.#reply({
        misc: {
          backNotification: {
            blockInputState: hbb.BackNotification.BlockInputState.BlkOnFailed,
            details: 'No permission',
          },
        },
      });
    this.permissionsChanged();
    this.video.setRate(this.#o.rate.rate);
  }

  #maxFps(fps: number): void {
    this.#o.rate.setMaxFps(fps);
    this.video.setRate(this.#o.rate.rate);
  }

  /** An unknown index, or the current one, gets no answer (session §3.8). */
  #switchDisplay(display: number): void {
    if (display === this.#current || !this.#desktop.displays()[display]) return;
    this.#current = display;
    this.#announce(display);
    this.video.capture([display]);
  }

  #captureDisplays(message: hbb.ICaptureDisplays): void {
    const valid = (list: readonly number[] | null | undefined): number[] =>
      (list ?? []).slice(0, limits.MAX_DISPLAYS).filter((display) => this.#desktop.displays()[display]);
    if (message.add?.length) {
      const add = valid(message.add);
      if (add.length > 0) this.video.capture([...this.video.displays, ...add]);
    } else if (message.sub?.length) {
      const sub = valid(message.sub);
      if (sub.length > 0) this.video.capture(this.video.displays.filter((display) => !sub.includes(display)));
    } else {
      const set = valid(message.set);
      // An empty list stops all capture, a list without a valid index is ignored (session §3.8).
      if (set.length > 0 || (message.set ?? []).length === 0) this.video.capture(set);
    }
  }

  #announce(display: number): void {
    const geometry = this.#desktop.displays()[display];
    if (geometry) this.#reply(switchDisplayMessage(display, geometry, !this.#desktop.watchCursor));
  }

  #clipboardReceived(message: hbb.IMessage): void {
    if (!this.#mayClipboard || !this.#desktop.setClipboardText) return;
    const text = clipboardText(message);
    if (text === null) return;
    this.#lastClipboard = text;
    this.#desktop.setClipboardText(text);
  }

  #clipboardChanged(text: string): void {
    // What the viewer sent comes back from the watcher; it must not go round in circles (session §5.1).
    if (this.#stopped || !this.#mayClipboard || text === '' || text === this.#lastClipboard) return;
    this.#lastClipboard = text;
    const message = clipboardMessage(text, this.#o.viewer);
    if (message) this.#reply(message);
  }

  async #screenshot(request: hbb.IScreenshotRequest): Promise<void> {
    const sid = (request.sid ?? '').slice(0, limits.NAME_LENGTH);
    const display = request.display ?? 0;
    const fail = (msg: string): void => this.#reply({ screenshotResponse: { sid, msg } });
    if (this.#screenshotRunning) return fail('A screenshot is being taken.');
    if (!this.#desktop.screenshot || !this.#desktop.displays()[display])
      return fail('Screenshots are not available.');
    this.#screenshotRunning = true;
    try {
      const data = await this.#desktop.screenshot(display);
      if (data.length > SCREENSHOT_BYTES) fail('The screenshot is too large.');
      else this.#reply({ screenshotResponse: { sid, data } });
    } catch {
      fail('The screen cannot be captured.');
    } finally {
      this.#screenshotRunning = false;
    }
  }

  #onVideoError(error: ErrorData): void {
    if (this.#stopped) return;
    this.#reply({
      messageBox: {
        msgtype: 'nook-nocancel-hasclose',
        title: 'Remote screen',
        text: error.message,
        link: '',
      },
    });
    this.#o.onVideoError(error);
  }

  /** Answers to requests: dropped while the peer does not read, so that it cannot make us hoard them. */
  #reply(message: hbb.IMessage): void {
    if (!this.#stopped && this.#o.link.bufferedBytes < limits.REPLY_BUFFER_BYTES) this.#o.send(message);
  }
}

const noDesktop: DesktopHost = {
  platform: 'Linux',
  injector: { inject: () => {}, releaseAll: () => {} },
  codecs: ['vp9'],
  displays: () => [],
  startVideo: () => {
    throw new Error('no display');
  },
};
