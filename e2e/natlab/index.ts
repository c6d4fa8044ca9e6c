export { labUnavailable } from './availability.ts';
export type { Capture } from './capture.ts';
export { type DelayShape, type DelayStats, type DirectionStats, delayUnavailable } from './delay.ts';
export { LabHost, type FinishedCommand, type HostSpawnOptions } from './host.ts';
export { createLab, Lab, PUBLIC_LOOKING, type HostPlace, type LabOptions } from './lab.ts';
export { type Miniupnpd, miniupnpdUnavailable, type MiniupnpdOptions, startMiniupnpd } from './miniupnpd.ts';
export { NAT_KINDS, type NatKind } from './nat-kind.ts';
export { Probe } from './probe.ts';
