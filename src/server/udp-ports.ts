/** The UDP sockets of one server: the rendezvous, the single port, and the other port that NAT tests are answered from. */
import type { Clock } from '../core/clock.ts';
import { isRelayDatagram } from '../core/wire/index.ts';
import type { ServerLog } from './contract.ts';
import type { ServerLimits } from './limits.ts';
import type { ServerPorts } from './ports.ts';
import type { Relay } from './relay.ts';
import type { Rendezvous } from './rendezvous.ts';
import { RECEIVE_BUFFER_BYTES, UdpPort, type UdpPortOptions } from './udp-port.ts';

export interface UdpPortsOptions {
  readonly bind: string | undefined;
  readonly wanted: ServerPorts;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  /** Bytes asked of the system; 0 or undefined: the default. */
  readonly receiveBuffer: number | undefined;
  readonly rendezvous: Rendezvous;
  readonly relay: Relay;
  /** Several processes share the ports. */
  readonly reusePort: boolean;
  /** This process serves the rendezvous and the single port. */
  readonly serves: boolean;
  /** This process serves the relay. */
  readonly relays: boolean;
  /** Another address of this computer, from which NAT tests are answered as well. */
  readonly secondAddress: string | undefined;
  readonly log: ServerLog | undefined;
  /** Called with each one as soon as it is open. */
  readonly onOpen: (udp: UdpPort) => void;
}

/** @returns those of the rendezvous and of the single port. @throws LiteDeskError PORT_IN_USE and the like */
export async function openUdpPorts(options: UdpPortsOptions): Promise<readonly UdpPort[]> {
  const { bind, wanted, limits, clock, receiveBuffer, rendezvous, reusePort, log, onOpen } = options;
  const onError = (error: Error): void => log?.('warn', 'udp-socket-failed', { error: error.message });
  const common = { bind, limits, clock, onError, reusePort };
  const ports: UdpPort[] = [];
  if (options.serves)
    for (const port of new Set([wanted.rendezvous, wanted.single])) {
      if (port <= 0) continue;
      const onDatagram = port === wanted.single && options.relays ? either(rendezvous, options.relay) : rendezvous.onDatagram.bind(rendezvous);
      const udp = await UdpPort.open({ ...common, port, receiveBuffer, onDatagram });
      onOpen(udp);
      ports.push(udp);
      warnOfSmallBuffer(udp, receiveBuffer || RECEIVE_BUFFER_BYTES, log);
    }
  if (options.relays && wanted.relay > 0 && wanted.relay !== wanted.single)
    onOpen(await UdpPort.open({ ...common, port: wanted.relay, receiveBuffer, onDatagram: options.relay.onDatagram.bind(options.relay) }));
  const [main] = ports;
  if (main && wanted.natTest > 0 && wanted.rendezvous > 0) {
    const onDatagram = rendezvous.onNatTestDatagram.bind(rendezvous);
    const second = await UdpPort.open({ ...common, port: wanted.natTest, onDatagram });
    onOpen(second);
    main.pairWith(second);
  }
  if (main && options.secondAddress !== undefined) await main.pairAddress(options.secondAddress);
  return ports;
}

/** For the port where both are. */
function either(rendezvous: Rendezvous, relay: Relay): UdpPortOptions['onDatagram'] {
  return (bytes, from, path) => (isRelayDatagram(bytes) ? relay : rendezvous).onDatagram(bytes, from, path);
}

function warnOfSmallBuffer(udp: UdpPort, wantedBytes: number, log: ServerLog | undefined): void {
  if (udp.receiveBufferBytes >= wantedBytes) return;
  log?.('warn', 'udp-buffer-small', {
    bytes: udp.receiveBufferBytes,
    wanted: wantedBytes,
    hint: `Many computers that report at once may have to try again. On Linux: sysctl -w net.core.rmem_max=${wantedBytes}`,
  });
}
