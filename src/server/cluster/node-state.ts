/** What a node says about itself, as it comes from outside. */
import { z } from 'zod';
import type { NodeState } from './directory.ts';

const count = z.number().nonnegative();
const Schema = z.object({
  node: z.string().min(1).max(64),
  key: z.string().max(256),
  peers: count,
  relay: z
    .object({
      address: z.string().min(1).max(300),
      pairs: count,
      maxPairs: count,
      bps: count,
      maxBps: count,
      draining: z.boolean(),
    })
    .nullable(),
});
const Gone = z.object({ node: z.string().max(64), gone: z.literal(true) });

/** Null when it is neither; a node of a later version may say more than we know. */
export function parseNodeState(text: string): NodeState | { node: string; gone: true } | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return Gone.safeParse(value).data ?? Schema.safeParse(value).data ?? null;
}
