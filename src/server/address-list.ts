/**
 * A list of addresses in a text file, as hbbr has two (rendezvous §7.7): one a line, what follows the first space is the
 * operator's remark. Networks (`10.0.0.0/8`) are understood too. The file is the truth: what is added here is written to
 * it, and what is changed in it counts from the next look on.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { BlockList, isIP, isIPv4 } from 'node:net';
import { normalizeHost } from '../core/wire/index.ts';

export class AddressList {
  readonly #file: string;
  readonly #maxEntries: number;
  #seen = '';
  #hosts = new Set<string>();
  #networks: string[] = [];
  #block = new BlockList();

  /** @throws when the file is there but cannot be read */
  constructor(file: string, maxEntries: number) {
    this.#file = file;
    this.#maxEntries = maxEntries;
    this.reload();
  }

  get size(): number {
    return this.#hosts.size + this.#networks.length;
  }

  get entries(): string[] {
    return [...this.#hosts, ...this.#networks];
  }

  has(host: string): boolean {
    if (this.#hosts.has(host)) return true;
    return this.#networks.length > 0 && isIP(host) !== 0 && this.#block.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
  }

  /** Reads the file when it has changed. @returns whether it had. @throws when it is there but cannot be read */
  reload(): boolean {
    const stat = statSync(this.#file, { throwIfNoEntry: false });
    const seen = stat ? `${stat.size}@${stat.mtimeMs}@${stat.ino}` : '';
    if (seen === this.#seen) return false;
    this.#take(stat ? readFileSync(this.#file, 'utf8') : '');
    this.#seen = seen;
    return true;
  }

  /** @param entries addresses or networks. @returns those that were not there. @throws TypeError for what is neither, or the disk's error */
  add(entries: readonly string[]): string[] {
    const wanted = entries.map((entry) => {
      const parsed = parseEntry(entry);
      if (!parsed) throw new TypeError(`${entry} is neither an address nor a network`);
      return parsed.text;
    });
    const known = new Set(this.entries);
    const fresh = [...new Set(wanted)].filter((entry) => !known.has(entry));
    if (known.size + fresh.length > this.#maxEntries) throw new RangeError(`the list would have more than ${this.#maxEntries} entries`);
    const text = this.#text();
    if (fresh.length > 0) this.#write(`${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${fresh.join('\n')}\n`);
    return fresh;
  }

  /** @returns those that were there. @throws the disk's error */
  remove(entries: readonly string[]): string[] {
    const known = new Set(this.entries);
    const gone = new Set(entries.map((entry) => parseEntry(entry)?.text ?? entry).filter((entry) => known.has(entry)));
    if (gone.size > 0)
      this.#write(
        this.#text()
          .split('\n')
          .filter((line) => !gone.has(parseEntry(line)?.text ?? ''))
          .join('\n'),
      );
    return [...gone];
  }

  #text(): string {
    this.reload();
    return this.#seen === '' ? '' : readFileSync(this.#file, 'utf8');
  }

  #write(text: string): void {
    const mode = statSync(this.#file, { throwIfNoEntry: false })?.mode ?? 0o644;
    // A broken write must not leave half a list: it would let in those that it lost.
    writeFileSync(`${this.#file}.new`, text, { mode: mode & 0o777 });
    renameSync(`${this.#file}.new`, this.#file);
    this.reload();
  }

  #take(text: string): void {
    this.#hosts = new Set();
    this.#networks = [];
    this.#block = new BlockList();
    for (const line of text.split('\n')) {
      if (this.size >= this.#maxEntries) return;
      const entry = parseEntry(line);
      if (!entry) continue;
      if (entry.bits === null) this.#hosts.add(entry.host);
      else if (!this.#networks.includes(entry.text)) {
        this.#networks.push(entry.text);
        this.#block.addSubnet(entry.host, entry.bits, isIPv4(entry.host) ? 'ipv4' : 'ipv6');
      }
    }
  }
}

function parseEntry(line: string): { text: string; host: string; bits: number | null } | null {
  const word = line.trim().split(/\s/, 1)[0] ?? '';
  const [address = '', bits] = word.split('/', 2);
  if (isIP(address) === 0) return null;
  const host = normalizeHost(address);
  if (bits === undefined) return { text: host, host, bits: null };
  const count = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (!(count <= (isIPv4(host) ? 32 : 128)) || host !== address) return null;
  return { text: word, host, bits: count };
}
