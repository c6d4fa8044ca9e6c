/** The tunnels as the main window shows them. */
import { errorDataSchema, name, pathSchema } from './common-schemas.ts';
import { entryId, MAX_RULES, MAX_TUNNELS, ruleSchema, tunnelSchema } from './tunnels.ts';
import { z } from './zod.ts';

/** Seconds of transfer rates that are kept and drawn. */
export const RATE_SAMPLES = 60;
const rates = z.array(z.number().min(0)).max(RATE_SAMPLES);

/**
 * `starting`: not up yet; `ready`: connections are taken; `waiting`: the connection is lost and tried again in `retryInMs`;
 * `password`: the other computer wants one that is not known here; `failed`: it does not go on by itself (`error`).
 */
const TUNNEL_PHASES = ['stopped', 'starting', 'ready', 'waiting', 'password', 'failed'] as const;

const tunnelStatusSchema = z.object({
  id: entryId,
  phase: z.enum(TUNNEL_PHASES),
  /** What programs are told to use: `127.0.0.1:8080`, or a URL; empty while there is none. */
  address: name,
  /** How the other computer is reached; null while it is not. */
  path: pathSchema.nullable(),
  encrypted: z.boolean(),
  /** The other computer does not run LiteDesk: only the login of each connection is encrypted. */
  stock: z.boolean(),
  /** Open connections, and all since the tunnel came up. */
  streams: z.number().int().min(0),
  streamsTotal: z.number().int().min(0),
  /** Received from and sent to the other computer since the tunnel came up. */
  bytesIn: z.number().min(0),
  bytesOut: z.number().min(0),
  /** Bytes per second, one for each second, the newest last. */
  rates: z.object({ inBps: rates, outBps: rates }),
  retryInMs: z.number().nullable(),
  /** What went wrong last; stays while the tunnel is up when it was about a single connection. */
  error: errorDataSchema.nullable(),
});

export const tunnelsStateSchema = z.object({
  tunnels: z.array(z.object({ tunnel: tunnelSchema, status: tunnelStatusSchema, hasProxyPassword: z.boolean() })).max(MAX_TUNNELS),
  rules: z.array(ruleSchema).max(MAX_RULES),
  /** Kinds that have a viewer on this computer. */
  viewers: z.object({ rdp: z.boolean(), vnc: z.boolean() }),
});

export type TunnelStatus = z.infer<typeof tunnelStatusSchema>;
export type TunnelsState = z.infer<typeof tunnelsStateSchema>;
export type TunnelEntry = TunnelsState['tunnels'][number];
