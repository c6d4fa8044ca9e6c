/** The way of a publisher to its server: the rendezvous port, PublishHello, and the native key exchange with the server itself. */
import type { LiteDeskError } from '../../core/errors.ts';
import { PAYLOAD_LIMITS } from '../../core/link.ts';
import { PUBLISH_SERVER_ID, PUBLISH_VERSION } from '../../core/publish/index.ts';
import { decodeRendezvous, encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { formatHostPort, type NetLink, type SecuredLink, secureAsController } from '../../net/index.ts';
import { aborted, serverUnreachable } from '../errors.ts';
import type { Identity } from '../identity.ts';
import { resolveServer, SERVER_CONNECT_TIMEOUT_MS } from '../rendezvous-client.ts';
import { routeTo, type ServerAddress } from '../server-address.ts';
import { dialServer } from '../server-link.ts';
import { followServerKey } from '../server-key.ts';
import { publishElsewhere, publishFull, publishNeedsKey, publishNotOffered } from './errors.ts';

const REPLY_TIMEOUT_MS = 10_000;
const KEY_BYTES = 32;
/** Dials in a row while other processes of the server answer; there are a few of them. */
const MAX_ELSEWHERE = 32;

export interface PublishConnectOptions {
  readonly server: ServerAddress;
  readonly identity: Identity;
  /** Of this run of the program. */
  readonly instance: Uint8Array;
  readonly signal: AbortSignal;
}

/**
 * A sealed link to the server that both ends have proven their keys on. Errors: SERVER_REFUSED, SERVER_UNREACHABLE, PUBLISH_…,
 * those of the key exchange, ABORTED.
 */
export async function connectToPublish(options: PublishConnectOptions): Promise<SecuredLink> {
  const name = formatHostPort(options.server);
  for (let tries = 1; ; tries++) {
    try {
      return await connectOnce(options, options.server.key);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'PUBLISH_ELSEWHERE' && tries < MAX_ELSEWHERE) continue;
      if (code !== 'HANDSHAKE_BAD_SIGNATURE') throw error;
      // It may have another key by now, which the one that we know vouches for.
      const key = await followServerKey(await resolveServer(options.server, options.signal), options.server, options.signal);
      if (key === null || key === options.server.key) throw error;
      return await connectOnce(options, key);
    }
  }

  async function connectOnce({ server, identity, instance, signal }: PublishConnectOptions, key: string): Promise<SecuredLink> {
    const hostKey = new Uint8Array(Buffer.from(key, 'base64'));
    if (hostKey.length !== KEY_BYTES) throw publishNeedsKey(name);
    const address = await resolveServer(server, signal);
    let link: NetLink;
    try {
      ({ link } = await dialServer({
        address,
        route: routeTo(server, 'id'),
        webSocket: true,
        maxPayload: PAYLOAD_LIMITS.handshake,
        timeoutMs: SERVER_CONNECT_TIMEOUT_MS,
        signal,
      }));
    } catch (cause) {
      throw signal.aborted ? aborted() : serverUnreachable(name, cause);
    }
    const secured = await greet(link, name, instance, signal, () =>
      secureAsController(link, {
        peerId: PUBLISH_SERVER_ID,
        hostKey,
        pinned: { key: hostKey, native: true },
        allowPlaintext: false,
        native: { identity },
        signal,
      }),
    );
    if (secured.native) return secured;
    secured.destroy();
    throw publishNotOffered(name);
  }
}

/** Says PublishHello, and goes on with `next` in the same turn as the answer comes, before another frame does. */
function greet<T>(link: NetLink, name: string, instance: Uint8Array, signal: AbortSignal, next: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: LiteDeskError): void => {
      settle();
      link.destroy(error);
      reject(error);
    };
    const onAbort = (): void => fail(aborted());
    const timer = setTimeout(() => fail(publishNotOffered(name)), REPLY_TIMEOUT_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    link.setHandlers({
      onFrame: (payload) => {
        const result = resultOf(payload);
        if (result === null) return;
        if (result === hbb.PublishReply.Result.OK) {
          settle();
          next().then(resolve, reject);
        } else if (result === hbb.PublishReply.Result.FULL) fail(publishFull(name));
        else if (result === hbb.PublishReply.Result.ELSEWHERE) fail(publishElsewhere(name));
        else fail(publishNotOffered(name));
      },
      // Servers that do not know the message close the connection.
      onClose: ({ error }) => fail(publishNotOffered(name, error)),
    });
    link.send(encodeRendezvous({ publishHello: { version: PUBLISH_VERSION, instance } }));
  });
}

/** Null: something else, like the server's offer to encrypt what we have said already (rendezvous §6.9). */
function resultOf(payload: Uint8Array): hbb.PublishReply.Result | null {
  try {
    return decodeRendezvous(payload).publishReply?.result ?? null;
  } catch {
    return null;
  }
}
