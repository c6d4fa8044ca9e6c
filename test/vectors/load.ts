/** Loads recorded exchanges (README.md here and in session/) for the tests of any layer. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A message as the recording tells it: spec field names, enum names, defaults absent, bytes in hex. */
export type Decoded = { readonly [field: string]: unknown };

export interface RendezvousStep {
  readonly from: 'client' | 'server';
  readonly transport: 'udp' | 'tcp' | 'ws';
  /** The server's port. */
  readonly port: number;
  /** Which socket. */
  readonly conn: string;
  readonly at_ms: number;
  /** The datagram, the TCP frame with its header, or one WebSocket message; absent for an event. */
  readonly hex?: string;
  readonly decoded?: Decoded;
  readonly event?: 'close';
  readonly canonical?: false;
  readonly note?: string;
}

/** An id that must be registered before the steps. `uuid` and `pk` in hex. */
export interface NeededPeer {
  readonly id: string;
  readonly uuid: string;
  readonly pk: string;
}

export interface RendezvousVector {
  readonly name: string;
  readonly description: string;
  /** Base64 of the public key. */
  readonly server_key: string;
  readonly server_options: string;
  readonly needs?: readonly NeededPeer[];
  readonly hosts?: Readonly<Record<string, string>>;
  readonly lab?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly setup?: string;
  readonly uuid?: string;
  readonly local_port?: number;
  readonly steps: readonly RendezvousStep[];
}

export interface KeysVector {
  readonly server: { readonly seed: string; readonly id_ed25519: string; readonly public_key: string };
  readonly devices: Readonly<Record<string, { readonly seed: string; readonly pk: string }>>;
  readonly signed: readonly {
    readonly pk_field: string;
    readonly verify_key: string;
    readonly id: string;
    readonly device_pk: string;
    readonly seen_in: string;
  }[];
}

export interface AddressesVector {
  readonly addresses: readonly {
    readonly hex: string;
    readonly addr: string;
    readonly unix_us_low32?: number;
    readonly seen_in: string;
  }[];
}

/** What one frame of a session carries: in clear, or sealed with its content in `plain` and its counter in `nonce`. */
export interface RecordedFrame {
  readonly from: 'controller' | 'controlled' | 'server';
  readonly hex: string;
  readonly decoded: Decoded;
  readonly plain?: string;
  readonly nonce?: number;
}

export interface SessionStep extends Partial<RecordedFrame> {
  readonly from: 'controller' | 'controlled' | 'server';
  readonly transport: 'tcp' | 'udp' | 'kcp' | 'relay';
  readonly ms: number;
  /** Only between a peer and the server or relay itself: who receives it. */
  readonly peer?: 'controller' | 'controlled' | 'server';
  /** In punch files: whose capture, and the addresses on it. */
  readonly view?: string;
  readonly src?: string;
  readonly dst?: string;
  /** A TCP segment without data. */
  readonly flags?: string;
}

export interface SessionVector {
  readonly name: string;
  readonly description: string;
  readonly server_sign_seed?: string;
  readonly host_sign_seed?: string;
  readonly keys?: {
    readonly sym_key?: string;
    readonly controller_eph_sk?: string;
    readonly box_sk?: string;
    readonly host_box_pk?: string;
    readonly host_sign_pk?: string;
  };
  readonly password?: string;
  readonly host_id?: string;
  readonly steps: readonly SessionStep[];
  /** In KCP files: the frames inside the stream; `step` is the index of the datagram that completed each. */
  readonly frames?: readonly (RecordedFrame & { readonly step: number })[];
}

function load<T>(path: string): T {
  return JSON.parse(readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8')) as T;
}

function names(folder: string): string[] {
  return readdirSync(fileURLToPath(new URL(folder, import.meta.url)))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** Names of all rendezvous exchanges, without keys and addresses. */
export function rendezvousNames(): string[] {
  return names('./rendezvous').filter((name) => name !== 'keys' && name !== 'addresses');
}

export function loadRendezvous(name: string): RendezvousVector {
  return load(`./rendezvous/${name}.json`);
}

export function loadKeys(): KeysVector {
  return load('./rendezvous/keys.json');
}

export function loadAddresses(): AddressesVector {
  return load('./rendezvous/addresses.json');
}

export function sessionNames(): string[] {
  return names('./session');
}

export function loadSession(name: string): SessionVector {
  return load(`./session/${name}.json`);
}

/** @throws Error when `hex` is no whole number of hex bytes, so that a broken recording is not read as a shorter one. */
export function fromHex(hex: string): Uint8Array {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  if (bytes.length * 2 !== hex.length) throw new Error(`not hex: ${hex.slice(0, 40)}`);
  return bytes;
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
