/** Made-up desktops and sessions for the tests of this folder. */
import { VirtualClock } from '../clock.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { type MemoryLink, memoryLinkPair } from '../memory-link.ts';
import type { NativeState } from '../native/contract.ts';
import { decodeMessage, encodeMessage, type hbb } from '../wire/proto.ts';
import { HostAuthenticator, type HostAuthenticatorOptions } from './authenticator.ts';
import type {
  CursorSink,
  DesktopHost,
  Display,
  EncodedFrame,
  InputEvent,
  SessionPermissions,
  VideoCodec,
  VideoRequest,
  VideoSink,
  VideoStream,
} from './contract.ts';
import { ControllerSession } from './controller-session.ts';
import type { ControllerSessionEvents, ControllerSessionOptions } from './controller-types.ts';
import { HostSession } from './host-session.ts';
import type { HostSessionEvents, HostSessionOptions } from './host-types.ts';

/** Bytes from a fixed seed (xorshift32). */
export function seededRandom(seed: number): RandomBytes {
  let state = seed | 0 || 1;
  return (count) => {
    const bytes = new Uint8Array(count);
    for (let index = 0; index < count; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      bytes[index] = state & 0xff;
    }
    return bytes;
  };
}

class FakeStream implements VideoStream {
  readonly request: VideoRequest;
  readonly sink: VideoSink;
  keyRequests = 0;
  resumes = 0;
  stopped = false;

  constructor(request: VideoRequest, sink: VideoSink) {
    this.request = { ...request };
    this.sink = sink;
  }

  requestKeyFrame(): void {
    this.keyRequests++;
  }

  reconfigure(change: Partial<Omit<VideoRequest, 'display'>>): void {
    Object.assign(this.request, change);
  }

  resume(): void {
    this.resumes++;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Hands one frame over; the answer is the sink's. */
  frame(key: boolean, size = 1000, ptsMs = 0): boolean {
    const frame: EncodedFrame = {
      display: this.request.display,
      codec: this.request.codec,
      key,
      ptsMs,
      data: new Uint8Array(size),
    };
    return this.sink.onFrame(frame);
  }
}

export class FakeDesktop implements DesktopHost {
  readonly platform = 'Linux' as const;
  readonly codecs: readonly VideoCodec[];
  readonly streams: FakeStream[] = [];
  readonly events: InputEvent[] = [];
  releases = 0;
  clipboard = '';
  shown: Display[];
  cursor: CursorSink | null = null;
  clipboardWatcher: ((text: string) => void) | null = null;
  readonly injector = {
    inject: (event: InputEvent): void => {
      this.events.push(event);
    },
    releaseAll: (): void => {
      this.releases++;
    },
  };

  constructor(displays?: Display[], codecs: readonly VideoCodec[] = ['vp9', 'vp8']) {
    this.shown = displays ?? [{ x: 0, y: 0, width: 320, height: 240, name: 'screen', scale: 1 }];
    this.codecs = codecs;
  }

  displays(): Display[] {
    return this.shown;
  }

  startVideo(request: VideoRequest, sink: VideoSink): VideoStream {
    const stream = new FakeStream(request, sink);
    this.streams.push(stream);
    return stream;
  }

  watchCursor(sink: CursorSink): () => void {
    this.cursor = sink;
    return () => {
      this.cursor = null;
    };
  }

  async screenshot(): Promise<Uint8Array> {
    return Uint8Array.of(0x89, 0x50);
  }

  setClipboardText(text: string): void {
    this.clipboard = text;
    this.clipboardWatcher?.(text);
  }

  watchClipboard(onText: (text: string) => void): () => void {
    this.clipboardWatcher = onText;
    return () => {
      this.clipboardWatcher = null;
    };
  }

  /** The newest stream that runs. */
  get stream(): FakeStream {
    const stream = this.streams.findLast((candidate) => !candidate.stopped);
    if (!stream) throw new Error('no stream runs');
    return stream;
  }

  /** What is still down after all events, as `key:…` and `button:…`. */
  get down(): string[] {
    const down = new Set<string>();
    for (const event of this.events) {
      if (event.type !== 'keycode' && event.type !== 'button') continue;
      const name = event.type === 'keycode' ? `key:${event.keycode}` : `button:${event.button}`;
      if (event.down) down.add(name);
      else down.delete(name);
    }
    return [...down];
  }
}

export const ALL_PERMISSIONS: SessionPermissions = {
  keyboard: true,
  clipboard: true,
  audio: false,
  file: false,
  restart: false,
  recording: true,
  blockInput: false,
  privacyMode: false,
};

const HOST_EVENTS = ['login-attempt', 'ask', 'opened', 'chat', 'video-error', 'raw', 'closed'] as const;
const CONTROLLER_EVENTS = [
  'password-needed',
  'opened',
  'permission',
  'video',
  'geometry',
  'cursor',
  'cursor-id',
  'cursor-position',
  'displays',
  'clipboard',
  'chat',
  'delay',
  'message-box',
  'follow-display',
  'closed',
] as const;

/** Collects every event of a session, by name. */
class Recorder<Events extends object> {
  readonly all: { name: keyof Events; event: Events[keyof Events] }[] = [];

  add(name: keyof Events, event: Events[keyof Events]): void {
    this.all.push({ name, event });
  }

