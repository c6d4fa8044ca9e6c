/** Whether each port answers, over UDP, TCP, WebSocket and TLS, and as what. */
import { isIP } from 'node:net';
import { formatHostPort, resolveHost } from '../../net/index.ts';
import { openTcpProbe, openWsProbe, type ProbeChannel, UdpProbe } from '../../net/probe/index.ts';
import { fail, type Finding, findingOf, ok, round, skip, warn } from './check.ts';
import { noUdpNatTest, silent, udpLoss, wrongSource } from './errors.ts';
import { at, openRendezvous, step, type Target } from './target.ts';

/** What one TCP NAT test saw: the port of ours that the server names, and the local one. */
export interface SeenPort {
  readonly seen: number;
  readonly local: number;
  readonly localHost: string;
}

const OPEN_TCP = 'Open the port for TCP in the firewalls of the server, and forward it on its router.';
const OPEN_UDP = 'Open the port for UDP in the firewalls of the server, and forward it on its router; some networks block UDP.';
const UDP_PROBES = 5;

/** All addresses, and the one that is tested: IPv4 first, as clients do for punching. */
export async function checkDns(name: string, signal: AbortSignal): Promise<{ finding: Finding; addresses: string[] }> {
  if (isIP(name) !== 0) return { finding: skip(`${name} is an address, no name to look up.`), addresses: [name] };
  const started = performance.now();
  try {
    const addresses = await resolveHost(name, { signal });
    const sorted = [...addresses.filter((address) => isIP(address) === 4), ...addresses.filter((address) => isIP(address) === 6)];
    return { finding: ok(`${name} is ${sorted.join(', ')}.`, performance.now() - started), addresses: sorted };
  } catch (error) {
    return { finding: findingOf(error, silent('The name service', 'Check the DNS settings of this computer.'), signal), addresses: [] };
  }
}

/** A TCP NAT test (rendezvous §6.8): any server of this wire answers it. */
async function askNatTest(channel: ProbeChannel, signal: AbortSignal): Promise<number> {
  channel.send({ testNatRequest: { serial: 3 } });
  return channel.next((message) => message.testNatResponse?.port, signal);
}

/** Rendezvous or NAT test port over TCP. */
export async function checkTcp(
  target: Target,
  port: number,
  localPort?: number,
): Promise<{ finding: Finding; seen: SeenPort | null }> {
  const { late, options } = step(target);
  const started = performance.now();
  let channel: ProbeChannel | undefined;
  try {
    const isMain = port === target.ports.rendezvous;
    channel = isMain && target.single ? await openRendezvous(target, options) : await openTcpProbe(at(target, port), { ...options, reusable: true, localPort });
    const connected = performance.now() - started;
    const seen = await askNatTest(channel, options.signal);
    const answered = performance.now() - started;
    const { local } = channel;
    return {
      finding: ok(`Port ${port} answers over TCP; connecting took ${round(connected)} ms, the answer ${round(answered - connected)} ms.`, connected),
      seen: { seen, local: local.port, localHost: local.host },
    };
  } catch (error) {
    return { finding: findingOf(error, silent(`TCP ${formatHostPort(at(target, port))}`, OPEN_TCP), late), seen: null };
  } finally {
    channel?.close();
  }
}

/** Only whether somebody listens: what a relay says first it says to nobody. */
export async function checkListens(target: Target, port: number): Promise<Finding> {
  const { late, options } = step(target);
  try {
    const channel = await openTcpProbe(at(target, port), options);
    channel.close();
    return ok(`Port ${port} accepts connections.`, channel.openMs);
  } catch (error) {
    return findingOf(error, silent(`TCP ${formatHostPort(at(target, port))}`, OPEN_TCP), late);
  }
}

/** WebSocket at a URL; with `speaks` it must answer a NAT test too. */
export async function checkWs(target: Target, url: string, speaks: boolean): Promise<Finding> {
  const { late, options } = step(target);
  let channel: ProbeChannel | undefined;
  try {
    channel = await openWsProbe(url, options);
    if (speaks) await askNatTest(channel, options.signal);
    return ok(`${url} answers.`, channel.openMs);
  } catch (error) {
    return findingOf(error, silent(url, OPEN_TCP), late);
  } finally {
    channel?.close();
  }
}

