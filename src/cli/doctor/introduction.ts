/** Registration, introduction and relay, played through by two ends on this computer. */
import { randomBytes } from 'node:crypto';
import { openIdPk } from '../../core/crypto/index.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { type HostPort, hbb } from '../../core/wire/index.ts';
import { formatHostPort, parseHostPort } from '../../net/index.ts';
import { openWsProbe, type ProbeChannel, relayUuid } from '../../net/probe/index.ts';
import { WIRE_VERSION } from '../../peer/version.ts';
import { type Finding, fail, findingOf, ok, round, warn } from './check.ts';
import { keyRefused, keyWrong, notIntroduced, notSigned, registerRefused, relayCut, relaySilent, silent, tooFrequent } from './errors.ts';
import { type Push, StandIn, type StandInIdentity } from './stand-in.ts';
import { at, openRelay, openRendezvous, publicKeyOf, step, type Target } from './target.ts';

const Result = hbb.RegisterPkResponse.Result;
const Failure = hbb.PunchHoleResponse.Failure;
const NO_BYTES = new Uint8Array(0);
const DEFAULT_RELAY_PORT = 21117;
/** Round trips through the relay. */
const ECHOES = 5;

/** Registers the doctor's own id, over UDP, else over TCP. */
export async function checkRegistration(
  target: Target,
  identity: StandInIdentity,
  udpWorks: boolean,
): Promise<{ finding: Finding; standIn: StandIn | null }> {
  const started = performance.now();
  const late = AbortSignal.timeout(10_000);
  try {
    const outcome = udpWorks ? await StandIn.byUdp(target, identity) : await StandIn.byTcp(target, identity);
    if (outcome instanceof StandIn)
      return { finding: ok(`Registered as ${identity.id} over ${outcome.via.toUpperCase()}.`, performance.now() - started), standIn: outcome };
    if (outcome === Result.TOO_FREQUENT)
      return {
        finding: warn(tooFrequent()),
        standIn: null,
      };
    return { finding: fail(registerRefused(Result[outcome] ?? String(outcome))), standIn: null };
  } catch (error) {
    return {
      finding: findingOf(error, silent(`Registration over ${udpWorks ? 'UDP' : 'TCP'}`, 'Ask whoever runs the server; its log names the reason.'), late),
      standIn: null,
    };
  }
}

export interface Introduction {
  readonly finding: Finding;
  /** Whether the signed id proves the key; `skip` when there was no introduction or no key. */
  readonly key: Finding | null;
  /** Where the server sees us, and the relay that it names; null: not introduced. */
  readonly push: Push | null;
}

/** Asks for the own id, as a controller does. */
export async function checkIntroduction(target: Target, standIn: StandIn, udpPort: number): Promise<Introduction> {
  const { late, options } = step(target);
  const { id, publicKey } = standIn.identity;
  let push: Push | null = null;
  const stop = standIn.onPush((seen) => (push ??= seen));
  const started = performance.now();
  let channel: ProbeChannel | undefined;
  try {
    channel = await openRendezvous(target, options);
    channel.send({
      punchHoleRequest: { id, licenceKey: target.key, natType: hbb.NatType.ASYMMETRIC, version: WIRE_VERSION, ...(udpPort > 0 ? { udpPort } : {}) },
    });
    const response = await channel.next((message) => message.punchHoleResponse, options.signal);
    const ms = performance.now() - started;
    if (!response.socketAddr?.length) {
      const failure = response.failure ?? Failure.ID_NOT_EXIST;
      const told = response.otherFailure ?? '';
      if (failure === Failure.LICENSE_MISMATCH || failure === Failure.LICENSE_OVERUSE || told !== '')
        return { finding: fail(keyRefused(told, target.key !== '')), key: null, push };
      return { finding: fail(notIntroduced(Failure[failure] ?? String(failure))), key: null, push };
    }
    const seen = push as Push | null;
    return {
      finding: ok(`Introduced to ourselves in ${round(ms)} ms${seen ? `; the server sees us at ${formatHostPort(seen.asker)}` : ''}.`, ms),
      key: signature(target, id, publicKey, response.pk ?? NO_BYTES),
      push: seen,
    };
  } catch (error) {
    // It was asked and pushed nothing, or its answer was lost.
    const what = late.aborted ? notIntroduced(push ? 'no answer came back' : 'its message never came') : silent('The introduction', '');
    return { finding: findingOf(error, what, late), key: null, push };
  } finally {
    stop();
    channel?.close();
  }
}

function signature(target: Target, id: string, pk: Uint8Array, signed: Uint8Array): Finding | null {
  const publicKey = publicKeyOf(target.key);
  if (!publicKey) return null;
  if (signed.length === 0)
    return warn(notSigned());
  const opened = openIdPk(signed, publicKey);
  if (opened?.id !== id || Buffer.compare(opened.pk, pk) !== 0) return fail(keyWrong('its signature is of another key'));
  return ok('The server signed our id with the secret of the configured key.');
}

/** `host[:port]` as servers name relays; '' : the port behind the rendezvous port. */
export function relayAddress(target: Target, named: string): HostPort {
  if (named === '') return at(target, target.ports.relay);
  try {
    return parseHostPort(named, DEFAULT_RELAY_PORT);
  } catch {
    return at(target, target.ports.relay);
  }
}

/** Two connections to the relay, joined as a session is, and what they say to each other. */
export async function checkRelay(target: Target, standIn: StandIn, relay: HostPort, wsUrl: string | null): Promise<Finding> {
  const name = wsUrl ?? formatHostPort(relay);
  const { late, options } = step(target, 6_000);
  const { id } = standIn.identity;
  const uuid = relayUuid();
  const open: ProbeChannel[] = [];
  const keep = async (opening: Promise<ProbeChannel>): Promise<ProbeChannel> => {
    const channel = await opening;
    open.push(channel);
    return channel;
  };
  try {
    const asker = await keep(openRendezvous(target, options));
    asker.send({ requestRelay: { id, uuid, relayServer: formatHostPort(relay), licenceKey: target.key } });
    await asker.next((message) => message.relayResponse, options.signal);
    const one = await keep(wsUrl === null ? openRelay(target, relay, options) : openWsProbe(wsUrl, options));
    const other = await keep(openRelay(target, relay, options));
    // As the two ends of a session say it: the controller names the id, the controlled side does not.
    one.send({ requestRelay: { id, uuid, licenceKey: target.key } });
    other.send({ requestRelay: { uuid, licenceKey: target.key } });
    const times: number[] = [];
    for (let i = 0; i < ECHOES; i++) {
      const said = new Uint8Array(randomBytes(64));
      const started = performance.now();
      one.sendPayload(said);
      other.sendPayload(await other.nextPayload(options.signal));
      const back = await one.nextPayload(options.signal);
      times.push(performance.now() - started);
      if (Buffer.compare(back, said) !== 0) throw relaySilent(name);
    }
    // The first one waited for the pairing.
    const ms = Math.min(...times);
    return ok(`The relay ${name} joined two connections; a round trip through it took ${round(ms)} ms.`, ms);
  } catch (error) {
    if (error instanceof LiteDeskError && error.code === 'PROBE_CLOSED') return fail(relayCut(name));
    return findingOf(error, relaySilent(name), late);
  } finally {
    for (const channel of open) channel.close();
  }
}
