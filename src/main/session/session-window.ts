/** A session as its window sees it: the remote session, the port for video and input, and the figures of the bar. */
import { MessageChannelMain } from 'electron';
import type { MessagePortMain } from 'electron';
import type { ControllerSession } from '../../core/session/index.ts';
import type { EncodedFrame } from '../../core/session/contract.ts';
import type { Connected, Peer } from '../../peer/peer.ts';
import { RemoteSession } from '../../peer/remote-session.ts';
import type { SessionRoute } from '../../shared/route.ts';
import type { SessionPortCommand, SessionPortMessage, SessionState, SessionStats } from '../../shared/ipc.ts';
import { portCommandSchema, portTakenSchema } from '../../shared/schemas.ts';
import { RouteLog } from './route.ts';
import { VideoQueue } from './video-queue.ts';

const STATS_INTERVAL_MS = 1_000;
const PING_TIMEOUT_MS = 5_000;

export interface SessionWindowEvents {
  onState(state: SessionState): void;
  onStats(stats: SessionStats): void;
  /** The way of the session, or what was tried for another one, changed. */
  onRoute(route: SessionRoute): void;
}

type VideoMessage = Extract<SessionPortMessage, { type: 'video' }>;

export class SessionWindow {
  readonly #remote: RemoteSession;
  readonly #events: SessionWindowEvents;
  readonly #queue: VideoQueue<VideoMessage>;
  readonly #routes = new RouteLog();
  #connection: Connected | null = null;
  #port: MessagePortMain | null = null;
  #offs: (() => void)[] = [];
  #statsTimer: NodeJS.Timeout | null = null;
  #frames = 0;
  #bytes = 0;
  #shownFps: number | null = null;
  #codec = '';
  #rttMs: number | null = null;
  #closed = false;

  constructor(peer: Peer, target: string, events: SessionWindowEvents) {
    this.#events = events;
    this.#remote = new RemoteSession({ peer, target });
    this.#queue = new VideoQueue<VideoMessage>({
      send: (message) => this.#port?.postMessage(message),
      requestKeyFrame: (display) => this.#session?.refreshVideo(display),
    });
    this.#remote.on('state', (state) => {
      if (!this.#closed) events.onState(state);
      if (state.state !== 'open') this.#rttMs = null;
    });
    this.#remote.on('session', ({ session, connection }) => this.#attach(session, connection));
  }

  get state(): SessionState {
    return this.#remote.state;
  }

  get #session(): ControllerSession | null {
    return this.#remote.session;
  }

  start(): void {
    this.#statsTimer = setInterval(() => this.#tellStats(), STATS_INTERVAL_MS);
    this.#remote.start();
  }

  /** A new port for the window; an older one ends. The decoder starts with a key frame. */
  openPort(): MessagePortMain {
    this.#port?.close();
    const { port1, port2 } = new MessageChannelMain();
    this.#port = port1;
    this.#queue.reset();
    port1.on('message', ({ data }) => {
      const taken = portTakenSchema.safeParse(data);
      if (taken.success) {
        this.#queue.taken(taken.data.count);
        return;
      }
      const command = portCommandSchema.safeParse(data);
      if (command.success) this.#command(command.data);
    });
    port1.start();
    const { state } = this.#remote;
    if (state.state === 'open') this.#session?.refreshVideo(state.info.currentDisplay);
    return port2;
  }

  givePassword(password: string, remember: boolean): void {
    this.#remote.givePassword(password, remember);
  }

  get route(): SessionRoute | null {
    return this.#routes.route;
  }

  giveCode(code: string): void {
    this.#remote.giveCode(code);
  }

  trustKey(): void {
    this.#remote.trustKey();
  }

  async allowPlaintext(): Promise<void> {
    await this.#remote.allowPlaintext();
  }

  switchDisplay(display: number): void {
    this.#remote.switchDisplay(display);
  }

  ctrlAltDel(): void {
    this.#session?.ctrlAltDel();
  }

  releaseKeys(): void {
    this.#session?.releaseKeys();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#statsTimer) clearInterval(this.#statsTimer);
    for (const off of this.#offs.splice(0)) off();
    this.#port?.close();
    this.#port = null;
    this.#remote.close();
  }

  #attach(session: ControllerSession, connection: Connected): void {
    for (const off of this.#offs.splice(0)) off();
    this.#connection = connection;
    this.#routes.use(connection);
    this.#offs.push(
      connection.onPathChange((change) => {
        this.#routes.moved(change, Date.now());
        this.#tellRoute();
      }),
      session.on('video', (frame) => this.#onVideo(frame)),
      session.on('geometry', ({ display, geometry }) => {
        const { x, y, width, height, name } = geometry;
        this.#post({ type: 'geometry', display, geometry: { x, y, width, height, name } });
      }),
      session.on('cursor', ({ id, hotX, hotY, width, height, rgba }) =>
        this.#post({ type: 'cursor', id, hotX, hotY, width, height, rgba: ownBuffer(rgba) }),
      ),
      session.on('cursor-id', (id) => this.#post({ type: 'cursor-id', id })),
      session.on('cursor-position', ({ x, y }) => this.#post({ type: 'cursor-position', x, y })),
    );
  }

  #onVideo(frame: EncodedFrame): void {
    this.#frames++;
    this.#bytes += frame.data.byteLength;
    this.#codec = frame.codec;
    if (!this.#port) return;
    const { display, codec, key } = frame;
    this.#queue.push({ type: 'video', display, codec, key, data: ownBuffer(frame.data) });
  }

  #post(message: Exclude<SessionPortMessage, VideoMessage>): void {
    if (!this.#port) return;
    this.#queue.note(message.type === 'cursor' ? message.rgba.byteLength : 0);
    this.#port.postMessage(message);
  }

  #command(command: SessionPortCommand): void {
    if (command.type === 'decoding') {
      const { vp8, vp9, av1, h264 } = command;
      this.#remote.setDecoding({ vp8, vp9, av1, h264 });
      return;
    }
    if (command.type === 'shown') {
      this.#shownFps = command.fps;
      return;
    }
    const session = this.#session;
    if (!session || this.#remote.state.state !== 'open') return;
    switch (command.type) {
      case 'mouse':
        if (command.kind === 'move') session.mouseMove(command.x, command.y);
        else if (command.kind === 'wheel') session.mouseWheel(command.dx, command.dy, command.fine);
        else session.mouseButton(command.button, command.down, { x: command.x, y: command.y });
        return;
      case 'key':
        session.key(command.code, command.key, command.down, { caps: command.caps, num: command.num });
        return;
      case 'text':
        session.typeText(command.text);
        return;
      case 'release-keys':
        session.releaseKeys();
        return;
      case 'refresh':
        session.refreshVideo(command.display);
    }
  }

  #tellStats(): void {
    const connection = this.#connection;
    const session = this.#session;
    if (!connection || !session || this.#remote.state.state !== 'open') return;
    session.ping(AbortSignal.timeout(PING_TIMEOUT_MS)).then(
      (rttMs) => (this.#rttMs = rttMs),
      () => (this.#rttMs = null),
    );
    this.#events.onStats({
      path: connection.path,
      rttMs: this.#rttMs,
      codec: this.#codec,
      fps: this.#shownFps ?? this.#frames,
      bitrateBps: this.#bytes * 8,
    });
    this.#frames = 0;
    this.#bytes = 0;
    this.#shownFps = null;
    this.#tellRoute();
  }

  #tellRoute(): void {
    const { route } = this.#routes;
    if (route && !this.#closed) this.#events.onRoute(route);
  }
}

/** A view into a larger buffer would cross with all of that buffer. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return (whole ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer;
}
