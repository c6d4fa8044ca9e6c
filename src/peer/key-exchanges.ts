/** The key exchanges of one connection attempt: the same demands on whoever answers, by whatever path. */
import { openIdPk } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { secureAsController } from '../net/index.ts';
import type { NetLink, SecuredLink } from '../net/index.ts';
import type { ConnectPeerOptions } from './connect-options.ts';
import { relayNotPaired } from './errors.ts';
import type { ServerAddress } from './server-address.ts';
import { SessionFounder } from './session-founder.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** What the server says of the peer, or the peer of itself: every other path would end in the same way. */
const FATAL_HANDSHAKES: ReadonlySet<string> = new Set([
  'HANDSHAKE_NO_KEY',
  'HANDSHAKE_KEY_CHANGED',
  'HANDSHAKE_FINGERPRINT_DIFFERS',
  'HANDSHAKE_DOWNGRADE_REFUSED',
  'HANDSHAKE_NATIVE_UNSUPPORTED',
  'HANDSHAKE_NATIVE_MISSING',
]);

export class KeyExchanges {
  readonly #options: ConnectPeerOptions;
  readonly #server: ServerAddress;
  readonly #founder: SessionFounder;
  readonly #onFatal: (error: LiteDeskError) => void;

  /** @param onFatal no other path can do better. */
  constructor(options: ConnectPeerOptions, server: ServerAddress, onFatal: (error: LiteDeskError) => void) {
    this.#options = options;
    this.#server = server;
    this.#founder = new SessionFounder(options.join ?? null);
    this.#onFatal = onFatal;
  }

  /** Takes the link over; it is destroyed when this fails. Errors: stage `handshake`. */
  async secure(link: NetLink, hostKey: Uint8Array | null, signal: AbortSignal): Promise<SecuredLink> {
    const { identity, peerId, allowPlaintext, pinned, nativeOnly, fingerprint, onProgress } = this.#options;
    onProgress?.({ step: 'handshake', detail: link.remoteAddress });
    const founder = this.#founder;
    try {
      return await founder.found(link, (held) =>
        secureAsController(held, {
          peerId,
          hostKey,
          allowPlaintext,
          pinned,
          nativeOnly,
          ...(fingerprint ? { fingerprint } : {}),
          // Known only when the host's offer is answered: another path may have made the session meanwhile.
          ...(identity ? { native: { identity, get join() { return founder.ticket ?? undefined; } } } : {}),
          timeoutMs: HANDSHAKE_TIMEOUT_MS,
          signal,
        }),
      );
    } catch (error) {
      link.destroy();
      if (error instanceof LiteDeskError && FATAL_HANDSHAKES.has(error.code)) this.#onFatal(error);
      throw error;
    }
  }

  /** The same through the relay called `name`, where silence means that nobody came. */
  async secureRelayed(link: NetLink, name: string, hostKey: Uint8Array | null, signal: AbortSignal): Promise<SecuredLink> {
    try {
      return await this.secure(link, hostKey, signal);
    } catch (error) {
      const code = error instanceof LiteDeskError ? error.code : '';
      if (code === 'HANDSHAKE_PEER_CLOSED' || code === 'HANDSHAKE_TIMEOUT') throw relayNotPaired(name, error);
      throw error;
    }
  }

  /** The peer's key as the server vouches for it (§11.1); null where that does not verify or names another id. */
  hostKey(signed: Uint8Array): Uint8Array | null {
    if (signed.length === 0 || this.#server.key === '') return null;
    const serverKey = Buffer.from(this.#server.key, 'base64');
    if (serverKey.length !== 32) return null;
    const vouched = openIdPk(signed, serverKey);
    return vouched && vouched.id === this.#options.peerId && vouched.pk.length === 32 ? vouched.pk : null;
  }
}
