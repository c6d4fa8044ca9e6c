/** Under which port a UDP socket of ours is seen outside (rendezvous §9.5 (1)). */
import type { Socket as UdpSocket } from 'node:dgram';
import { decodeRendezvous, encodeRendezvous, normalizeHost } from '../core/wire/index.ts';
import type { HostPort } from '../core/wire/index.ts';

/** Times at which TestNatRequest leaves on the UDP socket (§9.1), until the answer is there. */
const UDP_PROBE_MS = [0, 5, 20, 50, 95, 160, 260, 400] as const;
const UDP_PROBE_TIMEOUT_MS = 700;

/** The UDP port under which the server sees the socket; 0 when no answer came, or the socket was closed. */
export function observedUdpPort(socket: UdpSocket, server: HostPort, signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    const timers: NodeJS.Timeout[] = [];
    const finish = (port: number): void => {
      for (const timer of timers) clearTimeout(timer);
      socket.off('message', onMessage);
      socket.off('close', onEnd);
      signal.removeEventListener('abort', onEnd);
      resolve(port);
    };
    const onEnd = (): void => finish(0);
    const onMessage = (data: Buffer, from: { address: string }): void => {
      if (normalizeHost(from.address) !== server.host) return;
      try {
        const port = decodeRendezvous(data).testNatResponse?.port ?? 0;
        if (port > 0 && port < 65536) finish(port);
      } catch {
        // Not an answer; go on waiting.
      }
    };
    signal.addEventListener('abort', onEnd, { once: true });
    socket.on('message', onMessage);
    // Whoever asks may give the socket up without waiting, when the server is not there over TCP.
    socket.once('close', onEnd);
    // As long as the answer, at least: a server sends nobody more than it got from there. A negative number takes ten bytes.
    const request = encodeRendezvous({ testNatRequest: { serial: -1 } });
    for (const delayMs of UDP_PROBE_MS)
      timers.push(setTimeout(() => socket.send(request, server.port, server.host, () => {}), delayMs));
    timers.push(setTimeout(() => finish(0), UDP_PROBE_TIMEOUT_MS));
    if (signal.aborted) finish(0);
  });
}
