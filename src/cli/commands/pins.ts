/** `litedesk pins`: the key of this computer, and those by which it knows others again. */
import { parseArgs } from 'node:util';
import { randomBytes } from 'node:crypto';
import { fingerprint, initCrypto } from '../../core/crypto/index.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { IdentityStore } from '../../peer/identity.ts';
import { type PinInfo, PinStore } from '../../peer/pins.ts';
import { parseServer } from '../../peer/server-address.ts';
import { SettingsStore } from '../../peer/settings.ts';
import { defaultDataDir } from '../options.ts';
import { Output, UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';

const USAGE = `Usage: litedesk pins [list]            this computer's key, and those of known computers
       litedesk pins add ID KEY        connect to this ID only where it has this key
       litedesk pins forget ID         take the computer with this ID as new
       litedesk pins allow-older ID    take the older link of this ID again, with the key that is known

  --data DIR          where identity, settings and keys live
  --server ADDRESS    add: the server of that ID (default: the one of the settings)
  --json              one JSON object a line on standard output
`;

const OPTIONS = {
  data: { type: 'string' },
  server: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function pinsCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options: OPTIONS, strict: true, allowPositionals: true });
  if (values.help) {
    io.stdout.write(USAGE);
    return 0;
  }
  const output = new Output(io, values.json ?? false);
  const dataDir = values.data ?? defaultDataDir(io.env);
  const pins = new PinStore(dataDir, Date.now);
  const [verb = 'list', id, key, ...more] = positionals;
  const wanted: Record<string, number> = { list: 1, add: 3, forget: 2, 'allow-older': 2 };
  if (wanted[verb] !== Math.max(1, positionals.length) || more.length > 0) throw new UsageError(USAGE);
  if (verb === 'list') await list(dataDir, pins, output);
  else if (verb === 'add') {
    const server = serverName(values.server, dataDir);
    pins.setHost(server, id ?? '', key ?? '');
    output.event({ event: 'pinned', id, server }, `${id} at ${server} is ${fingerprint(key ?? '')} from now on.`);
  } else {
    const found = verb === 'forget' ? pins.forget(id ?? '') : pins.allowOlderLink(id ?? '');
    if (!found) throw notPinned(id ?? '');
    const text = verb === 'forget' ? `${id} is forgotten.` : `${id} may use the older link again.`;
    output.event({ event: verb === 'forget' ? 'forgotten' : 'allowed-older', id }, text);
  }
  return 0;
}

async function list(dataDir: string, pins: PinStore, output: Output): Promise<void> {
  await initCrypto();
  const own = new IdentityStore(dataDir, (n) => randomBytes(n)).current;
  const key = Buffer.from(own.publicKey).toString('base64');
  output.event(
    { event: 'identity', id: own.id, key, fingerprint: fingerprint(key) },
    `This computer: ${own.id}, key ${key} (${fingerprint(key)})`,
  );
  for (const pin of pins.list()) output.event({ event: 'pin', ...pin }, line(pin));
}

function line({ role, id, server, fingerprint: print, native, usedMs }: PinInfo): string {
  const link = role === 'host' && !native ? ', older link' : '';
  return `${role} ${id} at ${server}: ${print}${link}, last used ${new Date(usedMs).toISOString().slice(0, 10)}`;
}

function serverName(server: string | undefined, dataDir: string): string {
  const text = server ?? new SettingsStore(dataDir).current.server;
  if (text === '') throw new UsageError('No server is set: give --server ADDRESS.');
  return parseServer(text).host;
}

function notPinned(id: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PIN_UNKNOWN',
    stage: 'usage',
    message: `No key is known for ${id.slice(0, 100)}.`,
    hint: 'Look at the output of "litedesk pins".',
  });
}
