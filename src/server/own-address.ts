/** Addresses of this computer, as far as it can tell. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** The first IPv4 address that others may reach; '' where there is none. */
export function firstAddress(): string {
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return own.find((entry) => entry.family === 'IPv4' && !entry.internal)?.address ?? '';
}

/** The address that others most likely reach this computer at; an operator behind a router knows better. */
export function invitationHost(bind: string | undefined): string {
  if (bind !== undefined && bind !== '::' && bind !== '0.0.0.0' && isIP(bind) !== 0) return bind;
  return firstAddress() || '127.0.0.1';
}
