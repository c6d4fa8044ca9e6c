/** Under what name clients reach the server, where that is not an address of this computer. */
import { LiteDeskError } from '../core/errors.ts';

export interface PublicAddress {
  /** '' : found out. */
  readonly host: string;
  /** Absent: the server's own. */
  readonly port?: number;
  /** A single port behind it, and how it is reached; absent: as the server's own ports say. */
  readonly entry?: { readonly single: true; readonly tls: boolean; readonly ws: boolean };
}

const SCHEMES = {
  single: { tls: false, ws: false, port: 443 },
  tls: { tls: true, ws: false, port: 443 },
  wss: { tls: true, ws: true, port: 443 },
  ws: { tls: false, ws: true, port: 80 },
} as const;

/**
 * Reads `HOST[:PORT]`, with `wss://`, `tls://`, `ws://` or `single://` before it where a proxy's port carries everything.
 * @throws LiteDeskError USAGE
 */
export function parsePublicAddress(text: string | undefined): PublicAddress {
  if (text === undefined || text === '') return { host: '' };
  const match = /^(?:([a-z]+):\/\/)?(?:\[([0-9a-f:.]+)\]|([^\s:/?#[\]@]+)|([0-9a-f]*:[0-9a-f:.]+))(?::(\d{1,5}))?\/?$/i.exec(text);
  const name = match?.[1]?.toLowerCase();
  const scheme = name === undefined ? undefined : SCHEMES[name as keyof typeof SCHEMES];
  const port = match?.[5] === undefined ? scheme?.port : Number(match[5]);
  if (!match || (name !== undefined && !scheme) || (port !== undefined && (port < 1 || port > 0xffff)))
    throw new LiteDeskError({
      code: 'USAGE',
      stage: 'usage',
      message: `--public-host ${text} is no address.`,
      hint: 'Give a name, with :PORT where it is another one, and wss:// before it behind a web proxy: wss://desk.example.org.',
    });
  return {
    host: match[2] ?? match[3] ?? match[4] ?? '',
    ...(port === undefined ? {} : { port }),
    ...(scheme ? { entry: { single: true, tls: scheme.tls, ws: scheme.ws } } : {}),
  };
}
