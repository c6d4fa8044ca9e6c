/** How far the clocks of this computer and the server are apart, where the server tells its time. */
import { get } from 'node:http';
import { get as getTls } from 'node:https';
import { type Finding, ok, skip, warn } from './check.ts';
import { clocksApart } from './errors.ts';
import { step, type Target } from './target.ts';

/** Tickets and invitations expire after minutes; below this nothing goes wrong. */
const NOTICEABLE_MS = 30_000;
/** The header has whole seconds. */
const RESOLUTION_MS = 1_000;

/** Asks a WebSocket or HTTP port of the server for a page, whose header carries the time. */
export async function checkClock(target: Target, ports: readonly number[], tls = false): Promise<Finding> {
  for (const port of ports) {
    const sentAt = Date.now();
    const date = await dateOf(target, port, tls);
    if (date === null) continue;
    const middle = (sentAt + Date.now()) / 2;
    const apart = date + RESOLUTION_MS / 2 - middle;
    if (Math.abs(apart) <= RESOLUTION_MS) return ok('The clocks of this computer and the server agree within a second.');
    const error = clocksApart(`${describe(Math.abs(apart))} ${apart > 0 ? 'ahead of' : 'behind'}`);
    return Math.abs(apart) < NOTICEABLE_MS ? ok(error.message) : warn(error);
  }
  return skip('The server does not tell its time.');
}

function dateOf(target: Target, port: number, tls: boolean): Promise<number | null> {
  const { options } = step(target, 2_000);
  return new Promise((resolve) => {
    const where = { host: target.host, port, path: '/', agent: false as const, signal: options.signal };
    const request = (tls ? getTls : get)({ ...where, ...(tls ? { rejectUnauthorized: false } : {}) }, (response) => {
      response.resume();
      const at = Date.parse(response.headers.date ?? '');
      resolve(Number.isFinite(at) ? at : null);
      request.destroy();
    });
    request.on('error', () => resolve(null));
  });
}

function describe(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
