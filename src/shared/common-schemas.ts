/** Parts that the schemas of the app share. */
import { STAGES } from '../core/errors.ts';
import { z } from './zod.ts';

/** Longest free text: a paste as keystrokes, a settings field. */
const MAX_TEXT = 65_536;
/** Longest name, id or address. */
export const MAX_NAME = 300;
/** Monitors of one computer. */
export const MAX_DISPLAYS = 64;
/** Coordinates of a virtual desktop fit in 16 bits on every platform. */
const MAX_COORDINATE = 65_535;

export const name = z.string().max(MAX_NAME);
export const text = z.string().max(MAX_TEXT);
export const sessionId = z.string().min(1).max(64);
export const displayIndex = z.number().int().min(0).max(MAX_DISPLAYS);
export const coordinate = z.number().min(-MAX_COORDINATE).max(MAX_COORDINATE);
export const pathSchema = z.enum(['lan', 'tcp', 'udp', 'ipv6', 'mapped', 'direct', 'relay']);

export const errorDataSchema = z.object({
  code: z.string().max(100),
  stage: z.enum(STAGES),
  message: text,
  hint: text,
});

/** An ArrayBuffer of whatever realm. */
export const buffer = z.custom<ArrayBuffer>((value) => Object.prototype.toString.call(value) === '[object ArrayBuffer]');
