/** `forward` and `proxy`: tunnels that last as long as the command. */
import { systemClock } from '../core/clock.ts';
import { LiteDeskError } from '../core/errors.ts';
import { Peer } from '../peer/peer.ts';
import { TunnelManager } from '../peer/tunnel/manager.ts';
import type { TunnelSpec } from '../peer/tunnel/spec.ts';
import { COMMON_OPTIONS, defaultDataDir, passwordFrom, pathFrom, serverFrom } from './options.ts';
import { Output } from './output.ts';
import type { CommandIo } from './output.ts';
import { printTunnels } from './tunnel-events.ts';

export const TUNNEL_OPTIONS = {
  ...COMMON_OPTIONS,
  path: { type: 'string' },
  'allow-plaintext': { type: 'boolean' },
} as const;

export const TUNNEL_HELP = `  --path auto|lan|tcp|udp|ipv6|relay   take this path only
  --allow-plaintext                    accept an unencrypted connection (by address there is no other)
`;

export interface TunnelValues {
  readonly data?: string | undefined;
  readonly json?: boolean | undefined;
  readonly server?: string | undefined;
  readonly key?: string | undefined;
  readonly password?: string | undefined;
  readonly 'password-stdin'?: boolean | undefined;
  readonly path?: string | undefined;
  readonly 'allow-plaintext'?: boolean | undefined;
}

/** Runs until interrupted. Exit codes: 0 ended by a signal, 1 failure. */
export async function runTunnels(
  specs: readonly TunnelSpec[],
  values: TunnelValues,
  io: CommandIo,
  onManager?: (manager: TunnelManager) => void,
): Promise<number> {
  const path = pathFrom(values.path);
  const output = new Output(io, values.json === true);
  const server = serverFrom(values.server, values.key, io.env);
  const password = await passwordFrom(values, io);
  const peer = await Peer.open({
    dataDir: values.data ?? defaultDataDir(io.env),
    desktop: null,
    overrides: { ...(server ? { server } : {}), share: false },
    probeNat: path === 'auto',
    log: (line) => output.note(line),
  });
  const allowPlaintext = values['allow-plaintext'] === true;
  const manager = new TunnelManager({
    peer,
    credentials: () => ({ password, path, allowPlaintext }),
    persistent: false,
    clock: systemClock,
  });
  const failed = printTunnels(manager, output);
  const cannotListen = new Promise<never>((_, reject) => {
    manager.on('changed', ({ id }) => {
      const status = manager.get(id);
      if (status?.state === 'failed' && status.error) reject(new LiteDeskError(status.error));
    });
  });
  onManager?.(manager);
  try {
    for (const spec of specs) manager.add(spec);
    await Promise.race([interrupted(io.signal), failed, cannotListen]);
    output.event({ event: 'closed', reason: 'done' }, 'Closed.');
    return 0;
  } finally {
    await manager.close();
    await peer.stop();
  }
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
