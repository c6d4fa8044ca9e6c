/**
 * What the nodes of one server tell each other about enrolment, so that an invitation that was made at one is good at all,
 * and the operator sees at any of them who waits. Processes on one host share the file besides, which makes the count of
 * a token's uses exact among them; between hosts a use travels for a moment.
 */
import { z } from 'zod';
import { decisionSchema, tokenSchema } from './state.ts';

/** A computer that waits, as it is told and shown. */
const waitingSchema = z.object({
  id: z.string().max(300),
  host: z.string().max(64),
  /** SHA-256 over machine uuid and device key, hex. */
  full: z.string().regex(/^[0-9a-f]{64}$/),
  since: z.number(),
  lastSeen: z.number(),
});
export type SharedWaiting = z.infer<typeof waitingSchema>;

const newsSchema = z.discriminatedUnion('news', [
  z.object({ news: z.literal('token'), token: tokenSchema }),
  z.object({ news: z.literal('decision'), decision: decisionSchema }),
  z.object({ news: z.literal('waits'), waiting: waitingSchema }),
  /** A node that has just come asks the others for all they have. */
  z.object({ news: z.literal('asks') }),
  /** The server's keys are others than before: to be read again, where the files are the same. */
  z.object({ news: z.literal('keys') }),
]);
export type EnrolmentNews = z.infer<typeof newsSchema>;

/** A token or a computer is told in some hundred characters. */
const MAX_NEWS = 4_096;

export function encodeNews(news: EnrolmentNews): string {
  return JSON.stringify(news);
}

/** Null: another version of us, or nonsense. */
export function decodeNews(text: string): EnrolmentNews | null {
  if (text.length > MAX_NEWS) return null;
  try {
    return newsSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
