import { isIPv4 } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { RandomBytes } from '../../core/crypto/random.ts';
import { isGlobalIPv6 } from '../own-ipv6.ts';
import type { Gateway, MapperNetwork } from './types.ts';

/** What the client of each protocol gets. */
export interface ClientOptions {
  readonly gateway: Gateway;
  readonly network: MapperNetwork;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** For how long ports are asked for, in seconds. */
  readonly leaseS: number;
  /** An answer showed that the gateway forgot its mappings. */
  readonly onReset: () => void;
}

/** Nobody is believed for longer than a day (RFC 6887 §15): it is asked again. */
const MAX_LIFETIME_S = 86_400;

/** What a gateway granted, within reason. */
export function clampLifetime(seconds: number): number {
  return Math.min(seconds, MAX_LIFETIME_S);
}

/** A number in [0, 1). */
export function fraction(random: RandomBytes): number {
  const [a = 0, b = 0] = random(2);
  return (a * 256 + b) / 65_536;
}

/** Asks to delete are repeated faster than the protocols say, but only once: they happen when the program ends. */
export const DELETE_WAITS_MS = [400, 800] as const;

/** An address that a gateway may say is its own outside; private ones are possible, behind a second NAT. */
export function isOutsideAddress(address: string): boolean {
  if (isGlobalIPv6(address)) return true;
  const [first = 0] = address.split('.').map(Number);
  return isIPv4(address) && first > 0 && first < 224 && first !== 127;
}
