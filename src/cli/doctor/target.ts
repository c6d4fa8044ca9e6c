/** What the doctor looks at, and how long it waits. */
import type { HostPort } from '../../core/wire/index.ts';
import { openTcpProbe, openWsProbe, type ProbeChannel, type ProbeOptions } from '../../net/probe/index.ts';
import type { SinglePort } from '../../peer/server-address.ts';

export interface DoctorPorts {
  readonly rendezvous: number;
  readonly natTest: number;
  readonly relay: number;
  readonly ws: number;
  readonly relayWs: number;
}

/** The classic layout (rendezvous §1), with what the user said. */
export function doctorPorts(rendezvous: number, given: Partial<Omit<DoctorPorts, 'rendezvous'>>): DoctorPorts {
  const relay = given.relay ?? rendezvous + 1;
  return {
    rendezvous,
    natTest: given.natTest ?? rendezvous - 1,
    relay,
    ws: given.ws ?? rendezvous + 2,
    relayWs: given.relayWs ?? relay + 2,
  };
}

export interface Target {
  /** As the user wrote it. */
  readonly name: string;
  /** The address under test. */
  readonly host: string;
  readonly ports: DoctorPorts;
  /** What clients send as licence key and check signatures with; ''. none. */
  readonly key: string;
  /** Everything is on the rendezvous port, reached like this; null: the classic ports. */
  readonly single: SinglePort | null;
  /** The user's interruption. */
  readonly signal: AbortSignal;
}

/** ms for one test; the slowest healthy server on the worst link answers sooner. */
export const STEP_MS = 4_000;

export function at(target: Target, port: number): HostPort {
  return { host: target.host, port };
}

/** A signal that ends with the user's interruption or after `ms`, and options of a probe that go with it. */
export function step(target: Target, ms = STEP_MS): { late: AbortSignal; options: ProbeOptions } {
  const late = AbortSignal.timeout(ms);
  return { late, options: { signal: AbortSignal.any([target.signal, late]), timeoutMs: ms } };
}

/** 32 bytes of a base64 key, or null when it is no public key. */
export function publicKeyOf(key: string): Uint8Array | null {
  return /^[A-Za-z0-9+/]{43}=$/.test(key) ? new Uint8Array(Buffer.from(key, 'base64')) : null;
}

/** A connection to the rendezvous server, the way its clients take. */
export function openRendezvous(target: Target, options: ProbeOptions): Promise<ProbeChannel> {
  return open(target, at(target, target.ports.rendezvous), '/ws/id', options);
}

/** A connection to the relay. */
export function openRelay(target: Target, relay: HostPort, options: ProbeOptions): Promise<ProbeChannel> {
  return open(target, relay, '/ws/relay', options);
}

function open(target: Target, address: HostPort, path: string, options: ProbeOptions): Promise<ProbeChannel> {
  const { single, name } = target;
  if (single?.ws) return openWsProbe(wsUrl(target, address, path, single.tls), { ...options, anyCertificate: true });
  return openTcpProbe(address, single?.tls ? { ...options, tlsName: name, anyCertificate: true } : options);
}

export function wsUrl(target: Target, { host, port }: HostPort, path = '/', tls = false): string {
  // A certificate, and a proxy that serves several names, want the name.
  const shown = tls && host === target.host ? target.name : host;
  return `${tls ? 'wss' : 'ws'}://${shown.includes(':') ? `[${shown}]` : shown}:${port}${path}`;
}
