/** `litedesk forward ID [udp:][ADDR:]PORT:HOST:PORT…`: listens here, dials from the other peer. */
import { parseArgs } from 'node:util';
import { forwardSpecSchema, MAX_TUNNELS, type ForwardSpec } from '../../peer/tunnel/spec.ts';
import { formatHostPort } from '../../net/index.ts';
import { openViewer } from '../../peer/tunnel/viewer.ts';
import { UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';
import { runTunnels, TUNNEL_HELP, TUNNEL_OPTIONS } from '../run-tunnels.ts';

const HELP = `Usage: litedesk forward ID [udp:][ADDR:]PORT:HOST:PORT… [OPTIONS]

Listens on PORT of this computer (on 127.0.0.1 unless ADDR says otherwise; port 0 takes one that is free), and connects each
connection with HOST:PORT as the other computer sees it. What may be reached there is decided there:
\`litedesk host --allow tcp:HOST:PORT\`.

  --open rdp|vnc                       start the viewer of this computer on the (only) port
${TUNNEL_HELP}
The common options are those of \`litedesk --help\`.
`;

export async function forwardCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { ...TUNNEL_OPTIONS, open: { type: 'string' } },
  });
  if (values.help) {
    io.stdout.write(HELP);
    return 0;
  }
  const [peer, ...texts] = positionals;
  if (peer === undefined || texts.length === 0) throw new UsageError('give an ID and at least one PORT:HOST:PORT.');
  if (texts.length > MAX_TUNNELS) throw new UsageError(`at most ${MAX_TUNNELS} ports at once.`);
  const { open } = values;
  if (open !== undefined && ((open !== 'rdp' && open !== 'vnc') || texts.length > 1))
    throw new UsageError('--open takes rdp or vnc, with a single port.');
  const specs = texts.map((text, index) => parseForward(text, peer, `forward-${index + 1}`));
  return await runTunnels(specs, values, io, (manager) => {
    if (open)
      manager.on('listening', ({ address }) => {
        openViewer(open, formatHostPort({ ...address, host: isAny(address.host) ? '127.0.0.1' : address.host })).catch((error: unknown) => io.stderr.write(`${(error as Error).message}\n`));
      });
  });
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Reads one forward of the command line. Throws UsageError. */
export function parseForward(text: string, peer: string, id: string): ForwardSpec {
  const match = /^(udp:|tcp:)?(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5}):(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(text);
  if (!match) throw new UsageError(`"${text}" is not of the form [udp:][ADDR:]PORT:HOST:PORT.`);
  const [, protocol, address, listenPort, host, port] = match;
  const bare = (part: string | undefined): string => (part ?? '').replace(/^\[|\]$/g, '');
  const spec = forwardSpecSchema.safeParse({
    id,
    peer,
    kind: 'forward',
    protocol: protocol === 'udp:' ? 'udp' : 'tcp',
    ...(address === undefined ? {} : { listenHost: address === '*' ? '::' : bare(address) }),
    listenPort: Number(listenPort),
    targetHost: bare(host),
    targetPort: Number(port),
  });
  if (!spec.success) throw new UsageError(`"${text}": ${spec.error.issues[0]?.path.join('.')} ${spec.error.issues[0]?.message}.`);
  return spec.data;
}
