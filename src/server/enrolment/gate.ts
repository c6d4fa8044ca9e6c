/** Where a registration meets enrolment: known computers pass, new ones are judged once at a time for each id. */
import { hbb } from '../../core/wire/index.ts';
import type { Reason } from '../observe/reasons.ts';
import type { Candidate, Enrolment, Refusal } from './enrolment.ts';

const Result = hbb.RegisterPkResponse.Result;
type Done = (result: hbb.RegisterPkResponse.Result, refusal?: Reason) => void;

/** Copies of one registration that wait for the first: over UDP and TCP, each sent again a few times. */
const MAX_HELD = 8;
/** What the wire can say. On NOT_DEPLOYED a stock client asks again every 30 s (rendezvous §5.3). */
const RESULTS: Readonly<Record<Refusal, hbb.RegisterPkResponse.Result>> = {
  'enrol-needs-token': Result.NOT_DEPLOYED,
  'enrol-bad-token': Result.NOT_DEPLOYED,
  'enrol-waits': Result.NOT_DEPLOYED,
  'enrol-denied': Result.NOT_DEPLOYED,
  'enrol-key-quota': Result.TOO_FREQUENT,
  'enrol-not-saved': Result.SERVER_ERROR,
};

export class EnrolmentGate {
  readonly #enrolment: Enrolment;
  readonly #held = new Map<string, (() => void)[]>();

  constructor(enrolment: Enrolment) {
    this.#enrolment = enrolment;
  }

  /** Calls `register` when the computer may be registered, and `done` with its result or with the refusal. */
  pass(candidate: Candidate, isKnown: () => boolean, register: (done: Done) => void, done: Done): void {
    if (isKnown()) return register(done);
    const held = this.#held.get(candidate.id);
    if (held) {
      // Else the copy would use up a token of its own.
      if (held.length >= MAX_HELD) return done(Result.TOO_FREQUENT);
      held.push(() => this.pass(candidate, isKnown, register, done));
      return;
    }
    const verdict = this.#enrolment.admit(candidate);
    if (typeof verdict === 'string') return done(RESULTS[verdict], verdict);
    const waiting: (() => void)[] = [];
    this.#held.set(candidate.id, waiting);
    register((result) => {
      this.#held.delete(candidate.id);
      verdict.settle(result === Result.OK);
      done(result);
      for (const next of waiting) next();
    });
  }
}
