/** The file of `litedesk host --tunnels FILE`: tunnels that come up with the host. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MAX_TUNNELS, tunnelSpecSchema, type TunnelSpec } from '../peer/tunnel/spec.ts';
import { MAX_SERVICES, type ServiceSpec } from '../peer/publish/service-spec.ts';
import { UsageError } from './output.ts';
import { checkNames, DEFAULT_HEALTH_INTERVAL_S, megabitsToKbps, readBasicAuth, readHealth, readService } from './service-options.ts';

const publishSchema = z.strictObject({
  /** As on the command line of `litedesk publish`. */
  service: z.string().max(1_000),
  /** On the server's public side, or by name to computers that the rules let (`litedesk forward ID PORT:NAME`). */
  to: z.enum(['server', 'peers']).default('server'),
  allow: z.array(z.string().max(64)).max(64).default([]),
  /** `USER:PASSWORD` */
  basicAuth: z.string().max(1_000).default(''),
  health: z.string().max(1_000).default(''),
  healthIntervalS: z.number().min(0.1).max(3_600).default(DEFAULT_HEALTH_INTERVAL_S),
  maxConnections: z.number().int().min(0).max(1_000_000).default(0),
  /** 0: the server's limit. */
  bandwidthMbps: z.number().min(0).max(100_000).default(0),
});

const fileSchema = z.strictObject({
  /** Passwords of the other computers, by ID; where one is missing, somebody there must accept. */
  passwords: z.record(z.string().max(300), z.string().max(1024)).default({}),
  tunnels: z.array(tunnelSpecSchema).max(MAX_TUNNELS).default([]),
  publish: z.array(publishSchema).max(2 * MAX_SERVICES).default([]),
});

export interface TunnelsFile {
  readonly tunnels: readonly TunnelSpec[];
  readonly passwords: Readonly<Record<string, string>>;
  /** Services on the server's public side, and those that other computers reach by name. */
  readonly published: readonly ServiceSpec[];
  readonly offered: readonly ServiceSpec[];
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
  const { tunnels, passwords, publish } = parsed.data;
  const services = (to: 'server' | 'peers'): ServiceSpec[] => publish.filter((entry) => entry.to === to).map(serviceOf);
  const [published, offered] = [services('server'), services('peers')];
  for (const list of [published, offered]) checkNames(list);
  return { tunnels, passwords, published, offered };
}

function serviceOf(entry: z.infer<typeof publishSchema>): ServiceSpec {
  const { allow, maxConnections } = entry;
  return readService(entry.service, {
    allow,
    maxConnections,
    basicAuth: readBasicAuth(entry.basicAuth),
    health: readHealth(entry.health, entry.healthIntervalS),
    bandwidthKbps: megabitsToKbps(entry.bandwidthMbps),
  });
}
