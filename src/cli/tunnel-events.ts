/** What the commands about tunnels print, and how they run. */
import { LiteDeskError } from '../core/errors.ts';
import type { Connected } from '../peer/peer.ts';
import type { StreamsState } from '../peer/tunnel/peer-streams.ts';
import type { TunnelManager } from '../peer/tunnel/manager.ts';
import type { TunnelSpec } from '../peer/tunnel/spec.ts';
import { formatHostPort } from '../net/index.ts';
import type { Output } from './output.ts';
import { printPathChange } from './path-change.ts';

/** Prints the events of a manager. The returned promise rejects when a peer is given up, with the reason. */
export function printTunnels(manager: TunnelManager, output: Output): Promise<never> {
  manager.on('listening', ({ id, address }) => {
    const spec = manager.get(id)?.spec;
    const target = targetOf(spec);
    output.event(
      { event: 'listening', address: address.host, port: address.port, target, peer: spec?.peer ?? '' },
      `Listening on ${formatHostPort(address)} for ${target === 'proxy' ? `HTTP and SOCKS5 through ${spec?.peer}` : `${target} at ${spec?.peer}`}`,
    );
  });
  manager.on('failure', ({ error }) =>
    output.event({ event: 'failure', ...error }, `A connection failed: ${error.message} ${error.hint}`),
  );
  const known = new WeakSet<Connected>();
  const stockTold = new Set<string>();
  manager.on('stock', ({ peer, connection }) => {
    if (stockTold.has(peer)) return;
    stockTold.add(peer);
    printConnected(connection, output, true);
  });
  return new Promise((_, reject) => {
    manager.on('link', ({ peer, state }) => {
      printLink(peer, state, output, known);
      if (state.state === 'closed' && state.error) reject(new LiteDeskError(state.error));
    });
  });
}

function printLink(peer: string, state: StreamsState, output: Output, known: WeakSet<Connected>): void {
  if (state.state === 'open') {
    // It was only silent for a while.
    if (known.has(state.connection)) return;
    known.add(state.connection);
    printConnected(state.connection, output, false);
    state.connection.onPathChange((change) => printPathChange(change, output));
  } else if (state.state === 'searching')
    output.event(
      { event: 'reconnecting', reason: 'no way to it answers; others are looked for', code: 'TUNNEL_SEARCHING', retryInMs: 0 },
      `${peer} is silent; looking for another way to it.`,
    );
  else if (state.state === 'waiting')
    output.event(
      { event: 'reconnecting', reason: state.error.message, code: state.error.code, retryInMs: state.retryInMs },
      `${peer} is away: ${state.error.message} Trying again in ${(state.retryInMs / 1000).toFixed(1)} s.`,
    );
  else if (state.state === 'stock')
    output.note(`${peer} does not run LiteDesk: each connection logs in on its own, and is NOT END-TO-END ENCRYPTED past the login.`);
}

function targetOf(spec: TunnelSpec | undefined): string {
  if (spec?.kind === 'service') return `service:${spec.service}`;
  return spec?.kind === 'forward' ? `${spec.protocol}:${formatHostPort({ host: spec.targetHost, port: spec.targetPort })}` : 'proxy';
}

function printConnected(connection: Connected, output: Output, stock: boolean): void {
  // The login of a stock tunnel is encrypted, what follows is not (session §7.4).
  const encrypted = connection.encrypted && !stock;
  output.event(
    {
      event: 'connected',
      id: connection.peerId,
      path: connection.path,
      localAddress: connection.localAddress,
      remoteAddress: connection.remoteAddress,
      encrypted,
      ...(stock ? { stock, loginEncrypted: connection.encrypted } : {}),
      peerVerified: connection.peerVerified,
      elapsedMs: connection.elapsedMs,
      attempts: connection.attempts,
    },
    `Connected to ${connection.peerId}: ${connection.path}, ${connection.remoteAddress}, after ${connection.elapsedMs} ms, ` +
      (encrypted ? 'encrypted' : stock && connection.encrypted ? 'NOT END-TO-END ENCRYPTED past the login' : 'NOT ENCRYPTED'),
  );
}
