/** `litedesk proxy ID [ADDR:]PORT`: an HTTP and SOCKS5 proxy here, whose connections leave from the other peer. */
import { parseArgs } from 'node:util';
import { proxySpecSchema } from '../../peer/tunnel/spec.ts';
import { UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';
import { runTunnels, TUNNEL_HELP, TUNNEL_OPTIONS } from '../run-tunnels.ts';

const HELP = `Usage: litedesk proxy ID [ADDR:]PORT [OPTIONS]

Listens on PORT of this computer (on 127.0.0.1 unless ADDR says otherwise; port 0 takes one that is free) for HTTP (CONNECT and
plain) and SOCKS5 (with UDP), on the same port. Connections leave from the other computer, and names are looked up there.

  --proxy-user USER                    clients must say this name and the password in LITEDESK_PROXY_PASSWORD
${TUNNEL_HELP}
The common options are those of \`litedesk --help\`.
`;

export async function proxyCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { ...TUNNEL_OPTIONS, 'proxy-user': { type: 'string' } },
  });
  if (values.help) {
    io.stdout.write(HELP);
    return 0;
  }
  const [peer, listen, extra] = positionals;
  if (peer === undefined || listen === undefined || extra !== undefined) throw new UsageError('give an ID and [ADDR:]PORT.');
  const match = /^(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(listen);
  if (!match) throw new UsageError(`"${listen}" is not of the form [ADDR:]PORT.`);
  const user = values['proxy-user'];
  const secret = io.env.LITEDESK_PROXY_PASSWORD;
  if (user !== undefined && !secret) throw new UsageError('--proxy-user needs a password in the variable LITEDESK_PROXY_PASSWORD.');
  const spec = proxySpecSchema.safeParse({
    id: 'proxy',
    peer,
    kind: 'proxy',
    ...(match[1] === undefined ? {} : { listenHost: match[1] === '*' ? '::' : match[1].replace(/^\[|\]$/g, '') }),
    listenPort: Number(match[2]),
    ...(user === undefined ? {} : { auth: { user, password: secret } }),
  });
  if (!spec.success) throw new UsageError(`${spec.error.issues[0]?.path.join('.')}: ${spec.error.issues[0]?.message}.`);
  return await runTunnels([spec.data], values, io);
}
