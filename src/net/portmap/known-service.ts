/** The one service of a UPnP gateway that a client has found, and finds again after the gateway has started anew. */
import type { ClientOptions } from './client.ts';
import { noAnswer, PortMapError } from './errors.ts';
import type { IgdService } from './igd.ts';
import { findLocations } from './igd-search.ts';

export class KnownService {
  readonly #options: ClientOptions;
  readonly #choose: (location: URL, signal: AbortSignal) => Promise<IgdService>;
  #service: IgdService | null = null;

  /** `choose`: the service that is used of the description at `location`, asked whether it works. Throws PortMapError where none does. */
  constructor(options: ClientOptions, choose: (location: URL, signal: AbortSignal) => Promise<IgdService>) {
    this.#options = options;
    this.#choose = choose;
  }

  /** Looks for it anew. Throws PortMapError, ABORTED. */
  async find(signal: AbortSignal): Promise<IgdService> {
    this.#service = null;
    this.#service = await firstThatWorks(await findLocations(this.#options, signal), (location) => this.#choose(location, signal), noAnswer());
    return this.#service;
  }

  /** What is known; is looked for where nothing is. Throws PortMapError, ABORTED. */
  async get(signal: AbortSignal): Promise<IgdService> {
    return this.#service ?? this.find(signal);
  }

  /** As `ask` answers; once more with what is found then if the one that was known does not answer at all. */
  async ask<Answer>(ask: (service: IgdService) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    if (this.#service !== null) {
      try {
        return await ask(this.#service);
      } catch (error) {
        // After a restart it may serve at another port.
        if (!(error instanceof PortMapError) || error.state !== 'no-answer') throw error;
      }
    }
    return ask(await this.find(signal));
  }
}

/** What `attempt` answers for the first that does not fail with a PortMapError; throws that of the last, or `none`. */
export async function firstThatWorks<Candidate, Found>(
  candidates: readonly Candidate[],
  attempt: (candidate: Candidate) => Promise<Found>,
  none: PortMapError,
): Promise<Found> {
  let why = none;
  for (const candidate of candidates) {
    try {
      return await attempt(candidate);
    } catch (error) {
      if (!(error instanceof PortMapError)) throw error;
      why = error;
    }
  }
  throw why;
}
