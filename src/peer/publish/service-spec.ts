/** A service that this computer publishes: what the command line, a file and the app's page say of it. */
import { hostName, isServiceName, MAX_PROGRAMS, PUBLIC_KINDS, type PublicKind } from '../../core/publish/index.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { parseHostPort } from '../../net/index.ts';
import type { HostPort } from '../../core/wire/index.ts';

export interface HealthCheck {
  /** Null: a TCP connection is enough. Else an HTTP path that must answer below 400. */
  readonly path: string | null;
  readonly intervalMs: number;
}

export interface ServiceSpec {
  readonly name: string;
  readonly kind: PublicKind;
  /** Programs here that answer, in turn. */
  readonly backends: readonly HostPort[];
  /** A port of the server for tcp and udp, a host name for http and https; '' : the server chooses. */
  readonly where: string;
  /** Networks that may connect; none: all. */
  readonly allow: readonly string[];
  readonly basicAuth: { readonly user: string; readonly password: string } | null;
  readonly health: HealthCheck | null;
  /** 0: the server's limit. */
  readonly maxConnections: number;
  readonly bandwidthKbps: number;
}

export const MAX_SERVICES = 64;

/** What is the same for all services of one command. */
export type ServiceOptions = Pick<ServiceSpec, 'allow' | 'basicAuth' | 'health' | 'maxConnections' | 'bandwidthKbps'>;

/**
 * Reads `[NAME=]KIND:HOST:PORT[,HOST:PORT…][@WHERE]`; `KIND:PORT` is of this computer. A name that is not given is made of kind,
 * place and port. @throws LiteDeskError SERVICE_INVALID
 */
export function parseService(text: string, options: ServiceOptions): ServiceSpec {
  const match = /^(?:([^=:@]+)=)?([a-z]+):([^@]+)(?:@(.+))?$/.exec(text.trim());
  const kind = PUBLIC_KINDS.find((known) => known === match?.[2]);
  if (!match || !kind) throw invalid(text, 'Write [NAME=]KIND:HOST:PORT[@WHERE] with KIND tcp, udp, http or https.');
  const backends = (match[3] ?? '').split(',').map((backend) => readBackend(backend, text));
  const [first] = backends;
  if (!first || backends.length > MAX_PROGRAMS) throw invalid(text, `One to ${MAX_PROGRAMS} programs can answer.`);
  const where = match[4] ?? '';
  checkWhere(kind, where, text);
  const name = match[1] ?? (where === '' ? `${kind}-${first.port}` : `${kind}-${where}`);
  if (!isServiceName(name)) throw invalid(text, 'A name has up to 63 letters, digits, dots and dashes.');
  if (options.basicAuth && kind !== 'http') throw invalid(text, 'A password can be asked for by services of kind http only.');
  return { name, kind, backends, where, ...options };
}

function readBackend(text: string, whole: string): HostPort {
  if (/^\d{1,5}$/.test(text)) return readBackend(`127.0.0.1:${text}`, whole);
  try {
    const backend = parseHostPort(text);
    if (backend.port > 0) return backend;
  } catch {
    // Said below.
  }
  throw invalid(whole, `"${text}" is not HOST:PORT.`);
}

function checkWhere(kind: PublicKind, where: string, whole: string): void {
  if (where === '') return;
  if (kind === 'tcp' || kind === 'udp') {
    if (!/^\d{1,5}$/.test(where) || Number(where) > 0xffff) throw invalid(whole, "Behind @ stands one of the server's ports.");
  } else if (hostName(where) === null) throw invalid(whole, 'Behind @ stands a host name.');
}

function invalid(text: string, hint: string): LiteDeskError {
  return new LiteDeskError({
    code: 'SERVICE_INVALID',
    stage: 'usage',
    message: `“${text.slice(0, 200)}” is not a service that can be published.`,
    hint,
  });
}
