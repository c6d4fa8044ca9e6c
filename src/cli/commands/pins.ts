/** `litedesk pins`: the key of this computer, and those by which it knows others again. */
import { parseArgs } from 'node:util';
import { randomBytes } from 'node:crypto';
import { fingerprint, initCrypto } from '../../core/crypto/index.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { IdentityStore } from '../../peer/identity.ts';
import { type PinInfo, PinStore } from '../../peer/pins.ts';
import { parseServer } from '../../peer/server-address.ts';
import { formatInvitation, type Invitation, isInvitation, parseInvitation } from '../../shared/invitation.ts';
import { qrText } from '../../shared/qr.ts';
import { SettingsStore } from '../../peer/settings.ts';
import { defaultDataDir } from '../options.ts';
import { Output, UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';

const USAGE = `Usage: litedesk pins [list]            this computer's key, and those of known computers
       litedesk pins add ID KEY        connect to this ID only where it has this key
       litedesk pins add LINE          the same, from what "litedesk pins show" prints there
       litedesk pins show [--qr]       the line that tells others this computer's ID and key
       litedesk pins forget ID         take the computer with this ID as new
       litedesk pins allow-older ID    take the older link of this ID again, with the key that is known

  --data DIR          where identity, settings and keys live
  --server ADDRESS    add: the server of that ID; show: of this computer (default: the one of the settings)
  --key KEY           show: the server's key
  --json              one JSON object a line on standard output
`;

const OPTIONS = {
  data: { type: 'string' },
  server: { type: 'string' },
  key: { type: 'string' },
  qr: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function pinsCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    options: OPTIONS,
    strict: true,
    allowPositionals: true,
  });
  if (values.help) {
    io.stdout.write(USAGE);
    return 0;
  }
  const output = new Output(io, values.json ?? false);
  const dataDir = values.data ?? defaultDataDir(io.env);
  const pins = new PinStore(dataDir, Date.now);
  const [verb = 'list', id, key, ...more] = positionals;
  const line = verb === 'add' && isInvitation(id ?? '') ? peerOf(id ?? '') : null;
  const wanted: Record<string, number> = { list: 1, show: 1, add: line ? 2 : 3, forget: 2, 'allow-older': 2 };
  if (wanted[verb] !== Math.max(1, positionals.length) || more.length > 0) throw new UsageError(USAGE);
  if (verb === 'list') await list(dataDir, pins, output);
  else if (verb === 'show') {
    const server = serverOf(values.server, values.key, dataDir);
    const own = await identityOf(dataDir);
    const invitation = formatInvitation({ ...server, peer: { id: own.id, key: own.key } });
    const qr = values.qr ? qrText(invitation) : null;
    output.event({ event: 'line', line: invitation, qr }, qr ? `${invitation}\n\n${qr}` : invitation);
  } else if (verb === 'add') {
    const pin = line ?? { server: serverOf(values.server, '', dataDir).host, id: id ?? '', key: key ?? '' };
    pins.setHost(pin.server, pin.id, pin.key);
    const text = `${pin.id} at ${pin.server} is ${fingerprint(pin.key)} from now on.`;
    output.event(
      { event: 'pinned', id: pin.id, server: pin.server, fingerprint: fingerprint(pin.key) },
      text,
    );
  } else {
    const found = verb === 'forget' ? pins.forget(id ?? '') : pins.allowOlderLink(id ?? '');
    if (!found) throw notPinned(id ?? '');
    const text = verb === 'forget' ? `${id} is forgotten.` : `${id} may use the older link again.`;
    output.event({ event: verb === 'forget' ? 'forgotten' : 'allowed-older', id }, text);
  }
  return 0;
}

async function list(dataDir: string, pins: PinStore, output: Output): Promise<void> {
  const { id, key } = await identityOf(dataDir);
  output.event(
    { event: 'identity', id, key, fingerprint: fingerprint(key) },
    `This computer: ${id}, key ${key} (${fingerprint(key)})`,
  );
  for (const pin of pins.list()) output.event({ event: 'pin', ...pin }, lineOf(pin));
}

async function identityOf(dataDir: string): Promise<{ id: string; key: string }> {
  await initCrypto();
  const { id, publicKey } = new IdentityStore(dataDir, (n) => randomBytes(n)).current;
  return { id, key: Buffer.from(publicKey).toString('base64') };
}

/** The computer that a line names, as another one printed it. Errors: INVITATION_BROKEN, INVITATION_TYPO, PIN_KEY_INVALID. */
function peerOf(text: string): { server: string; id: string; key: string } {
  const { host, peer } = parseInvitation(text);
  if (!peer) throw lineNamesNobody();
  return { server: host, ...peer };
}

function lineOf({ role, id, server, fingerprint: print, native, usedMs }: PinInfo): string {
  const link = role === 'host' && !native ? ', older link' : '';
  return `${role} ${id} at ${server}: ${print}${link}, last used ${new Date(usedMs).toISOString().slice(0, 10)}`;
}

function serverOf(server: string | undefined, key: string | undefined, dataDir: string): Invitation {
  const { current } = new SettingsStore(dataDir);
  const text = server ?? current.server;
  if (text === '') throw new UsageError('No server is set: give --server ADDRESS.');
  const {
    host,
    port,
    key: known,
    single,
  } = parseServer(text, key ?? (server === undefined ? current.key : undefined));
  return {
    host,
    port,
    key: known,
    ...(single
      ? { single: true, ...(single.tls ? { tls: true } : {}), ...(single.ws ? { ws: true } : {}) }
      : {}),
  };
}

function lineNamesNobody(): LiteDeskError {
  return new LiteDeskError({
    code: 'PIN_LINE_WITHOUT_PEER',
    stage: 'usage',
    message: 'This is the invitation to a server; it names no computer.',
    hint: 'Copy the line that "litedesk pins show" prints on the other computer.',
  });
}

function notPinned(id: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PIN_UNKNOWN',
    stage: 'usage',
    message: `No key is known for ${id.slice(0, 100)}.`,
    hint: 'Look at the output of "litedesk pins".',
  });
}
