/**
 * Which computers may publish what. Without a list every registered one may, so that `--enrolment` decides; with
 * `--publish-allow` only those that are named, and what they are named with.
 */
import { hostName } from '../../core/publish/index.ts';
import { LiteDeskError } from '../../core/errors.ts';

type Right = (port: number, host: string) => boolean;

export class PublishPolicy {
  readonly #rights = new Map<string, Right[]>();
  readonly #open: boolean;

  /**
   * @param entries `ID` for everything, or `ID=WHERE[+WHERE…]` with WHERE a port, `LO-HI`, a host name or `*.DOMAIN`.
   * @throws LiteDeskError USAGE
   */
  constructor(entries: readonly string[]) {
    this.#open = entries.length === 0;
    for (const entry of entries) {
      const at = entry.indexOf('=');
      const id = at < 0 ? entry : entry.slice(0, at);
      const rights = at < 0 ? [() => true] : entry.slice(at + 1).split('+').map((where) => rightOf(where, entry));
      if (id === '') throw badEntry(entry);
      this.#rights.set(id, [...(this.#rights.get(id) ?? []), ...rights]);
    }
  }

  /** Everybody who is registered may publish everything. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether this computer may publish anything at all. */
  knows(id: string): boolean {
    return this.#open || this.#rights.has(id);
  }

  /** @param port of the server, or 0. @param host in its one form, or '' */
  allows(id: string, port: number, host: string): boolean {
    return this.#open || (this.#rights.get(id)?.some((right) => right(port, host)) ?? false);
  }
}

function rightOf(where: string, entry: string): Right {
  const range = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(where);
  if (range) {
    const low = Number(range[1]);
    const high = Number(range[2] ?? range[1]);
    return (port) => port >= low && port <= high && port !== 0;
  }
  const suffix = where.startsWith('*.') ? hostName(where.slice(2)) : null;
  if (suffix !== null) return (_port, host) => host.endsWith(`.${suffix}`);
  const name = hostName(where);
  if (name === null) throw badEntry(entry);
  return (_port, host) => host === name;
}

function badEntry(entry: string): LiteDeskError {
  return new LiteDeskError({
    code: 'USAGE',
    stage: 'usage',
    message: `--publish-allow ${entry} cannot be read.`,
    hint: 'Give ID, or ID=WHERE+WHERE with ports (30000 or 30000-30009), host names, or *.DOMAIN.',
  });
}
