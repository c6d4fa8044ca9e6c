/** The computer that the server plays in its self-test: an id that nobody else can register. */
import { createHash, createHmac } from 'node:crypto';
import { hostname } from 'node:os';

/** No client makes an id like it. */
const RESERVED = ':self-test:';

export interface SelfTestIdentity {
  readonly id: string;
  readonly uuid: Uint8Array;
}

/**
 * The same after a restart, and only who has the secret key knows its uuid. Nodes of one cluster have different ones,
 * and so has each key: its uuid could not be changed with the key.
 */
export function selfTestIdentity(host: string, port: number, secretKey: Uint8Array): SelfTestIdentity {
  const place = createHash('sha256').update(`${hostname()}|${host}|${port}|`).update(secretKey.subarray(32)).digest('hex').slice(0, 12);
  const id = `${RESERVED}${place}`;
  return { id, uuid: uuidOf(id, secretKey) };
}

export function isSelfTestId(id: string): boolean {
  return id.startsWith(RESERVED);
}

/** Whether a registration of a reserved id is by a node with our key, and not by somebody who wants to spoil the test. */
export function isOwnSelfTest(id: string, uuid: Uint8Array, secretKey: Uint8Array): boolean {
  return Buffer.compare(uuid, uuidOf(id, secretKey)) === 0;
}

function uuidOf(id: string, secretKey: Uint8Array): Uint8Array {
  return createHmac('sha256', secretKey).update(id).digest();
}
