/** `litedesk connect ID`: connects, logs in, measures the round trip, stays for a while, closes. */
import { parseArgs } from 'node:util';
import { keyFingerprint, readFingerprint } from '../../core/crypto/index.ts';
import { LiteDeskError } from '../../core/errors.ts';
import type { ControllerClosed } from '../../core/session/controller-types.ts';
import { type Connected, Peer } from '../../peer/peer.ts';
import { COMMON_OPTIONS, defaultDataDir, numberOption, passwordFrom, pathFrom, serverFrom } from '../options.ts';
import { Output, UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';
import { printPathChange } from '../path-change.ts';

/** A login that nobody answers ends here: nobody types a password into this command after it started. */
const LOGIN_TIMEOUT_MS = 30_000;
const PING_TIMEOUT_MS = 10_000;

const HELP = `Usage: litedesk connect ID|ADDRESS[:PORT] [OPTIONS]

  --path auto|lan|tcp|udp|ipv6|relay   take this path only
  --ping N                             send N round-trip probes
  --hold SECONDS                       stay connected for so long
  --fingerprint 3F2A-91C0-77BE-04D1    only the computer whose key has it; "litedesk pins" shows it there
  --native-only                        only a LiteDesk host, over its protected link
  --allow-plaintext                    accept an unencrypted connection (by address there is no other)
  --no-port-mapping                    do not ask the router to open ports

The common options are those of \`litedesk --help\`.
`;

/** Exit codes: 0 done, 1 failure (its event tells the stage), 2 usage. */
export async function connectCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      ...COMMON_OPTIONS,
      path: { type: 'string' },
      ping: { type: 'string' },
      hold: { type: 'string' },
      'allow-plaintext': { type: 'boolean' },
      'native-only': { type: 'boolean' },
      fingerprint: { type: 'string' },
      'no-port-mapping': { type: 'boolean' },
    },
  });
  if (values.help) {
    io.stdout.write(HELP);
    return 0;
  }
  const [target, extra] = positionals;
  if (target === undefined || extra !== undefined) throw new UsageError('give one ID or address to connect to.');
  const path = pathFrom(values.path);
  const pings = numberOption('ping', values.ping, { min: 0, max: 1_000_000 }) ?? 0;
  const holdMs = (numberOption('hold', values.hold, { min: 0, max: 31_536_000 }) ?? 0) * 1_000;
  const output = new Output(io, values.json === true);
  const fingerprint = values.fingerprint === undefined ? undefined : readFingerprint(values.fingerprint);
  if (fingerprint === null) throw new UsageError('--fingerprint takes 16 hex digits, as "litedesk pins" shows them.');
  const server = serverFrom(values.server, values.key, io.env);
  const password = await passwordFrom(values, io);
  const peer = await Peer.open({
    dataDir: values.data ?? defaultDataDir(io.env),
    desktop: null,
    overrides: { ...(server ? { server } : {}), share: false, ...(values['no-port-mapping'] ? { portMapping: false } : {}) },
    probeNat: path === 'auto',
    log: output.log,
  });
  try {
    const connection = await peer.connect(target, {
      path,
      signal: io.signal,
      password,
      allowPlaintext: values['allow-plaintext'] === true,
      nativeOnly: values['native-only'] === true,
      ...(fingerprint ? { fingerprint } : {}),
      video: false,
    });
    const { session } = connection;
    const closed = new Promise<ControllerClosed>((resolve) => session.on('closed', resolve));
    await login(session, io.signal, (text) => output.note(text));
    output.event(
      {
        event: 'connected',
        id: connection.peerId,
        path: connection.path,
        localAddress: connection.localAddress,
        remoteAddress: connection.remoteAddress,
        encrypted: connection.encrypted,
        peerVerified: connection.peerVerified,
        ...protectionOf(connection),
        elapsedMs: connection.elapsedMs,
        attempts: connection.attempts,
      },
      `Connected to ${connection.peerId}: ${connection.path}, ${connection.remoteAddress}, after ${connection.elapsedMs} ms, ` +
        (connection.encrypted ? `encrypted, ${connection.firstLink.native ? 'native' : 'stock'} link` : 'NOT ENCRYPTED'),
    );
    const offPathChange = connection.onPathChange((change) => printPathChange(change, output));
    for (let n = 1; n <= pings && !io.signal.aborted; n++) {
      const rttMs = await session.ping(AbortSignal.any([io.signal, AbortSignal.timeout(PING_TIMEOUT_MS)]));
      output.event({ event: 'pong', n, rttMs: Math.round(rttMs * 1000) / 1000 }, `pong ${n}: ${rttMs.toFixed(1)} ms`);
    }
    const end = await Promise.race([closed, hold(holdMs, io.signal)]);
    const reason = end && end.reason;
    offPathChange();
    if (reason === null) session.close();
    output.event({ event: 'closed', reason: reason ?? 'done', attempts: connection.attempts }, reason === null ? 'Closed.' : `Closed: ${reason}`);
    if (reason !== null && !io.signal.aborted)
      return output.failure(
        new LiteDeskError({
          code: 'SESSION_ENDED_EARLY',
          stage: 'session',
          message: `The session ended before its time: ${end?.error?.message ?? `${reason || 'the other side closed it'}.`}`,
          hint: 'Look at the other computer for the reason, and connect again.',
        }),
      );
    return 0;
  } finally {
    await peer.stop();
  }
}

type Session = Awaited<ReturnType<Peer['connect']>>['session'];

/** Waits for the answer to the login that left with the connection. */
function login(session: Session, signal: AbortSignal, note: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error): void => {
      clearTimeout(timer);
      for (const off of offs) off();
      signal.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve();
    };
    const onAbort = (): void => {
      done(new Error('interrupted'));
      session.close();
    };
    const timer = setTimeout(() => {
      done(
        new LiteDeskError({
          code: 'LOGIN_TIMEOUT',
          stage: 'login',
          message: 'Nobody accepted the connection at the other computer.',
          hint: 'Give the password with --password, or have somebody there click Accept.',
        }),
      );
      session.close();
    }, LOGIN_TIMEOUT_MS);
    const offs = [
      session.on('opened', () => done()),
      session.on('closed', ({ reason, error }) =>
        done(
          new LiteDeskError(
            error ?? {
              code: 'LOGIN_CLOSED',
              stage: 'login',
              message: `The other computer ended the connection: ${reason || 'no reason given'}.`,
              hint: 'Look at the other computer for the reason.',
            },
          ),
        ),
      ),
      session.on('password-needed', ({ reason, message }) => {
        // `required` without a password given means: somebody there may still click Accept.
        if (reason === 'wrong') {
          done(
            new LiteDeskError({
              code: 'LOGIN_WRONG_PASSWORD',
              stage: 'login',
              message: message || 'The password is wrong.',
              hint: 'Type the one-time password that the other computer shows now, or its permanent one.',
            }),
          );
          session.close();
        } else if (reason === 'required')
          note(`No password was given: waiting up to ${LOGIN_TIMEOUT_MS / 1000} s for somebody to click Accept there.`);
      }),
    ];
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else session.start();
  });
}

function hold(ms: number, signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve(null);
    }
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

/** How the link is protected, and whom it leads to. */
function protectionOf({ firstLink: { native, peerKey }, session }: Connected): {
  native: boolean;
  hostProven: boolean;
  fingerprint: string;
} {
  return { native: native !== null, hostProven: session.hostProven, fingerprint: peerKey ? keyFingerprint(peerKey) : '' };
}
