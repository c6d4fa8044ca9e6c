/** What the list of tunnels needs from whoever runs them: nothing here knows how a tunnel is carried. */
import type { AccessRule, StoredSecrets, Tunnel } from '../../shared/tunnels.ts';
import type { TunnelStatus } from '../../shared/tunnels-state.ts';

/** A tunnel as its runner sees it; rates are made from the counters. */
export type RunningStatus = Omit<TunnelStatus, 'id' | 'rates' | 'phase'> & { readonly phase: Exclude<TunnelStatus['phase'], 'stopped'> };

export interface RunningTunnel {
  readonly status: RunningStatus;
  /** Ends the listener and every stream; resolves when the port is free. */
  stop(): Promise<void>;
}

export interface TunnelEngine {
  /** Brings it up and keeps it up. What goes wrong is told by the status, never thrown. `onChange`: another phase, path or error. */
  start(tunnel: Tunnel, secrets: StoredSecrets, onChange: () => void): RunningTunnel;
  /** What others may reach through this computer from now on; connections that are not allowed any more end. */
  setRules(rules: readonly AccessRule[]): void;
}

export const STOPPED: Omit<TunnelStatus, 'id'> = {
  phase: 'stopped',
  address: '',
  path: null,
  encrypted: true,
  stock: false,
  streams: 0,
  streamsTotal: 0,
  bytesIn: 0,
  bytesOut: 0,
  rates: { inBps: [], outBps: [] },
  retryInMs: null,
  error: null,
};

const { rates: _rates, phase: _phase, ...nothing } = STOPPED;
/** Of a tunnel that is to run and cannot yet. */
export const NOTHING: Omit<RunningStatus, 'phase'> = nothing;
