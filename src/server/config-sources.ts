/** Reads the server's options from where they may stand: command line, `--config`, `.env`, environment (rendezvous §1.5). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import {
  ConfigSchema,
  configError,
  INEFFECTIVE,
  kebab,
  OPTIONS,
  type OptionEntry,
  type ServerConfig,
  STOCK_LIMITS,
} from './config.ts';
import { looksLikeServerKey } from './key-file.ts';

/** One place where options stand, with raw values by option name. */
interface Layer {
  /** For error messages: `--port`, `PORT in .env`. */
  readonly where: (name: string) => string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly limits: Readonly<Record<string, number>>;
}

export interface ConfigInput {
  /** Values of the command line by option name (camel case), as typed. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** `--config`: JSON, or INI as hbbs takes it. */
  readonly configFile?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly dataDir: string;
  /** Told once for each option that is accepted but changes nothing. */
  readonly onIneffective?: (name: string, why: string) => void;
}

/**
 * The configuration: flags before the `--config` file, before `.env` in the data folder, before the environment, as with
 * hbbs. In one place a clean name goes before a name of hbbs.
 * @throws LiteDeskError USAGE naming the place and the value
 */
export function readConfig(input: ConfigInput): ServerConfig {
  const ineffective = new Map<string, string>();
  const note = (name: string): void => {
    const option = INEFFECTIVE.find((candidate) => candidate.name === name);
    if (option) ineffective.set(name, option.why);
  };
  const layers: Layer[] = [
    {
      where: (name) => `--${kebab(name)}`,
      values: Object.fromEntries(Object.entries(input.flags).filter(([name]) => isOption(name))),
      limits: {},
    },
  ];
  if (input.configFile !== undefined) layers.push(readConfigFile(input.configFile, note));
  const dotEnv = join(input.dataDir, '.env');
  if (existsSync(dotEnv)) layers.push(namedValues(parseIni(readText(dotEnv)), dotEnv, true, note));
  layers.push(namedValues(Object.entries(input.env), 'the environment', false, note));
  for (const [name, why] of ineffective) input.onIneffective?.(name, why);
  return merge(layers);
}

/**
 * Where the server's files are: `--data`, else LITEDESK_DATA, else the working directory when hbbs or hbbr ran there, so
 * that this can be started in their place, else `fallback`.
 */
export function serverDataDir(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
  fallback: string,
): string {
  if (given) return given;
  if (env.LITEDESK_DATA) return env.LITEDESK_DATA;
  // Not any id_ed25519: people keep SSH keys under that name.
  return looksLikeServerKey(join(cwd, 'id_ed25519')) || existsSync(join(cwd, 'db_v2.sqlite3')) ? cwd : fallback;
}

function isOption(name: string): boolean {
  return OPTIONS.some((option) => option.name === name);
}

function merge(layers: readonly Layer[]): ServerConfig {
  const raw: Record<string, unknown> = {};
  const limit: Record<string, unknown> = {};
  for (const layer of layers.toReversed())
    for (const [name, value] of Object.entries({ limit: {}, ...layer.values })) {
      const parsed = ConfigSchema.shape[name as keyof ServerConfig].safeParse(value);
      if (!parsed.success) throw invalid(layer.where(name), value, parsed.error);
      // Limits are set one by one: a flag for one leaves the others as the file says.
      if (name === 'limit') Object.assign(limit, layer.limits, parsed.data);
      else raw[name] = parsed.data;
    }
  return ConfigSchema.parse({ ...raw, limit });
}

function readConfigFile(file: string, note: (name: string) => void): Layer {
  const content = readText(file);
  if (!content.trimStart().startsWith('{')) return namedValues(parseIni(content), file, true, note);
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (error) {
    throw configError(`${file} is no JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(parsed as Record<string, unknown>)) {
    const option = OPTIONS.find((candidate) => plain(candidate.flag) === plain(kebab(key)));
    // Our own file: a name nobody knows is a slip of the pen, and would be missed silently.
    if (!option) throw configError(`${file} sets "${key}", which is no option.`);
    values[option.name] = value;
  }
  return { where: (name) => `"${name}" in ${file}`, values, limits: {} };
}

/** Values under the names of variables. Unknown ones are left alone: they belong to others. */
function namedValues(
  entries: readonly (readonly [string, string | undefined])[],
  where: string,
  bareNames: boolean,
  note: (name: string) => void,
): Layer {
  const values: Record<string, unknown> = {};
  const limits: Record<string, number> = {};
  const names = new Map<string, string>();
  const byName = new Map<string, [string, string]>();
  for (const [key, value] of entries) if (value !== undefined) byName.set(plain(key), [key, value]);
  const lookUp = (option: OptionEntry): [string, string] | undefined => {
    const { flag, info } = option;
    const candidates = [`litedesk-${flag}`, ...(bareNames ? [flag] : []), ...(info.stock ?? [])];
    for (const name of candidates) {
      const found = byName.get(name);
      if (found && (found[1] !== '' || info.emptyCounts)) return found;
    }
    return undefined;
  };
  for (const option of OPTIONS) {
    const found = lookUp(option);
    if (!found) continue;
    names.set(option.name, found[0]);
    values[option.name] = option.name === 'importDb' ? found[1].replace(/^sqlite:(\/\/)?/, '').replace(/\?.*$/, '') : found[1];
  }
  for (const [name, { limit, factor }] of Object.entries(STOCK_LIMITS)) {
    const found = byName.get(name);
    if (!found || found[1] === '') continue;
    const value = Number(found[1]) * factor;
    if (!(value >= 0 && Number.isFinite(value))) throw configError(`${found[0]} in ${where} is no number: ${found[1]}`);
    limits[limit] = value;
  }
  for (const { name } of INEFFECTIVE) if (byName.has(name)) note(name);
  return { where: (name) => `${names.get(name) ?? name} in ${where}`, values, limits };
}

/**
 * The keys before the first section of an INI file, as the open server reads them: `name = value` or `name: value`,
 * comments behind `#` or `;` at the start of a line, quotes around a value taken off.
 */
export function parseIni(content: string): [string, string][] {
  const entries: [string, string][] = [];
  for (const line of content.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed.startsWith('[')) break;
    const match = /^([^#;=:][^=:]*)[=:](.*)$/.exec(trimmed);
    if (!match) continue;
    const value = (match[2] ?? '').trim();
    entries.push([(match[1] ?? '').trim(), /^(["']).*\1$/.test(value) && value.length > 1 ? value.slice(1, -1) : value]);
  }
  return entries;
}

/** hbbs compares names without case and takes `_` for `-`. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw configError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function invalid(where: string, value: unknown, error: z.ZodError): ReturnType<typeof configError> {
  const shown = /key/i.test(where) ? '' : ` ${typeof value === 'string' ? value : JSON.stringify(value)}`;
  return configError(`${where}${shown} ${error.issues[0]?.message ?? 'cannot be used'}.`);
}
