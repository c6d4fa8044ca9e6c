/** The way that a session takes, and what else was tried: what the picture in its window is drawn from. */
import { name, pathSchema, text } from './common-schemas.ts';
import { z } from './zod.ts';

/** Attempts and changes that are kept and shown, the latest of each. */
export const MAX_ROUTE_ENTRIES = 40;
/** Paths of a session at once. */
const MAX_PATHS = 64;

export const routeSchema = z.object({
  /** The way that it takes now. */
  path: pathSchema,
  encrypted: z.boolean(),
  /** The ways that stand. */
  paths: z
    .array(
      z.object({
        id: z.number(),
        kind: pathSchema,
        active: z.boolean(),
        rttMs: z.number().nullable(),
        localAddress: name,
        remoteAddress: name,
      }),
    )
    .max(MAX_PATHS),
  /** In the order in which they ended. */
  attempts: z
    .array(z.object({ path: pathSchema, outcome: z.enum(['ok', 'failed', 'cancelled']), ms: z.number(), reason: text }))
    .max(MAX_ROUTE_ENTRIES),
  /** Moves from one way to another; `atMs` since 1970. */
  changes: z
    .array(z.object({ atMs: z.number(), from: pathSchema.nullable(), to: pathSchema, pauseMs: z.number(), reason: text }))
    .max(MAX_ROUTE_ENTRIES),
});

export type SessionRoute = z.infer<typeof routeSchema>;
