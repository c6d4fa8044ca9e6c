/** Which server this computer uses: what was set, with the key that the server has by now. */
import type { SettingsStore } from './settings.ts';
import { parseServer } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';

/** Changes of server keys that are remembered; each server has a few in a lifetime. */
const MAX_MOVED_KEYS = 50;
const DEFAULT_PORT = 21_116;

export class OwnServer {
  readonly #settings: SettingsStore;
  readonly #override: ServerAddress | null;

  /** @param override wins over the settings */
  constructor(settings: SettingsStore, override: ServerAddress | null) {
    this.#settings = settings;
    this.#override = override;
  }

  /** The server in use, with its present key as far as it was told; null when none is set. */
  get current(): ServerAddress | null {
    const server = this.#override ?? this.#stored();
    return server && { ...server, key: this.#presentKey(server.key) };
  }

  /** The server has said, under its old key, that it has a new one. */
  keyMoved(from: string, to: string): void {
    const others = this.#settings.current.movedKeys.filter((moved) => moved.from !== from && moved.from !== to);
    this.#settings.change({ movedKeys: [...others, { from, to }].slice(-MAX_MOVED_KEYS) });
  }

  #stored(): ServerAddress | null {
    const { server, key, token } = this.#settings.current;
    const address = parsed(server, key);
    return address && { ...address, ...(token === '' ? {} : { token }) };
  }

  #presentKey(key: string): string {
    const { movedKeys } = this.#settings.current;
    let present = key;
    // As many steps as there are entries: a circle ends too.
    for (let i = 0; i < movedKeys.length; i++) present = movedKeys.find(({ from }) => from === present)?.to ?? present;
    return present;
  }
}

function parsed(server: string, key: string): ServerAddress | null {
  if (server === '') return null;
  if (server.includes('://')) {
    try {
      return parseServer(server, key);
    } catch {
      // Typed wrongly: it is shown as it is when it does not resolve.
    }
  }
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(server);
  return { host: (match?.[1] ?? server).replace(/^\[|\]$/g, ''), port: Number(match?.[2] ?? DEFAULT_PORT), key };
}
