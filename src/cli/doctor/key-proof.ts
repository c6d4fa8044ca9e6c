/** Whether the server holds the secret of the configured key: by the encrypted connection that it offers (rendezvous §6.9). */
import { clientKeyExchange, SealedStream } from '../../core/crypto/index.ts';
import { decodeRendezvous, encodeRendezvous } from '../../core/wire/index.ts';
import type { ProbeChannel } from '../../net/probe/index.ts';
import { type Finding, findingOf, fail, ok, skip } from './check.ts';
import { keyWrong, silent } from './errors.ts';
import { openRendezvous, publicKeyOf, step, type Target } from './target.ts';

/** ms for the greeting: servers send it to a client that says nothing for some 200 ms. */
const GREETING_MS = 2_500;

/**
 * `ok`: it answered inside the encryption, which nobody can who has not the secret, also not who recorded a greeting.
 * `skip`: it offers none (stock hbbs); the signed id of an introduction has to prove it.
 */
export async function proveKey(target: Target): Promise<Finding> {
  const publicKey = publicKeyOf(target.key);
  if (target.single?.ws) return skip('There is no encrypted connection of this kind over WebSocket.');
  if (!publicKey) return skip('No public key is configured, so there is nothing to prove.');
  let channel: ProbeChannel | undefined;
  const greeting = step(target, GREETING_MS);
  const { late, options } = step(target);
  try {
    channel = await openRendezvous(target, options);
    let offered;
    try {
      offered = await channel.next((message) => message.keyExchange, greeting.options.signal);
    } catch (error) {
      if (target.signal.aborted) throw error;
      return skip('The server offers no encrypted connection, as stock hbbs does not.');
    }
    const exchange = clientKeyExchange(offered, publicKey);
    if (!exchange) return fail(keyWrong(''));
    channel.sendPayload(exchange.answer);
    const sealed = new SealedStream(exchange.sessionKey);
    channel.sendPayload(sealed.seal(encodeRendezvous({ testNatRequest: { serial: 3 } })));
    const answered = await channel
      .nextPayload(options.signal)
      .then((payload) => decodeRendezvous(sealed.open(payload)).union === 'testNatResponse')
      // It closed, or sealed with another key.
      .catch((error: unknown) => {
        if (late.aborted || target.signal.aborted) throw error;
        return false;
      });
    if (!answered) return fail(keyWrong('it could not go on with the encrypted connection'));
    return ok('The server answered inside an encrypted connection, which takes the secret of the configured key.');
  } catch (error) {
    return findingOf(error, silent('The encrypted connection', 'Check the key, and whether a proxy in between cuts silent connections.'), late);
  } finally {
    channel?.close();
  }
}
