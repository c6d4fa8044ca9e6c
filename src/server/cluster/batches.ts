/** Entries of one message or question between nodes: enough to be few, small enough not to hold up the others. */
export const BATCH = 500;

export function batches<T>(list: readonly T[], size: number = BATCH): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < list.length; at += size) parts.push(list.slice(at, at + size));
  return parts;
}
