/** Addresses of this computer, as far as it can tell. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isGlobalIPv6 } from '../net/own-ipv6.ts';

/** The first IPv4 address that others may reach; '' where there is none. */
export function firstAddress(): string {
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return own.find((entry) => entry.family === 'IPv4' && !entry.internal)?.address ?? '';
}

/** The same of IPv6; one that is routed in the Internet before those of a site. */
function firstIPv6(): string {
  const own = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => entry.family === 'IPv6' && !entry.internal && !/^fe[89ab]/i.test(entry.address))
    .map((entry) => entry.address);
  return own.find(isGlobalIPv6) ?? own[0] ?? '';
}

/** The address that others most likely reach this computer at; an operator behind a router knows better. */
export function invitationHost(bind: string | undefined): string {
  if (bind !== undefined && bind !== '::' && bind !== '0.0.0.0' && isIP(bind) !== 0) return bind;
  return firstAddress() || firstIPv6() || '127.0.0.1';
}
