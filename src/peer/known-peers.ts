import type { NativeState } from '../core/native/contract.ts';
import type { PinnedHost, SecuredLink } from '../net/index.ts';
import type { ControllerStanding, PinStore } from './pins.ts';
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
    const peer = native?.peer;
    if (!peer || this.standing(server, peer.id, native) !== 'changed') return native;
    this.#log(`a controller has the ID ${peer.id}, but another key than before: it is treated as unknown`);
    return { ...native, peer: null };
  }

  /** Who a controller is that calls itself `id` over a link with this native state (as the link has it). */
  standing(server: ServerAddress | null, id: string, native: NativeState | null): ControllerStanding {
    const key = native?.peer?.id === id ? native.peer.key : null;
    if (!server) return key ? 'new' : 'unproven';
    try {
      return this.#pins.controller(server.host, id, key);
    } catch (error) {
      this.#log(`the keys of known computers cannot be read: ${(error as Error).message}`);
      return 'changed';
    }
  }

  /** A session of a controller was opened; `native` as `incoming` answered. */
  controllerOpened(server: ServerAddress | null, native: NativeState | null): void {
    const peer = native?.peer;
    if (server && peer) this.#keep(() => this.#pins.rememberController(server.host, peer));
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
