/** What crosses between the main process and the hidden window that captures the screen. */
import { buffer, displayIndex, text } from './common-schemas.ts';
import { z } from './zod.ts';

const codecSchema = z.enum(['vp8', 'vp9', 'av1', 'h264', 'h265']);
/** Main → capture window. */
export const captureCommandSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    stream: z.number().int(),
    display: displayIndex,
    codec: codecSchema,
    maxFps: z.number().min(1).max(120),
    bitrateBps: z.number().min(10_000).max(1e9),
    peakBps: z.number().min(10_000).max(1e10),
  }),
  /** Pictures of this size are likely to be asked for: has an encoder for them at hand. */
  z.object({ type: z.literal('keep-ready'), width: z.number().int().positive(), height: z.number().int().positive() }),
  /** Somebody is about to log in: captures this monitor until `unprepare`, so that the first picture is there at once. */
  z.object({ type: z.literal('prepare'), display: displayIndex, width: z.number().int().positive(), height: z.number().int().positive() }),
  z.object({ type: z.literal('unprepare') }),
  z.object({
    type: z.literal('reconfigure'),
    stream: z.number().int(),
    codec: codecSchema.optional(),
    maxFps: z.number().min(1).max(120).optional(),
    bitrateBps: z.number().min(10_000).max(1e9).optional(),
    peakBps: z.number().min(10_000).max(1e10).optional(),
  }),
  z.object({ type: z.literal('key-frame'), stream: z.number().int() }),
  /** The next display request will be answered with this monitor. */
  z.object({ type: z.literal('granted'), display: displayIndex }),
  z.object({ type: z.literal('taken'), stream: z.number().int() }),
  /** The screen changed, or may at once. Until the first of these every captured picture counts as a change. */
  z.object({ type: z.literal('changed') }),
  /** Changes are not reported any more. */
  z.object({ type: z.literal('ungated') }),
  z.object({ type: z.literal('stop'), stream: z.number().int() }),
]);
/** Capture window → main. */
export const captureMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('codecs'), codecs: z.array(codecSchema).max(8) }),
  /** Wants to capture this monitor; waits for `granted`. */
  z.object({ type: z.literal('request'), display: displayIndex }),
  z.object({
    type: z.literal('frame'),
    stream: z.number().int(),
    codec: codecSchema,
    key: z.boolean(),
    ptsMs: z.number(),
    width: z.number().int(),
    height: z.number().int(),
    data: buffer,
  }),
  z.object({ type: z.literal('error'), stream: z.number().int(), message: text }),
]);
export type CaptureCommand = z.infer<typeof captureCommandSchema>;
export type CaptureMessage = z.infer<typeof captureMessageSchema>;
