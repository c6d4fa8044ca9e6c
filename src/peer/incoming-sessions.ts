/** The sessions that others have with this computer, from the key exchange to the end. */
import { randomBytes, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { systemClock } from '../core/clock.ts';
import type { LiteDeskError } from '../core/errors.ts';
import type { Link } from '../core/link.ts';
import type { PathChange, PeerKey } from '../core/native/contract.ts';
import type { MultipathLink } from '../core/native/multipath.ts';
import { DARK_MS } from '../core/native/multipath-limits.ts';
import { HostSession, streamsLink, WATCHED_BY_LINK } from '../core/session/index.ts';
import type { HostAuthenticator, HostClosed, PeerIdentity } from '../core/session/index.ts';
import type { DesktopHost } from '../core/session/contract.ts';
import { secureAsHost } from '../net/index.ts';
import type { SecuredLink } from '../net/index.ts';
import type { GatewayPorts } from '../net/portmap/index.ts';
import type { IncomingLink } from './acceptor.ts';
import { tooManySessions } from './errors.ts';
import type { IdentityStore } from './identity.ts';
import type { KnownPeers } from './known-peers.ts';
import { searchPaths } from './native-paths.ts';
import { NativeSessions } from './native-sessions.ts';
import { displayName, ownPlatform, permissionsFor } from './own-platform.ts';
import type { PathMemory } from './path-memory.ts';
import type { IncomingInfo } from './peer-contract.ts';
import type { ServerAddress } from './server-address.ts';
import { StaleSessions } from './stale-sessions.ts';
import { stayRegistered } from './stay-registered.ts';
import type { TunnelHost } from './tunnel/tunnel-host.ts';
import { WIRE_VERSION } from './version.ts';

/** Sessions that may exist at once, logged in or not; each holds a socket and buffers. */
export const MAX_INCOMING = 64;
/** After a pause of this length, in milliseconds, a session's picture is sent anew. */
const RESUME_MS = 1_000;

/** Why a session ends whose computer has come back with another one. */
const RETURNED = 'the same computer has connected anew';

/** What is said of an end for which no reason was given. */
const CLOSED_BY: Record<HostClosed['by'], string> = {
  peer: 'closed by the controller',
  local: 'closed here',
  timeout: 'timeout',
  error: 'the link broke',
  refused: 'refused',
};

export interface IncomingSessionsOptions {
  readonly identity: IdentityStore;
  readonly authenticator: HostAuthenticator;
  readonly known: KnownPeers;
  readonly tunnels: TunnelHost;
  /** This machine's screen and input; null where there is none. */
  readonly desktop: DesktopHost | null;
  readonly server: () => ServerAddress | null;
  readonly gatewayPorts: () => GatewayPorts | null;
  readonly memory: PathMemory;
  readonly onAsk: (info: IncomingInfo) => void;
  readonly onOpened: (info: IncomingInfo) => void;
  readonly onPathChanged: (change: { sessionId: string } & PathChange) => void;
  /** Only of sessions that were open. */
  readonly onClosed: (about: { sessionId: string; peerId: string; reason: string }) => void;
  /** A session was not taken. */
  readonly onRefused: (error: LiteDeskError) => void;
  /** Tells the server again that we are there. */
  readonly register: () => void;
  /** Anything that is shown changed. */
  readonly onChange: () => void;
}

interface Incoming {
  info: IncomingInfo;
  readonly session: HostSession;
}

export class IncomingSessions {
  readonly #o: IncomingSessionsOptions;
  readonly #sessions = new Map<string, Incoming>();
  readonly #native = new NativeSessions();
  readonly #stale = new StaleSessions(systemClock);

  constructor(options: IncomingSessionsOptions) {
    this.#o = options;
  }

  /** The secret that a path has to know to join that session; null: there is no such session. */
  get secretOf(): (sessionId: Uint8Array) => Uint8Array | null {
    return this.#native.secretOf;
  }

  get list(): readonly IncomingInfo[] {
    // Whoever has not said a name yet is not worth showing.
    return [...this.#sessions.values()].map((entry) => entry.info).filter((info) => info.peerId !== '');
  }

  /** Somebody clicked Accept or Dismiss. */
  answer(sessionId: string, accept: boolean): void {
    const session = this.#sessions.get(sessionId)?.session;
    if (accept) session?.accept();
    else session?.dismiss();
  }

  close(sessionId: string): void {
    this.#sessions.get(sessionId)?.session.disconnect();
  }

  /** Tells all of them that it is over. */
  closeAll(): void {
    for (const { session } of [...this.#sessions.values()]) session.disconnect();
  }

  /** Resolves when the links of all of them have ended. */
  async ended(): Promise<void> {
    this.#stale.close();
    await this.#native.ended();
  }

  /** Takes a link whose key exchange is done: a further path of a session, or a new one. */
  take({ link, path, admission }: IncomingLink): void {
    if (link.native?.joined) {
      admission.release();
      this.#native.join(link, path);
      return;
    }
    if (this.#sessions.size >= MAX_INCOMING) {
      admission.release();
      this.#refuse(link, path);
      return;
    }
    const sessionId = randomUUID();
    const server = this.#o.server();
    const multipath = link.native ? this.#native.found(link, path) : null;
    const native = this.#o.known.incoming(server, link.native);
    const session = this.#newSession(link, multipath, native);
    const entry: Incoming = { session, info: firstInfo(sessionId, link, path) };
    this.#sessions.set(sessionId, entry);
    let opened = false;
    const identify = (who: PeerIdentity): void => {
      const standing = this.#o.known.standing(server, who.peerId, link.native);
      const { peerId, name: peerName, platform: peerPlatform, kind } = who;
      entry.info = { ...entry.info, peerId, peerName, peerPlatform, kind, standing };
    };
    session.on('ask', (who) => {
      identify(who);
      this.#o.onAsk(entry.info);
      this.#o.onChange();
    });
    session.on('opened', (who) => {
      admission.release();
      identify(who);
      entry.info = { ...entry.info, state: 'open', sinceMs: Date.now() };
      opened = true;
      if (multipath) {
        multipath.darkMs = DARK_MS;
        stayRegistered(multipath, systemClock, this.#o.register);
        if (link.native?.peer) this.#stale.opened({ key: `${Buffer.from(link.native.peer.key).toString('hex')} ${who.kind}`, link: multipath, end: () => session.disconnect(RETURNED) });
        this.#followPaths(multipath, link, native?.peer ?? null);
      }
      // Writes a file, for which the answer to the login need not wait.
      setImmediate(() => this.#o.known.controllerOpened(server, native));
      this.#attachStreams(multipath ?? link, session, who);
      this.#o.onOpened(entry.info);
      this.#o.onChange();
    });
    session.on('closed', (closed) => {
      admission.release();
      const reason = closed.reason || CLOSED_BY[closed.by];
      this.#sessions.delete(sessionId);
      if (opened) this.#o.onClosed({ sessionId, peerId: entry.info.peerId, reason });
      this.#o.onChange();
    });
    multipath?.onPathChange((change) => {
      entry.info = { ...entry.info, path: change.to, remoteAddress: multipath.remoteAddress };
      if (change.pauseMs >= RESUME_MS) session.resumed();
      if (opened) this.#o.onPathChanged({ sessionId, ...change });
      this.#o.onChange();
    });
    session.start();
  }

  /** Says why, in the way that every controller understands, and ends the link. */
  #refuse(link: SecuredLink, path: IncomingLink['path']): void {
    const error = tooManySessions(link.remoteAddress, MAX_INCOMING);
    this.#o.onRefused(error);
    const session = this.#newSession(link, link.native ? this.#native.found(link, path) : null, link.native);
    session.start();
    session.disconnect(error.message);
  }

  #newSession(link: SecuredLink, multipath: MultipathLink | null, native: SecuredLink['native']): HostSession {
    const { desktop, tunnels, authenticator, identity } = this.#o;
    const session: HostSession = new HostSession({
      link: multipath ?? link,
      ...(multipath ? { sessionTimeouts: WATCHED_BY_LINK } : {}),
      native,
      clock: systemClock,
      random: (n) => randomBytes(n),
      ownId: identity.current.id,
      authenticator,
      permissions: permissionsFor(desktop),
      desktop,
      hostInfo: {
        hostname: hostname(),
        username: displayName(),
        platform: desktop?.platform ?? ownPlatform(),
        version: WIRE_VERSION,
      },
      remoteAddress: link.remoteAddress,
      streams: true,
      onPortForward: (host, port, signal) =>
        tunnels.portForward({
          link,
          asker: { peerId: session.peer?.peerId ?? '', proven: session.peer?.verified ?? false },
          host,
          port,
          signal,
          onEnd: () => session.disconnect(),
        }),
    });
    return session;
  }

  /** What a session that was just opened may reach through this computer. */
  #attachStreams(link: Link, session: HostSession, who: PeerIdentity): void {
    const channel = streamsLink(link);
    const streams = channel ?? (who.kind === 'tunnel' ? link : null);
    if (!streams || (who.kind !== 'tunnel' && who.kind !== 'desktop')) return;
    const asker = { peerId: who.peerId, proven: who.verified };
    const mux = this.#o.tunnels.attach(streams, asker, channel ? 0 : undefined);
    if (who.kind === 'tunnel') mux.on('closed', ({ reason }) => session.disconnect(reason));
  }

  /** From the login on, the controller may find better paths together with us. */
  #followPaths(multipath: MultipathLink, { native }: SecuredLink, peer: PeerKey | null): void {
    if (!native) return;
    const { id, secretKey: signSecretKey } = this.#o.identity.current;
    const findSession = this.#native.secretOf;
    searchPaths({
      role: 'host',
      link: multipath,
      sessionSecret: native.sessionSecret,
      server: this.#o.server(),
      gatewayPorts: this.#o.gatewayPorts(),
      memory: peer ? this.#o.memory.of(peer.id) : null,
      exchange: (other, signal) =>
        secureAsHost(other, { id, signSecretKey, allowPlaintext: false, native: { findSession }, signal }),
    });
  }
}

function firstInfo(sessionId: string, link: SecuredLink, path: IncomingInfo['path']): IncomingInfo {
  return {
    sessionId,
    peerId: '',
    peerName: '',
    peerPlatform: '',
    kind: 'desktop',
    path,
    remoteAddress: link.remoteAddress,
    encrypted: link.encrypted,
    standing: 'unproven',
    state: 'asking',
    sinceMs: Date.now(),
  };
}
