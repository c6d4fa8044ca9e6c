import { join } from 'node:path';
import type { LabHost } from './host.ts';
import { JsonRequests } from './json-requests.ts';

export interface Received {
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

export interface DialOutcome {
  readonly ok: boolean;
  readonly ms: number;
  readonly localPort?: number;
  readonly error?: string;
}

/** Plain sockets on a host of the lab, driven from the test: measures what a NAT does, with nothing of LiteDesk in it. */
export class Probe {
  readonly #requests: JsonRequests;

  constructor(host: LabHost) {
    this.#requests = new JsonRequests(
      host.spawn(process.execPath, [join(import.meta.dirname, 'probe-script.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
  }

  /** Binds a UDP socket and gives its port; with `reflect`, it tells every sender the address it is seen under. */
  async udpOpen(options: { port?: number; reflect?: boolean; ipv6?: boolean } = {}): Promise<number> {
    return ((await this.#requests.ask('udpOpen', options)) as { port: number }).port;
  }

  /** The address of this host that is routed over IPv6; throws where it has none. */
  async ownIPv6(): Promise<string> {
    return ((await this.#requests.ask('ownIPv6', {})) as { address: string }).address;
  }

  async udpSend(from: number, host: string, port: number, text: string): Promise<void> {
    await this.#requests.ask('udpSend', { from, host, port, text });
  }

  /** The next datagram that came to that port, or null after `timeoutMs`. */
  async udpNext(port: number, timeoutMs: number): Promise<Received | null> {
    return (await this.#requests.ask('udpNext', { port, timeoutMs })) as Received | null;
  }

  /** The address under which a reflector sees this UDP port. */
  async udpSeenAs(from: number, reflector: { host: string; port: number }): Promise<string> {
    await this.udpSend(from, reflector.host, reflector.port, 'who am I');
    const answer = await this.udpNext(from, 5_000);
    if (answer === null) throw new Error('the reflector did not answer');
    return answer.text;
  }

  /** Listens for TCP and gives the port; each connection is told the address it came from. */
  async tcpListen(port = 0): Promise<number> {
    return ((await this.#requests.ask('tcpListen', { port })) as { port: number }).port;
  }

  async tcpNext(port: number, timeoutMs: number): Promise<unknown> {
    return this.#requests.ask('tcpNext', { port, timeoutMs });
  }

  /** Starts a dial and leaves it pending; ask {@link tcpOutcome} for its end. */
  async tcpDial(host: string, port: number, localPort = 0): Promise<number> {
    return ((await this.#requests.ask('tcpDial', { host, port, localPort })) as { id: number }).id;
  }

  /** How that dial ended, or null while it is pending after `timeoutMs`. */
  async tcpOutcome(id: number, timeoutMs: number): Promise<DialOutcome | null> {
    return (await this.#requests.ask('tcpOutcome', { id, timeoutMs })) as DialOutcome | null;
  }

  async tcpTold(id: number, timeoutMs: number): Promise<string | null> {
    return (await this.#requests.ask('tcpTold', { id, timeoutMs })) as string | null;
  }

  async tcpClose(id: number): Promise<void> {
    await this.#requests.ask('tcpClose', { id });
  }
}
