/** A tunnel as the manager runs it, and as it stands in a file for `litedesk host --tunnels`. */
import { z } from 'zod';
import { isServiceName } from '../../core/publish/index.ts';

/** Tunnels of one computer. */
export const MAX_TUNNELS = 200;
const MAX_HOST = 253;

const port = z.number().int().min(1).max(65535);
const host = z
  .string()
  .min(1)
  .max(MAX_HOST)
  .regex(/^[^\s\p{Cc}/]+$/u, 'a host name or an address');

const common = {
  /** Chosen by who makes it; unique. */
  id: z.string().regex(/^[\w.-]{1,64}$/, 'letters, digits, dots and dashes'),
  /** For people; may be empty. */
  name: z.string().max(100).default(''),
  /** ID or address of the other computer. */
  peer: z.string().min(1).max(300),
  /** Loopback unless told: who else reaches the port goes through the tunnel, too. */
  listenHost: host.default('127.0.0.1'),
  /** 0: one that is free, another each time. */
  listenPort: z.number().int().min(0).max(65535).default(0),
  enabled: z.boolean().default(true),
};

export const forwardSpecSchema = z.strictObject({
  ...common,
  kind: z.literal('forward'),
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
  /** As the other computer sees it. */
  targetHost: host,
  targetPort: port,
});

/** As forward, to something that the other computer offers by name. */
export const serviceSpecSchema = z.strictObject({
  ...common,
  kind: z.literal('service'),
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
  service: z.string().refine(isServiceName, 'letters, digits, dots and dashes'),
});

export const proxySpecSchema = z.strictObject({
  ...common,
  kind: z.literal('proxy'),
  /** What clients of the proxy must say; without it everybody who reaches the port is served. */
  auth: z.strictObject({ user: z.string().min(1).max(255), password: z.string().min(1).max(255) }).optional(),
});

export const tunnelSpecSchema = z.discriminatedUnion('kind', [forwardSpecSchema, serviceSpecSchema, proxySpecSchema]);

export type TunnelSpec = z.infer<typeof tunnelSpecSchema>;
export type ForwardSpec = z.infer<typeof forwardSpecSchema>;
export type ServiceTunnelSpec = z.infer<typeof serviceSpecSchema>;
