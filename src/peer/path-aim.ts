/**
 * At which ports of a NAT that counts datagrams are aimed in one round. From a NAT that keeps its port: at all of the next ones. From
 * one that counts too: at a meeting port, again with fresh predictions while the round lasts.
 */
import { PATH_LIMITS } from '../core/nat/limits.ts';
import type { ChangingPorts } from '../core/nat/offer.ts';
import type { PathRole } from '../core/nat/probe-packet.ts';

export interface PathAimOptions {
  readonly role: PathRole;
  /** Datagrams from one port to those that come after `last`. */
  readonly predict: (theirs: ChangingPorts) => void;
  /** Datagrams from many ports to the meeting port of the other side. */
  readonly meet: (theirs: ChangingPorts) => void;
  /** Lets the server see one more port of ours; null when it does not answer. */
  readonly look: () => Promise<ChangingPorts | null>;
  /** Tells the other side where our NAT stands now. */
  readonly tell: (own: ChangingPorts) => void;
  /** Runs `fn` after that time, unless the round is over by then. */
  readonly after: (delayMs: number, fn: () => void) => void;
}

export class PathAim {
  readonly #options: PathAimOptions;
  /** Undefined: the server has not said yet. */
  #own: ChangingPorts | null | undefined;
  #theirs: ChangingPorts | null = null;
  #meetings = 0;

  constructor(options: PathAimOptions) {
    this.#options = options;
  }

  /** How the server sees us; null: our NAT does not change its port, or nothing is known. */
  ownSeen(ports: ChangingPorts | null): void {
    this.#own = ports;
    if (this.#theirs) this.#aim(this.#theirs);
  }

  /** What the other side says of its NAT; each offer says it again. */
  theirs(ports: ChangingPorts): void {
    if (ports.step === 0 || (this.#theirs?.last.port === ports.last.port && this.#theirs.last.host === ports.last.host)) return;
    this.#theirs = ports;
    if (this.#own === undefined) return;
    // Another meeting: by now our own NAT stands elsewhere as well. The controller has looked before it asked.
    if (this.#meetings > 0 && this.#options.role === 'host') void this.#lookAgain().then((seen) => seen && this.#aim(ports));
    else this.#aim(ports);
  }

  #aim(theirs: ChangingPorts): void {
    const { role, predict, meet, after } = this.#options;
    if (!this.#own || this.#own.step === 0) return predict(theirs);
    if (this.#meetings >= PATH_LIMITS.meetingsPerRound) return;
    this.#meetings += 1;
    meet(theirs);
    if (role === 'controller') after(PATH_LIMITS.meetingAgainMs, () => void this.#lookAgain());
  }

  /** False: the server said nothing. */
  async #lookAgain(): Promise<boolean> {
    const ports = await this.#options.look();
    if (!ports) return false;
    this.#own = ports;
    this.#options.tell(ports);
    return true;
  }
}
