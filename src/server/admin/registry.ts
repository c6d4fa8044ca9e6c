/**
 * The commands of `litedesk admin`. A part of the server adds its own in one line: `admin.add({ name: 'things list', … })`;
 * parsing, help, `--json` and text for people come from here.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { LiteDeskError } from '../../core/errors.ts';
import { renderText } from './text.ts';

type Options = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: boolean }>>;

/** What stands behind the name of the command. */
export interface AdminCall {
  readonly args: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
}

export interface AdminCommand<T = unknown> {
  /** One or two words, e.g. `peers list`. */
  readonly name: string;
  /** Other names, e.g. those of the consoles of hbbs and hbbr (rendezvous §1.4). */
  readonly aliases?: readonly string[];
  /** What may follow the name, for the help, e.g. `[IP…] [--count N]`. */
  readonly usage?: string;
  readonly help: string;
  readonly options?: Options;
  /** Most words behind the name; more is a mistake. Absent: none. */
  readonly maxArgs?: number;
  /** Does it and answers plain data. @throws LiteDeskError */
  run(call: AdminCall): T | Promise<T>;
  /** The answer for people; absent or undefined: tables and `name value` lines. */
  text?(result: T): string | undefined;
}

export interface AdminAnswer {
  /** The name of the command that ran. */
  readonly command: string;
  readonly result: unknown;
  readonly text: string;
}

export class AdminCommands {
  readonly #commands = new Map<string, AdminCommand>();
  readonly #names = new Map<string, string>();

  constructor() {
    this.add({ name: 'help', aliases: ['h'], help: 'list the commands', run: () => this.#list(), text: helpText });
  }

  addAll(commands: readonly AdminCommand[]): void {
    for (const command of commands) this.add(command);
  }

  /** @throws Error when a name is taken: a fault of the program */
  add<T>(command: AdminCommand<T>): void {
    for (const name of [command.name, ...(command.aliases ?? [])]) {
      if (this.#names.has(name)) throw new Error(`two admin commands are called "${name}"`);
      this.#names.set(name, command.name);
    }
    this.#commands.set(command.name, command as AdminCommand);
  }

  /**
   * Runs the command that these words begin with; of several the one with the longer name.
   * @throws LiteDeskError ADMIN_NO_COMMAND, ADMIN_USAGE, or what the command throws
   */
  async run(words: readonly string[]): Promise<AdminAnswer> {
    const all = words.length === 0 ? ['help'] : words;
    for (const length of [2, 1]) {
      const name = this.#names.get(all.slice(0, length).join(' '));
      const command = name === undefined ? undefined : this.#commands.get(name);
      if (!command || all.length < length) continue;
      const result: unknown = await command.run(this.#parse(command, all.slice(length)));
      return { command: command.name, result, text: command.text?.(result) ?? renderText(result) };
    }
    throw noCommand(all.slice(0, 2).join(' '));
  }

  #parse(command: AdminCommand, rest: readonly string[]): AdminCall {
    const config: ParseArgsConfig = { args: [...rest], options: { ...command.options }, allowPositionals: true, strict: true };
    let parsed: ReturnType<typeof parseArgs>;
    try {
      // A single dash is a word of its own in the consoles of hbbs: "delete this".
      parsed = parseArgs(config);
    } catch (error) {
      throw adminUsage(`${command.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (parsed.positionals.length > (command.maxArgs ?? 0))
      throw adminUsage(`${command.name} takes no "${parsed.positionals[command.maxArgs ?? 0]}"; usage: ${usageOf(command)}.`);
    return { args: parsed.positionals, values: parsed.values as AdminCall['values'] };
  }

  #list(): { command: string; aliases: readonly string[]; help: string }[] {
    return [...this.#commands.values()]
      .map((command) => ({ command: usageOf(command), aliases: command.aliases ?? [], help: command.help }))
      .sort((a, b) => (a.command < b.command ? -1 : 1));
  }
}

function usageOf(command: AdminCommand): string {
  return command.usage === undefined ? command.name : `${command.name} ${command.usage}`;
}

function helpText(list: readonly { command: string; aliases: readonly string[]; help: string }[]): string {
  return list
    .map(({ command, aliases, help }) => `${command}\n    ${help}${aliases.length > 0 ? ` (also: ${aliases.join(', ')})` : ''}`)
    .join('\n');
}

/** A whole number among the words, or `otherwise` when the word is missing. @throws LiteDeskError ADMIN_USAGE */
export function adminNumber(text: unknown, otherwise: number, max = Number.MAX_SAFE_INTEGER): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (String(text).trim() === '' || !Number.isInteger(value) || value < 0 || value > max)
    throw adminUsage(`${String(text)} is not a whole number${max < Number.MAX_SAFE_INTEGER ? ` up to ${max}` : ''}.`);
  return value;
}

/** Wrong words behind a command: exit code 2. */
export function adminUsage(message: string): LiteDeskError {
  return new LiteDeskError({
    code: 'ADMIN_USAGE',
    stage: 'usage',
    message,
    hint: '`litedesk admin help` lists the commands and what they take.',
  });
}

function noCommand(words: string): LiteDeskError {
  return new LiteDeskError({
    code: 'ADMIN_NO_COMMAND',
    stage: 'usage',
    message: `The server has no admin command "${words}".`,
    hint: '`litedesk admin help` lists the commands and what they take.',
  });
}
