/** `litedesk host`: a peer that others may connect to, without a window. */
import { parseArgs } from 'node:util';
import { noServer } from '../../peer/errors.ts';
import { Peer } from '../../peer/peer.ts';
import type { ControllerStanding } from '../../peer/pins.ts';
import { describeStream } from '../../peer/tunnel/dialer.ts';
import { describeViolation } from '../../peer/tunnel/tunnel-host.ts';
import { TunnelManager } from '../../peer/tunnel/manager.ts';
import { parseTunnelRule, type TunnelRule } from '../../peer/tunnel/rule-text.ts';
import { COMMON_OPTIONS, defaultDataDir, passwordFrom, serverFrom } from '../options.ts';
import { Output, UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';
import { printPathChange } from '../path-change.ts';
import { checkNames, NO_OPTIONS, readService } from '../service-options.ts';
import { printTunnels } from '../tunnel-events.ts';
import { readTunnelsFile } from '../tunnels-file.ts';
import { printPublisher } from './publish.ts';

const STANDING: Readonly<Record<ControllerStanding, string>> = {
  known: 'known',
  new: 'not connected before',
  unproven: 'ID not proven',
  changed: 'NOT THE COMPUTER THAT HAD THIS ID BEFORE',
};

const HELP = `Usage: litedesk host [OPTIONS]

Others may connect to this machine; there is no picture, since this command has no window. Without a password one is
made up and printed. The common options are those of \`litedesk --help\`.

  --allow RULE              what others may reach from here, repeatable: tcp:HOST:PORT[-PORT][@PEER], udp:…, service:NAME[@PEER], any
  --offer NAME=tcp:HOST:PORT   a service that others reach by its name where a rule lets them, repeatable (also udp:)
  --tunnels FILE            tunnels that come up with the host, and services that it publishes or offers
  --no-port-mapping         do not ask the router to open ports
`;

/** Runs until interrupted. Exit codes: 0 ended by a signal, 1 failure, 2 usage. */
export async function hostCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      ...COMMON_OPTIONS,
      allow: { type: 'string', multiple: true },
      offer: { type: 'string', multiple: true },
      tunnels: { type: 'string' },
      'no-port-mapping': { type: 'boolean' },
    },
  });
  if (values.help) {
    io.stdout.write(HELP);
    return 0;
  }
  const tunnelRules = values.allow?.map(readRule);
  const file = values.tunnels === undefined ? null : readTunnelsFile(values.tunnels);
  const offered = [...(values.offer ?? []).map((text) => readService(text, NO_OPTIONS)), ...(file?.offered ?? [])];
  checkNames(offered);
  const output = new Output(io, values.json === true);
  const dataDir = values.data ?? defaultDataDir(io.env);
  const server = serverFrom(values.server, values.key, io.env);
  const password = await passwordFrom(values, io);
  const peer = await Peer.open({
    dataDir,
    desktop: null,
    overrides: {
      ...(server ? { server } : {}),
      ...(password === undefined ? {} : { permanentPassword: password }),
      share: true,
      ...(tunnelRules ? { tunnelRules } : {}),
      ...(values['no-port-mapping'] ? { portMapping: false } : {}),
    },
    log: output.log,
  });
  if (!peer.server) {
    await peer.stop();
    return output.failure(noServer());
  }
  peer.on('registered', ({ id, natType, server: name }) =>
    output.event({ event: 'registered', id, natType, server: name }, `Ready: ${id} at ${name} (NAT: ${natType})`),
  );
  peer.on('offline', (reason) =>
    output.event({ event: 'offline', reason: reason.code, ...reason }, `Offline: ${reason.message} ${reason.hint}`),
  );
  peer.on('session-opened', (session) =>
    output.event(
      {
        event: 'session-opened',
        sessionId: session.sessionId,
        peerId: session.peerId,
        kind: session.kind,
        path: session.path,
        encrypted: session.encrypted,
        standing: session.standing,
      },
      `${session.peerId} is connected (${session.path}, ${STANDING[session.standing]}${session.encrypted ? '' : ', NOT ENCRYPTED'})`,
    ),
  );
  peer.on('path-changed', ({ sessionId, ...change }) => printPathChange(change, output, sessionId));
  peer.on('session-closed', ({ sessionId, reason }) =>
    output.event({ event: 'session-closed', sessionId, reason }, `A session ended: ${reason}`),
  );
  peer.on('tunnel-stream', (line) =>
    output.event({ event: 'stream', ...line }, describeStream(line)),
  );
  peer.on('tunnel-violation', (violation) =>
    output.event({ event: 'violation', ...violation }, describeViolation(violation)),
  );
  const manager = file && new TunnelManager({ peer, credentials: (id) => ({ password: file.passwords[id] }) });
  peer.offer(offered);
  const publisher = file && file.published.length > 0 ? peer.publisher(file.published) : null;
  if (password === undefined && values.json !== true)
    io.stdout.write(`One-time password: ${peer.oneTimePassword}\n`);
  peer.start();
  if (manager) {
    // A peer that does not let us in is no reason to end: others may connect here, and its owner may change his mind.
    printTunnels(manager, output).catch((error: Error) => output.note(error.message));
    for (const spec of file.tunnels) manager.add(spec);
  }
  if (publisher) {
    printPublisher(publisher, output);
    publisher.start();
  }
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    else io.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await publisher?.stop();
  await manager?.close();
  await peer.stop();
  return 0;
}

function readRule(text: string): TunnelRule {
  try {
    return parseTunnelRule(text);
  } catch (error) {
    throw new UsageError(`--allow ${(error as Error).message}`);
  }
}