export async function checkTls(target: Target, port: number): Promise<Finding> {
  const { late, options } = step(target);
  let channel: ProbeChannel | undefined;
  try {
    channel = await openTcpProbe(at(target, port), { ...options, tlsName: target.name });
    await askNatTest(channel, options.signal);
    const { protocol = '', validTo = '' } = channel.tls ?? {};
    return ok(`Port ${port} answers through ${protocol} with a trusted certificate, valid until ${validTo}.`, channel.openMs);
  } catch (error) {
    return findingOf(error, silent(`TLS at port ${port}`, 'Check that the server has a certificate (--tls-cert, --tls-key).'), late);
  } finally {
    channel?.close();
  }
}

export interface UdpTimes {
  readonly minMs: number;
  readonly averageMs: number;
  readonly maxMs: number;
  readonly lost: number;
  readonly sent: number;
}

/** Heartbeats of an id that nobody has: any server answers that it wants the registration (rendezvous §5.7). */
export async function checkUdp(target: Target, port: number): Promise<{ finding: Finding; times: UdpTimes | null }> {
  const asked = at(target, port);
  const name = formatHostPort(asked);
  let probe: UdpProbe | undefined;
  try {
    probe = await UdpProbe.open(asked);
    const times: number[] = [];
    for (let i = 0; i < UDP_PROBES; i++) {
      const { options } = step(target, times.length === 0 && i > 0 ? 1_000 : 2_000);
      const started = performance.now();
      try {
        const from = await probe.ask(
          { registerPeer: { id: 'doctor-probe' } },
          asked,
          (message, source) => (message.registerPeerResponse ? source : null),
          options.signal,
        );
        times.push(performance.now() - started);
        if (from.host !== asked.host || from.port !== asked.port)
          return { finding: fail(wrongSource(name, formatHostPort(from))), times: null };
      } catch (error) {
        if (target.signal.aborted) throw error;
      }
    }
    if (times.length === 0)
      return { finding: fail(silent(`UDP ${name}`, OPEN_UDP)), times: null };
    const minMs = Math.min(...times);
    const maxMs = Math.max(...times);
    const averageMs = times.reduce((sum, ms) => sum + ms, 0) / times.length;
    const lost = UDP_PROBES - times.length;
    const result = { minMs: round(minMs), averageMs: round(averageMs), maxMs: round(maxMs), lost, sent: UDP_PROBES };
    const detail = `Port ${port} answers over UDP; round trip ${result.minMs} / ${result.averageMs} / ${result.maxMs} ms (least, mean, most).`;
    if (lost > 0)
      return {
        finding: warn(udpLoss(detail, `${lost} of ${UDP_PROBES}`)),
        times: result,
      };
    return { finding: ok(detail, averageMs), times: result };
  } catch (error) {
    return { finding: findingOf(error, silent(`UDP ${name}`, OPEN_UDP), target.signal), times: null };
  } finally {
    probe?.close();
  }
}

/** The UDP NAT test, which only newer servers answer: without it there is no UDP hole punching between stock clients. */
export async function checkUdpNatTest(target: Target, port: number): Promise<{ finding: Finding; seen: SeenPort | null }> {
  const { late, options } = step(target, 1_500);
  let probe: UdpProbe | undefined;
  try {
    probe = await UdpProbe.open(at(target, port));
    const seen = await probe.ask({ testNatRequest: {} }, at(target, port), (message) => message.testNatResponse?.port, options.signal);
    return { finding: ok(`The UDP NAT test is answered; the server sees our port ${probe.port} as ${seen}.`), seen: { seen, local: probe.port, localHost: '' } };
  } catch (error) {
    if (late.aborted)
      return {
        finding: warn(noUdpNatTest()),
        seen: null,
      };
    return { finding: findingOf(error, silent('The UDP NAT test', OPEN_UDP), late), seen: null };
  } finally {
    probe?.close();
  }
}
