/** Services on command lines and in files, with what can be said about them. */
import { LiteDeskError } from '../core/errors.ts';
import type { HealthCheck, ServiceOptions, ServiceSpec } from '../peer/publish/service-spec.ts';
import { parseService } from '../peer/publish/service-spec.ts';
import { UsageError } from './output.ts';

export const DEFAULT_HEALTH_INTERVAL_S = 10;

export const NO_OPTIONS: ServiceOptions = { allow: [], basicAuth: null, health: null, maxConnections: 0, bandwidthKbps: 0 };

/** Throws UsageError. */
export function readService(text: string, options: ServiceOptions): ServiceSpec {
  try {
    return parseService(text, options);
  } catch (error) {
    if (!(error instanceof LiteDeskError)) throw error;
    throw new UsageError(`${error.message} ${error.hint}`);
  }
}

/** Throws UsageError when two have the same name. */
export function checkNames(services: readonly ServiceSpec[]): void {
  const names = new Set<string>();
  for (const { name } of services) {
    if (names.has(name)) throw new UsageError(`Two services are called "${name}"; write NAME= before one of them.`);
    names.add(name);
  }
}

/** `USER:PASSWORD`; '' for none. Throws UsageError. */
export function readBasicAuth(text: string): ServiceSpec['basicAuth'] {
  if (text === '') return null;
  const colon = text.indexOf(':');
  if (colon < 1 || colon > 100 || colon === text.length - 1) throw new UsageError('A user and password are given as USER:PASSWORD.');
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** `tcp`, or an HTTP path; '' for none. Throws UsageError. */
export function readHealth(text: string, intervalS: number): HealthCheck | null {
  if (text === '') return null;
  if (text !== 'tcp' && !/^\/[\x21-\x7e]*$/.test(text)) throw new UsageError('A health check is tcp, or a path like /healthz.');
  return { path: text === 'tcp' ? null : text, intervalMs: 1000 * intervalS };
}

export const megabitsToKbps = (megabits: number): number => Math.ceil(megabits * 1000);
