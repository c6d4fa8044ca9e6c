/** The doctor's round: every test in its place, each told as soon as it and those before it are done. */
import { isIP } from 'node:net';
import { fingerprint } from '../../core/crypto/index.ts';
import type { Fact } from '../../core/nat/observation.ts';
import type { HostPort } from '../../core/wire/index.ts';
import { probeNetwork } from '../../peer/network-probe.ts';
import type { SinglePort } from '../../peer/server-address.ts';
import { formatHostPort } from '../../net/index.ts';
import { asWarning, type Check, type CheckStatus, type Finding, skip, warn } from './check.ts';
import { checkClock } from './clock.ts';
import { keyIsText, noKey } from './errors.ts';
import { checkIntroduction, checkRegistration, checkRelay, type Introduction, relayAddress } from './introduction.ts';
import { proveKey } from './key-proof.ts';
import { checkFiltering, checkNat, checkNetwork, consoleHint } from './nat.ts';
import { testPortMapping } from './port-mapping.ts';
import { checkDns, checkListens, checkTcp, checkTls, checkUdp, checkUdpNatTest, checkWs } from './ports.ts';
import { standInIdentity } from './stand-in.ts';
import { at, publicKeyOf, type DoctorPorts, type Target, wsUrl } from './target.ts';
import type { VerdictFacts } from './verdict.ts';

export interface DoctorInput {
  /** Name or address, and the ports. */
  readonly name: string;
  readonly ports: DoctorPorts;
  readonly key: string;
  /** Everything is on the rendezvous port, reached like this. */
  readonly single: SinglePort | null;
  readonly dataDir: string;
  readonly signal: AbortSignal;
  /** Another port that carries everything; 0: none given. */
  readonly singlePort: number;
  readonly onCheck: (check: Check) => void;
}

/** What the test of port mapping says about the network. */
const OPENS_PORTS: Readonly<Record<CheckStatus, Fact>> = { ok: 'yes', warn: 'no', fail: 'no', skip: 'not-tested' };

const WS_USE = 'Only clients behind proxies and in browsers need it; open the port, or let a proxy pass WebSocket on.';
const NAT_TEST_USE = 'Without it clients do not know whether holes can be punched: open the port below the rendezvous port for TCP.';

