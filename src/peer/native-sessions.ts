/** The native sessions that others have with this computer: a further path joins one of them by proof of its secret. */
import { systemClock } from '../core/clock.ts';
import { systemRandom } from '../core/crypto/random.ts';
import type { PathKind } from '../core/native/contract.ts';
import { DARK_STRANGER_MS } from '../core/native/multipath-limits.ts';
import { MultipathLink } from '../core/native/multipath.ts';
import type { SecuredLink } from '../net/index.ts';

interface Session {
  readonly secret: Uint8Array;
  readonly link: MultipathLink;
}

export class NativeSessions {
  readonly #sessions = new Map<string, Session>();

  /** The secret that a path has to know to join that session; null: there is no such session. */
  readonly secretOf = (sessionId: Uint8Array): Uint8Array | null => this.#sessions.get(keyOf(sessionId))?.secret ?? null;

  /** Makes the link of a new session. `link` comes of a native handshake that joined nothing. */
  found(link: SecuredLink, kind: PathKind): MultipathLink {
    if (!link.native || link.native.joined) throw new Error('this link founds no session');
    const { sessionId, sessionSecret } = link.native;
    const key = keyOf(sessionId);
    const multipath = new MultipathLink({ clock: systemClock, random: systemRandom, role: 'host', first: { link, kind }, darkMs: DARK_STRANGER_MS });
    this.#sessions.set(key, { secret: sessionSecret, link: multipath });
    multipath.onStateChange((state) => {
      if (state === 'closed') this.#sessions.delete(key);
    });
    return multipath;
  }

  /** Resolves when all of them have ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ link }) => link.ended()));
  }

  /** Gives a link that joined a session to it; closes the link when that session has ended meanwhile. */
  join(link: SecuredLink, kind: PathKind): void {
    const session = link.native && this.#sessions.get(keyOf(link.native.sessionId));
    if (session) session.link.addPath(link, kind);
    else link.destroy();
  }
}

function keyOf(sessionId: Uint8Array): string {
  return Buffer.from(sessionId).toString('hex');
}
