/** The deprecated ways to tell clients of other servers and of new versions (rendezvous §1.5, §6.8). */
import { encodeRendezvous, type hbb } from '../../core/wire/index.ts';

/** Entries of a list that a local ConfigUpdate may bring, and the length of each (a DNS name has 253 bytes at most). */
const MAX_SERVERS = 16;
const MAX_NAME_LENGTH = 260;

export class ServerList {
  #serial: number;
  #servers: readonly string[];

  constructor(serial: number, servers: readonly string[]) {
    this.#serial = serial;
    this.#servers = servers;
  }

  /** What a client with this serial has to be told; null: nothing. */
  newerThan(serial: number | null | undefined): hbb.IConfigUpdate | null {
    return this.#serial > (serial ?? 0) ? { serial: this.#serial, rendezvousServers: [...this.#servers] } : null;
  }

  /**
   * Takes over a newer list from a program on this computer. Only where the operator uses the list at all: else any user
   * of this computer could send all clients elsewhere.
   */
  takeOver(update: hbb.IConfigUpdate | null | undefined): boolean {
    const serial = update?.serial ?? 0;
    if (this.#serial <= 0 || serial <= this.#serial) return false;
    this.#serial = serial;
    this.#servers = (update?.rendezvousServers ?? []).filter((name) => name !== '' && name.length <= MAX_NAME_LENGTH).slice(0, MAX_SERVERS);
    return true;
  }
}

/** The answer to SoftwareUpdate for a client that has not `version` of the URL; null without a URL that names a version. */
export class SoftwareNotice {
  readonly #version: string;
  readonly #answer: Uint8Array;

  constructor(url: string) {
    // Between the last "-" and the file extension: .../app-1.2.3.exe.
    this.#version = /-([^-/]+)\.[^./]+$/.exec(url)?.[1] ?? '';
    this.#answer = encodeRendezvous({ softwareUpdate: { url } });
  }

  answerTo(message: hbb.ISoftwareUpdate | null | undefined): Uint8Array | null {
    return this.#version === '' || message?.url === this.#version ? null : this.#answer;
  }
}
