import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabHost } from './host.ts';

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
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #serial = 0;

  constructor(host: LabHost) {
    this.#child = host.spawn(process.execPath, [join(import.meta.dirname, 'probe-script.mjs')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      const answer = JSON.parse(line) as { serial: number; value?: unknown; error?: string };
      const waiting = this.#pending.get(answer.serial);
      this.#pending.delete(answer.serial);
      if (answer.error === undefined) waiting?.resolve(answer.value);
      else waiting?.reject(new Error(answer.error));
    });
    this.#child.once('exit', () => {
      for (const waiting of this.#pending.values()) waiting.reject(new Error('the probe ended'));
      this.#pending.clear();
    });
  }

  /** Binds a UDP socket and gives its port; with `reflect`, it tells every sender the address it is seen under. */
  async udpOpen(options: { port?: number; reflect?: boolean; ipv6?: boolean } = {}): Promise<number> {
    return ((await this.#ask('udpOpen', options)) as { port: number }).port;
  }

  /** The address of this host that is routed over IPv6; throws where it has none. */
  async ownIPv6(): Promise<string> {
    return ((await this.#ask('ownIPv6', {})) as { address: string }).address;
  }

  async udpSend(from: number, host: string, port: number, text: string): Promise<void> {
    await this.#ask('udpSend', { from, host, port, text });
  }

  /** The next datagram that came to that port, or null after `timeoutMs`. */
  async udpNext(port: number, timeoutMs: number): Promise<Received | null> {
    return (await this.#ask('udpNext', { port, timeoutMs })) as Received | null;
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
    return ((await this.#ask('tcpListen', { port })) as { port: number }).port;
  }

  async tcpNext(port: number, timeoutMs: number): Promise<unknown> {
    return this.#ask('tcpNext', { port, timeoutMs });
  }

  /** Starts a dial and leaves it pending; ask {@link tcpOutcome} for its end. */
  async tcpDial(host: string, port: number, localPort = 0): Promise<number> {
    return ((await this.#ask('tcpDial', { host, port, localPort })) as { id: number }).id;
  }

  /** How that dial ended, or null while it is pending after `timeoutMs`. */
  async tcpOutcome(id: number, timeoutMs: number): Promise<DialOutcome | null> {
    return (await this.#ask('tcpOutcome', { id, timeoutMs })) as DialOutcome | null;
  }

  async tcpTold(id: number, timeoutMs: number): Promise<string | null> {
    return (await this.#ask('tcpTold', { id, timeoutMs })) as string | null;
  }

  async tcpClose(id: number): Promise<void> {
    await this.#ask('tcpClose', { id });
  }

  #ask(command: string, args: object): Promise<unknown> {
    this.#serial += 1;
    const serial = this.#serial;
    return new Promise((resolve, reject) => {
      this.#pending.set(serial, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ serial, command, ...args })}\n`);
    });
  }
}
