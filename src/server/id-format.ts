/** Ids that people choose. */

/**
 * What a client lets its user enter: a letter, then 5 to 15 letters, digits, `_` or `-`, of any alphabet (rendezvous §5.5).
 * Ids that clients make themselves are numbers, and are not checked.
 */
const CHOSEN_ID = /^[a-zA-Z][\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}-]{5,15}$/u;

export function isChosenId(id: string): boolean {
  return CHOSEN_ID.test(id);
}
