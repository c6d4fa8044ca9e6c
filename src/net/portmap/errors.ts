import { LiteDeskError } from '../../core/errors.ts';
import type { MappingVia, ViaState } from './types.ts';

/** What came of asking a gateway by one protocol. */
export class PortMapError extends Error {
  override readonly name = 'PortMapError';
  readonly state: Exclude<ViaState, 'works' | 'not-asked'>;
  /** The gateway asked to be left alone for so long, in ms; 0: it did not say. */
  readonly retryAfterMs: number;

  constructor(state: 'refused' | 'no-answer', reason: string, retryAfterMs = 0) {
    super(reason);
    this.state = state;
    this.retryAfterMs = retryAfterMs;
  }
}

export function noAnswer(reason = ''): PortMapError {
  return new PortMapError('no-answer', reason);
}

export function refused(reason: string, retryAfterMs = 0): PortMapError {
  return new PortMapError('refused', reason, retryAfterMs);
}

export function noGateway(): LiteDeskError {
  return new LiteDeskError({
    code: 'PORT_MAP_NO_GATEWAY',
    stage: 'punch',
    message: 'This computer has no gateway that could be asked for a port.',
    hint: 'Check the network connection of this computer.',
  });
}

export function noPortMapping(gateway: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PORT_MAP_NO_ANSWER',
    stage: 'punch',
    message: `The gateway ${gateway} opens no ports on request: it answers neither PCP nor NAT-PMP nor UPnP.`,
    hint: 'Switch on UPnP or PCP in the settings of the router; without it other direct paths and the relay are used.',
  });
}

export function portRefused(gateway: string, reasons: readonly { via: MappingVia; reason: string }[]): LiteDeskError {
  const said = reasons.map(({ via, reason }) => `${via}: ${reason}`).join('; ');
  return new LiteDeskError({
    code: 'PORT_MAP_REFUSED',
    stage: 'punch',
    message: `The gateway ${gateway} refused to open a port (${said}).`,
    hint: 'Allow port mapping for this computer in the settings of the router; without it other paths are used.',
  });
}

export function tooManyMappings(limit: number): LiteDeskError {
  return new LiteDeskError({
    code: 'PORT_MAP_LIMIT',
    stage: 'punch',
    message: `No more than ${limit} ports are kept open at the gateway.`,
    hint: 'Give up a port that is not needed any more.',
  });
}
