/** The whole test of the network, over UDP and TCP, against one server. */
import { systemClock } from '../core/clock.ts';
import type { Observations } from '../core/nat/observation.ts';
import { type NatReport, natReport } from '../core/nat/report.ts';
import type { HostPort } from '../core/wire/index.ts';
import { probeUdp } from '../net/nat-probe.ts';
import { PathTcp } from './path-tcp.ts';

/**
 * Tests against the server at `server` (its main port; the one below is its second). `ports: 'one'`: it has no second port.
 * Never fails: what was not answered is `not-tested`.
 */
export async function probeNetwork(server: HostPort, ports: 'two' | 'one', signal: AbortSignal): Promise<NatReport> {
  const ended = new AbortController();
  const all = AbortSignal.any([signal, ended.signal]);
  const second = { host: server.host, port: server.port - 1 };
  const tcp = new PathTcp({ servers: ports === 'two' ? [server, second] : [server], signal: all, testFiltering: true, onSocket: (socket) => socket.destroy() });
  const nothing: Observations = { mappings: [], filters: [], reached: {}, localHosts: [] };
  try {
    const [udp, seen] = await Promise.all([probeUdp(server, all, systemClock).catch(() => nothing), tcp.observe()]);
    // A server without the test over UDP is silent too; one that has it tells whole addresses over TCP.
    const knows = seen.mappings.some((entry) => entry.seen.host !== '');
    const reached = { ...(knows || udp.mappings.length > 0 ? udp.reached : {}), tcp4: seen.mappings.length > 0 };
    return natReport({
      ...udp,
      mappings: [...udp.mappings, ...seen.mappings],
      filters: [...udp.filters, ...seen.filters],
      ...(seen.otherPorts === undefined ? {} : { otherPortsOverTcp: seen.otherPorts }),
      reached,
    });
  } finally {
    ended.abort();
  }
}
