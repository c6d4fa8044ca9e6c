/** A source of random bytes, handed in so that tests can fix it. `count` bytes, uniform and unpredictable. */
export type RandomBytes = (count: number) => Uint8Array;

/** Random bytes of the platform (Node and browsers alike). */
export const systemRandom: RandomBytes = (count) => {
  const bytes = new Uint8Array(count);
  // One call gives at most 65536 bytes.
  for (let at = 0; at < count; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
};
