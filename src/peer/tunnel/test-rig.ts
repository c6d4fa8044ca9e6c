/** Two muxes over TCP with a dialer behind the far one, for the tests of this folder. */
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { systemClock } from '../../core/clock.ts';
import { Mux, type StreamTarget } from '../../core/mux/index.ts';
import { tcpPair } from '../../net/test-pairs.ts';
import { Dialer, type DialerOptions, type StreamAudit } from './dialer.ts';
import type { OpenStream } from './forward.ts';
import { parseTunnelRule } from './rule-text.ts';
import { RuleBook } from './rules.ts';

export interface TunnelRig {
  readonly near: Mux;
  readonly far: Mux;
  readonly audits: StreamAudit[];
  /** Resolves to the next line of the audit that there is, or comes. */
  nextAudit(): Promise<StreamAudit>;
  readonly open: OpenStream;
  close(): void;
}

export async function tunnelRig(rules: readonly string[], options: Partial<DialerOptions> = {}): Promise<TunnelRig> {
  const [a, b, closePair] = await tcpPair();
  const book = new RuleBook(rules.map(parseTunnelRule));
  const audits: StreamAudit[] = [];
  const waiting: ((line: StreamAudit) => void)[] = [];
  let told = 0;
  const dialer = new Dialer({
    asker: { peerId: '111', proven: false },
    rules: () => book,
    audit: (line) => {
      audits.push(line);
      const next = waiting.shift();
      if (next) {
        told++;
        next(line);
      }
    },
    now: () => systemClock.now(),
    ...options,
  });
  const near = new Mux({ link: a, clock: systemClock, role: 'connecting' });
  const far = new Mux({ link: b, clock: systemClock, role: 'accepting', onStream: dialer.take });
  return {
    near,
    far,
    audits,
    nextAudit: () => {
      const line = audits[told];
      if (!line) return new Promise((resolve) => waiting.push(resolve));
      told++;
      return Promise.resolve(line);
    },
    open: (target: StreamTarget) => Promise.resolve(near.open(target)),
    close: () => {
      near.close();
      closePair();
    },
  };
}

/** A TCP server on the loopback; `port` is where. */
export async function serve(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address ? address.port : 0 };
}
