/** The file of `litedesk host --tunnels FILE`: tunnels that come up with the host. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MAX_TUNNELS, tunnelSpecSchema, type TunnelSpec } from '../peer/tunnel/spec.ts';
import { UsageError } from './output.ts';

const fileSchema = z.strictObject({
  /** Passwords of the other computers, by ID; where one is missing, somebody there must accept. */
  passwords: z.record(z.string().max(300), z.string().max(1024)).default({}),
  tunnels: z.array(tunnelSpecSchema).max(MAX_TUNNELS),
});

export interface TunnelsFile {
  readonly tunnels: readonly TunnelSpec[];
  readonly passwords: Readonly<Record<string, string>>;
}

/** Throws UsageError, which names the place in the file. */
export function readTunnelsFile(path: string): TunnelsFile {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`--tunnels ${path}: ${(error as Error).message}`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 5).map(({ path: where, message }) => `${where.join('.') || 'the file'}: ${message}`);
    throw new UsageError(`--tunnels ${path}: ${issues.join('; ')}`);
  }
  const seen = new Set<string>();
  for (const { id } of parsed.data.tunnels) {
    if (seen.has(id)) throw new UsageError(`--tunnels ${path}: there are two tunnels with the id "${id}".`);
    seen.add(id);
  }
  return parsed.data;
}
