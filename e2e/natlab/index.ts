export { labUnavailable } from './availability.ts';
export type { Capture } from './capture.ts';
export { LabHost, type FinishedCommand, type HostSpawnOptions } from './host.ts';
export { createLab, Lab, type HostPlace, type LabOptions } from './lab.ts';
export { NAT_KINDS, type NatKind } from './nat-kind.ts';
export { Probe } from './probe.ts';
