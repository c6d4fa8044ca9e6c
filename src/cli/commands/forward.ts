/** `litedesk forward ID [udp:][ADDR:]PORT:HOST:PORT…`, or `PORT:SERVICE`: listens here, dials from the other peer. */
import { parseArgs } from 'node:util';
import { forwardSpecSchema, MAX_TUNNELS, serviceSpecSchema, type ForwardSpec, type ServiceTunnelSpec } from '../../peer/tunnel/spec.ts';
import { formatHostPort } from '../../net/index.ts';
import { openViewer } from '../../peer/tunnel/viewer.ts';
import { UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';
import { runTunnels, TUNNEL_HELP, TUNNEL_OPTIONS } from '../run-tunnels.ts';

const HELP = `Usage: litedesk forward ID [udp:][ADDR:]PORT:HOST:PORT|SERVICE… [OPTIONS]

Listens on PORT of this computer (on 127.0.0.1 unless ADDR says otherwise; port 0 takes one that is free), and connects each
connection with HOST:PORT as the other computer sees it, or with SERVICE, which it offers by that name. What may be reached
there is decided there: \`litedesk host --allow tcp:HOST:PORT\`, or \`--offer SERVICE=tcp:HOST:PORT --allow service:SERVICE\`.

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

/** What listens here: protocol, address, port. */
const LISTEN = String.raw`^(udp:|tcp:)?(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5}):`;
const TO_PLACE = new RegExp(String.raw`${LISTEN}(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$`);
/** Not a number: ADDR:PORT:NAME would else be taken for PORT:HOST:PORT, or the other way round. */
const TO_SERVICE = new RegExp(String.raw`${LISTEN}((?!\d+$)[A-Za-z0-9][\w.-]*)$`);

/** Reads one forward of the command line. Throws UsageError. */
export function parseForward(text: string, peer: string, id: string): ForwardSpec | ServiceTunnelSpec {
  const toService = TO_SERVICE.exec(text);
  const match = toService ?? TO_PLACE.exec(text);
  if (!match) throw new UsageError(`"${text}" is not of the form [udp:][ADDR:]PORT:HOST:PORT or [udp:][ADDR:]PORT:SERVICE.`);
  const [, protocol, address, listenPort, target, port] = match;
  const common = {
    id,
    peer,
    protocol: protocol === 'udp:' ? 'udp' : 'tcp',
    ...(address === undefined ? {} : { listenHost: address === '*' ? '::' : bare(address) }),
    listenPort: Number(listenPort),
  };
  const spec = toService
    ? serviceSpecSchema.safeParse({ ...common, kind: 'service', service: target })
    : forwardSpecSchema.safeParse({ ...common, kind: 'forward', targetHost: bare(target), targetPort: Number(port) });
  if (!spec.success) throw new UsageError(`"${text}": ${spec.error.issues[0]?.path.join('.')} ${spec.error.issues[0]?.message}.`);
  return spec.data;
}

function bare(part: string | undefined): string {
  return (part ?? '').replace(/^\[|\]$/g, '');
}