/** Runs all tests; resolves to what the verdict says. Rejects only when the signal aborts. */
export async function runDoctor(input: DoctorInput): Promise<VerdictFacts> {
  const checks: Check[] = [];
  const tell = (name: string, finding: Finding): Finding => {
    const check = { name, ...finding };
    checks.push(check);
    input.onCheck(check);
    return finding;
  };
  const { finding: dns, addresses } = await checkDns(input.name, input.signal);
  tell('dns', dns);
  const [host] = addresses;
  if (host === undefined) return { checks, udp: null, relayMs: null, nat: 'NAT unknown', address: null, key: null };
  const target: Target = { name: input.name, host, ports: input.ports, key: input.key, single: input.single, signal: input.signal };
  const { ports, single } = target;
  const unused = (what: string): Finding => skip(`${what} is not used: this server carries everything on port ${ports.rendezvous}.`);

  const loopback = host.startsWith('127.') || host === '::1';

  // All at once; told in the order of the list.
  const tcp = checkTcp(target, ports.rendezvous);
  const natTest = tcp.then(({ seen }) => (single ? { finding: unused('The port of the second NAT test'), seen: null } : checkTcp(target, ports.natTest, seen?.local)));
  const udp = checkUdp(target, ports.rendezvous);
  const udpNatTest = udp.then(({ times }) =>
    times ? checkUdpNatTest(target, ports.rendezvous) : { finding: skip('The UDP NAT test was not made: the port does not answer over UDP.'), seen: null },
  );
  const oneWs = checkWs(target, wsUrl(target, at(target, ports.rendezvous), '/ws/id', single?.tls), true);
  const ws = single ? unused('The port for WebSocket') : checkWs(target, wsUrl(target, at(target, ports.ws)), true);
  const relayTcp = single ? unused('The port of the relay') : checkListens(target, ports.relay);
  const relayWs = single ? unused('The port of the relay for WebSocket') : checkWs(target, wsUrl(target, at(target, ports.relayWs)), false);
  const network = probeNetwork(at(target, ports.rendezvous), single || ports.natTest !== ports.rendezvous - 1 ? 'one' : 'two', input.signal);
  const key = proveKey(target);
  const portMapping = loopback ? skip('Port mapping was not tested: the server is on this computer.') : testPortMapping(input.dataDir, input.signal);
  const clock = checkClock(target, single ? [ports.rendezvous] : [ports.ws, input.singlePort || ports.rendezvous], single?.tls === true);
  const others = (single ? [] : addresses.slice(1)).map((address) => ({ address, result: checkTcp({ ...target, host: address }, ports.rendezvous) }));

  const isOnePort = (await oneWs).status === 'ok';
  /** What only servers on the classic ports have. */
  const classic = (finding: Finding): Finding =>
    isOnePort && finding.status === 'fail' ? skip(`${finding.detail} This server carries everything on port ${ports.rendezvous}.`) : finding;
  const seenFirst = await tcp;
  tell('tcp-rendezvous', seenFirst.finding);
  const udpResult = await udp;
  const udpWorks = udpResult.times !== null;
  const registration = seenFirst.finding.status === 'fail' && !udpWorks ? null : await checkRegistration(target, standInIdentity(input.dataDir), udpWorks);
  // Without UDP a client of ours registers over TCP, where the server takes that.
  tell('udp-rendezvous', !udpWorks && (single !== null || registration?.standIn) ? asWarning(udpResult.finding) : udpResult.finding);
  const seenUdp = await udpNatTest;
  tell('udp-nat-test', seenUdp.finding);
  const seenSecond = await natTest;
  const consoles = loopback && seenSecond.finding.status === 'fail' ? consoleHint({ host, port: ports.natTest }) : NAT_TEST_USE;
  tell('tcp-nat-test', asWarning(classic(seenSecond.finding), consoles));
  tell('websocket', asWarning(classic(await ws), WS_USE));
  if (isOnePort) tell('one-port', { ...(await oneWs), detail: `Port ${ports.rendezvous} carries WebSocket too.` });
  for (const { address, result } of others)
    tell(`tcp-rendezvous ${address}`, asWarning((await result).finding, 'Clients that take this address first wait for it: repair it, or remove it from the name.'));
  if (input.singlePort > 0) await checkSingle(target, input.singlePort, tell);
  else if (single?.tls || isOnePort || ports.rendezvous === 443) tell('tls', asWarning(await checkTls(target, ports.rendezvous)));

  const standIn = registration?.standIn ?? null;
  tell('registration', registration?.finding ?? skip('Nothing answers, so nothing could be registered.'));
  let introduction: Introduction | null = null;
  let relayMs: number | null = null;
  let relayed: Finding = skip('The relay was not tested: that takes an introduction.');
  try {
    if (standIn) introduction = await checkIntroduction(target, standIn, seenUdp.seen?.seen ?? 0);
    tell('introduction', introduction?.finding ?? skip('The introduction was not tested: that takes a registration.'));
    tell('key', keyFinding(target, await key, introduction?.key ?? null));
    const relay = relayAddress(target, introduction?.push?.relayServer ?? '');
    if (standIn && introduction?.finding.status === 'ok') {
      relayed = await checkRelay(target, standIn, relay, null);
      relayMs = relayed.status === 'ok' ? (relayed.ms ?? null) : null;
    }
    const isOwn = relay.host === host && relay.port === ports.relay;
    const listens = await relayTcp;
    tell('tcp-relay', isOwn ? classic(listens) : asWarning(classic(listens), `The server sends clients to ${formatHostPort(relay)} instead.`));
    tell('relay', consoleOf(relayed, relay, loopback));
    const relayWsListens = await relayWs;
    tell(
      'relay-websocket',
      relayMs !== null && relayWsListens.status === 'ok' && standIn
        ? asWarning(await checkRelay(target, standIn, relay, wsUrl(target, at(target, ports.relayWs))), WS_USE)
        : asWarning(classic(relayWsListens), WS_USE),
    );
  } finally {
    standIn?.close();
  }

  const nat = checkNat({
    first: seenFirst.seen,
    second: seenSecond.seen,
    udp: seenUdp.seen,
    publicAddress: introduction?.push?.asker ?? null,
  });
  tell('nat-mapping', nat.mapping);
  const report = await network;
  tell('nat-filtering', nat.word === 'no NAT' ? nat.filtering : (checkFiltering(report) ?? nat.filtering));
  const opened = tell('port-mapping', await portMapping);
  tell('network', checkNetwork({ ...report, facts: { ...report.facts, 'port-mapping': OPENS_PORTS[opened.status] } }));
  tell('clock', await clock);
  return {
    checks,
    udp: udpResult.times,
    relayMs,
    nat: nat.word,
    address: host,
    key: checks.find((check) => check.name === 'key')?.status ?? null,
  };
}

async function checkSingle(target: Target, port: number, tell: (name: string, finding: Finding) => Finding): Promise<void> {
  const [tcp, udp, ws, tls] = await Promise.all([
    checkTcp(target, port),
    checkUdp(target, port),
    checkWs(target, wsUrl(target, at(target, port), '/ws/id'), true),
    checkTls(target, port),
  ]);
  tell('one-port tcp', tcp.finding);
  tell('one-port udp', asWarning(udp.finding));
  tell('one-port websocket', asWarning(ws));
  tell('one-port tls', isIP(target.name) !== 0 ? asWarning(tls, 'Certificates name hosts: give the name of the server instead of its address.') : asWarning(tls));
}

/** The stronger proof first; then what the signature of an introduction says. */
function keyFinding(target: Target, proof: Finding, signed: Finding | null): Finding {
  if (target.key === '')
    return warn(noKey());
  if (!publicKeyOf(target.key))
    return warn(keyIsText());
  const finding = proof.status !== 'skip' ? proof : (signed ?? skip(`${proof.detail} There was no introduction to prove the key by.`));
  return { ...finding, detail: `${finding.detail} The configured key is ${fingerprint(target.key)}.` };
}

function consoleOf(finding: Finding, relay: HostPort, loopback: boolean): Finding {
  return loopback && finding.status === 'fail' ? { ...finding, hint: `${finding.hint ?? ''} ${consoleHint(relay)}`.trim() } : finding;
}