  of<K extends keyof Events>(name: K): Events[K][] {
    return this.all.filter((entry) => entry.name === name).map((entry) => entry.event as Events[K]);
  }
}

export function recordHost(session: HostSession): Recorder<HostSessionEvents> {
  const recorder = new Recorder<HostSessionEvents>();
  for (const name of HOST_EVENTS) session.on(name, (event) => recorder.add(name, event));
  return recorder;
}

export function recordController(session: ControllerSession): Recorder<ControllerSessionEvents> {
  const recorder = new Recorder<ControllerSessionEvents>();
  for (const name of CONTROLLER_EVENTS) session.on(name, (event) => recorder.add(name, event));
  return recorder;
}

/** A bare end of a link that speaks messages: the peer of a session under test. */
export class Talker {
  readonly received: hbb.Message[] = [];
  closed = false;
  readonly link: MemoryLink;

  constructor(link: MemoryLink) {
    this.link = link;
    link.setHandlers({
      onFrame: (payload) => this.received.push(decodeMessage(payload)),
      onClose: () => {
        this.closed = true;
      },
    });
  }

  send(message: hbb.IMessage): void {
    this.link.send(encodeMessage(message));
  }

  /** Names of what came: the union case, or `misc.<case>`, or `login_response.error`. */
  get names(): string[] {
    return this.received.map(messageName);
  }

  last<K extends keyof hbb.Message>(union: K): NonNullable<hbb.Message[K]> | undefined {
    return this.received.findLast((message) => message.union === union)?.[union] ?? undefined;
  }
}

export function messageName(message: hbb.Message): string {
  if (message.union === 'misc') return `misc.${message.misc?.union ?? ''}`;
  if (message.union === 'loginResponse') return `loginResponse.${message.loginResponse?.union ?? ''}`;
  return message.union ?? '';
}

export interface HostSetup {
  clock: VirtualClock;
  desktop: FakeDesktop;
  authenticator: HostAuthenticator;
  host: HostSession;
  events: Recorder<HostSessionEvents>;
  /** The host's end. */
  link: MemoryLink;
  talker: Talker;
}

/** What a native handshake would have left at both ends; another `session` number is another session. */
export function nativeEnds(session = 1): { controller: NativeState; host: NativeState } {
  const secrets = {
    sessionId: new Uint8Array(16).fill(session),
    sessionSecret: new Uint8Array(32).fill(session + 1),
    transcript: new Uint8Array(32).fill(session + 2),
    joined: false,
  };
  return {
    controller: { ...secrets, peer: { id: '123456789', key: new Uint8Array(32).fill(1) } },
    host: { ...secrets, peer: { id: '987654321', key: new Uint8Array(32).fill(2) } },
  };
}

export const SALT = 'labsalt0123456789abcdefghijkmnpq';

export function makeAuthenticator(
  clock: VirtualClock,
  options: Partial<HostAuthenticatorOptions> = {},
): HostAuthenticator {
  return new HostAuthenticator({
    clock,
    random: seededRandom(7),
    salt: SALT,
    permanentPassword: 'secret',
    ...options,
  });
}

/** A host session, not started, and the far end of its link. */
function makeHost(
  options: Partial<HostSessionOptions>,
  auth: Partial<HostAuthenticatorOptions>,
): Omit<HostSetup, 'talker'> & { readonly farLink: MemoryLink } {
  const clock = (options.clock as VirtualClock | undefined) ?? new VirtualClock();
  const desktop = (options.desktop as FakeDesktop | undefined) ?? new FakeDesktop();
  const authenticator = options.authenticator ?? makeAuthenticator(clock, auth);
  const [link, farLink] = memoryLinkPair();
  const host = new HostSession({
    link,
    clock,
    random: seededRandom(3),
    ownId: '123456789',
    permissions: ALL_PERMISSIONS,
    desktop,
    hostInfo: { hostname: 'lab-b', username: 'user', platform: 'Linux' },
    ...options,
    authenticator,
  });
  return { clock, desktop, authenticator, host, events: recordHost(host), link, farLink };
}

/** A host session with a bare peer at the other end. */
export function setUpHost(
  options: Partial<HostSessionOptions> = {},
  auth: Partial<HostAuthenticatorOptions> = {},
): HostSetup {
  const { farLink, ...setup } = makeHost({ remoteAddress: '203.0.113.5:40000', ...options }, auth);
  const talker = new Talker(farLink);
  setup.host.start();
  return { ...setup, talker };
}

export interface PairSetup extends Omit<HostSetup, 'talker'> {
  controller: ControllerSession;
  controllerEvents: Recorder<ControllerSessionEvents>;
  controllerLink: MemoryLink;
}

/** Our own two ends against one another; both started. */
export function setUpPair(
  controllerOptions: Partial<ControllerSessionOptions> = {},
  hostOptions: Partial<HostSessionOptions> = {},
  auth: Partial<HostAuthenticatorOptions> = {},
): PairSetup {
  const { farLink: controllerLink, ...setup } = makeHost(hostOptions, auth);
  const controller = new ControllerSession({
    link: controllerLink,
    clock: setup.clock,
    random: seededRandom(4),
    peerId: '123456789',
    myId: '987654321',
    myName: 'tester',
    platform: 'Linux',
    sessionId: 0xfedcba9876543210n,
    decoding: { vp8: true, vp9: true, av1: false, h264: false },
    ...controllerOptions,
  });
  const controllerEvents = recordController(controller);
  controller.start();
  setup.host.start();
  return { ...setup, controller, controllerEvents, controllerLink };
}
