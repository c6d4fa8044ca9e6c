import type { NativeState, PeerKey } from '../core/native/contract.ts';
import type { PinnedHost, SecuredLink } from '../net/index.ts';
import type { PinStore } from './pins.ts';
import type { ServerAddress } from './server-address.ts';

/** What a peer does with the keys of others (pins.ts) while sessions come and go. */
export class KnownPeers {
  readonly #pins: PinStore;
  readonly #log: (line: string) => void;

  constructor(pins: PinStore, log: (line: string) => void) {
    this.#pins = pins;
    this.#log = log;
  }

  /** What a host must be like. Errors: PINS_UNREADABLE, and then nothing is to be connected. */
  host(server: ServerAddress | null, id: string): PinnedHost | null {
    return server && this.#pins.host(server.host, id);
  }

  /**
   * A session with a host was opened. Not called before: whoever stood in for the computer for one attempt must not be
   * taken for it later.
   */
  hostOpened(server: ServerAddress | null, id: string, link: SecuredLink): void {
    const { peerKey, native } = link;
    if (server && peerKey)
      this.#keep(() => this.#pins.rememberHost(server.host, id, { key: peerKey, native: native !== null }));
  }

  /** The native state of an incoming link, without the controller's identity where another key is known for that. */
  incoming(server: ServerAddress | null, native: NativeState | null): NativeState | null {
    if (!native?.peer || !server || this.#isWho(server, native.peer)) return native;
    return { ...native, peer: null };
  }

  /** A session of a controller was opened; `native` as `incoming` answered. */
  controllerOpened(server: ServerAddress | null, native: NativeState | null): void {
    const peer = native?.peer;
    if (server && peer) this.#keep(() => this.#pins.rememberController(server.host, peer));
  }

  #isWho(server: ServerAddress, peer: PeerKey): boolean {
    try {
      if (this.#pins.controller(server.host, peer) !== 'changed') return true;
      this.#log(`a controller has the ID ${peer.id}, but another key than before: it is treated as unknown`);
    } catch (error) {
      this.#log(`the keys of known computers cannot be read: ${(error as Error).message}`);
    }
    return false;
  }

  /** A session does not end because its peer cannot be remembered. */
  #keep(store: () => void): void {
    try {
      store();
    } catch (error) {
      this.#log(`the key of the other computer could not be kept: ${(error as Error).message}`);
    }
  }
}
