/** What self-hosters copy: unit, container and compose files start the server with options that it has. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readServerCommandLine } from '../src/cli/commands/server.ts';
import { OPTIONS } from '../src/server/config.ts';
import type { ServerOptions } from '../src/server/index.ts';
import { DEFAULT_LIMITS } from '../src/server/limits.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const SHIPPED = ['Containerfile', 'compose.yaml', 'compose.cluster.yaml', 'litedesk-server.service'].map((name) => `resources/server/${name}`);
const GUIDES = ['self-hosting.md', 'self-hosting.zh-CN.md', 'self-hosting.de.md'].map((name) => `docs/${name}`);

/** What stands behind `litedesk`, as the server reads it in an empty folder with nothing else in its environment. */
function readCommand(words: readonly string[], env: Record<string, string> = {}): ServerOptions {
  const [command, ...argv] = words;
  expect(command).toBe('server');
  const io = { stdout: new PassThrough(), stderr: new PassThrough(), signal: AbortSignal.abort(), env, cwd: '/nonexistent' };
  const options = readServerCommandLine(argv, io);
  if (options === null) throw new Error('it only asks for help');
  return options;
}

/** `command: […]` of each service in that file, with the default of `${NAME:?…}` filled in. */
function commandsOf(file: string): string[][] {
  return [...read(file).matchAll(/^ {4}command: (\[.*\])$/gm)]
    .map((match) => JSON.parse((match[1] ?? '').replaceAll(/\$\{\w+:\?[^}]*\}/g, 'desk.example.org')) as string[])
    .filter((words) => words[0] === 'server');
}

/** Variables named LITEDESK_… that are neither options nor read elsewhere. */
function unknownVariables(text: string): string[] {
  const known = new Set([
    ...OPTIONS.map((option) => `LITEDESK_${option.flag.toUpperCase().replaceAll('-', '_')}`),
    ...['LITEDESK_DATA', 'LITEDESK_SERVER', 'LITEDESK_HOST', 'LITEDESK_NAME', 'LITEDESK_PASSWORD'],
  ]);
  return [...text.matchAll(/\bLITEDESK_[A-Z_]+/g)].map(([name]) => name).filter((name) => !known.has(name));
}

describe('what is shipped', () => {
  it('compose: one node', () => {
    const [one, ...others] = commandsOf('resources/server/compose.yaml').map((words) => readCommand(words));
    expect(others).toEqual([]);
    expect(one?.relayOnly).toBe(false);
  });

  it('compose: three nodes and two relays on one store, at ports of their own', () => {
    const all = commandsOf('resources/server/compose.cluster.yaml').map((words) => readCommand(words));
    expect(all.filter((options) => !options.relayOnly)).toHaveLength(3);
    expect(all.filter((options) => options.relayOnly)).toHaveLength(2);
    const ports = all.flatMap(({ ports: own = {}, relayOnly, http }) => [
      ...(relayOnly ? [own.relay, own.relayWs] : [own.natTest ?? Number(own.rendezvous) - 1, own.rendezvous, own.ws ?? Number(own.rendezvous) + 2]),
      http?.port,
    ]);
    expect(new Set(ports).size).toBe(ports.length);
    expect(ports).not.toContain(undefined);
  });

  it('container: its command, its variables and what it is built from exist', () => {
    const text = read('resources/server/Containerfile');
    expect(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)?.[1] ?? '')).toEqual(['litedesk']);
    const env = Object.fromEntries([...text.matchAll(/\b(LITEDESK_\w+)=(\S+)/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
    const options = readCommand(JSON.parse(/^CMD (.*)$/m.exec(text)?.[1] ?? '') as string[], env);
    expect(options).toMatchObject({ dataDir: '/data', http: { host: '127.0.0.1', port: 9116 } });
    expect(text).toContain(`http://127.0.0.1:${options.http?.port}/healthz`);
    for (const [, from = ''] of text.matchAll(/^COPY ([\w. -]+) \S+$/gm))
      for (const name of from.split(' ')) {
        expect(existsSync(join(ROOT, name)), name).toBe(true);
        expect(read('resources/server/Containerfile.dockerignore').split('\n'), name).toContain(`!${name}`);
      }
    const [before, after] = [text.split(/^FROM /m)[1], text.split(/^FROM /m)[2]];
    expect(before).toContain('scripts/build.mjs --cli-only');
    expect(after).toMatch(/^USER litedesk$/m);
    expect(after).toMatch(/^VOLUME \/data$/m);
  });

  it('systemd: the command line, and the folder that it may write', () => {
    const unit = read('resources/server/litedesk-server.service');
    const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
    const [node, script, ...words] = value('ExecStart').split(' ');
    expect([node, script]).toEqual(['/usr/bin/node', '/opt/litedesk/litedesk.mjs']);
    expect(readCommand(words).dataDir).toBe(`/var/lib/${value('StateDirectory')}`);
    expect(value('ProtectSystem')).toBe('strict');
    expect(value('ExecReload')).toContain('-HUP');
    // With it V8 cannot compile, and the process ends at once.
    expect(unit).not.toMatch(/^MemoryDenyWriteExecute/m);
    expect(value('CapabilityBoundingSet')).toBe('');
    // Half of the descriptors would end connections before the server's own limit does.
    expect(Number(value('LimitNOFILE'))).toBeGreaterThan(2 * DEFAULT_LIMITS.maxConnections);
    expect(readCommand(['server', '--single-port', '443']).ports?.single).toBe(443);
    expect(read('resources/server/litedesk-server.service.d/low-ports.conf')).toMatch(/^AmbientCapabilities=CAP_NET_BIND_SERVICE$/m);
  });

  it.each(SHIPPED)('%s: variables are options', (file) => expect(unknownVariables(read(file))).toEqual([]));
});

describe('the guides', () => {
  it.each(GUIDES)('%s: every server command can be read, and every link and code exists', (file) => {
    const text = read(file);
    const commands = [...text.matchAll(/^ {4}(?:sudo )?litedesk (server.*)$/gm)].map((match) => match[1] ?? '');
    expect(commands.length).toBeGreaterThan(3);
    for (const line of commands) readCommand(line.replace(/ +#.*$/, '').replaceAll("'", '').split(' '));
    expect(unknownVariables(text)).toEqual([]);
    for (const [, link = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) expect(existsSync(join(ROOT, 'docs', link)), link).toBe(true);
    const errors = read('docs/errors.md');
    const codes = [...text.matchAll(/^\| `([A-Z][A-Z_]+)`/gm)].map((match) => match[1] ?? '');
    expect(codes.length).toBeGreaterThan(5);
    for (const code of codes) expect(errors, code).toContain(`| \`${code}\` |`);
  });

  it('say the same commands in every language', () => {
    const commands = GUIDES.map((file) =>
      read(file).split('\n').filter((line) => /^ {4}\S/.test(line)).map((line) => line.replace(/ +#.*$/, '')).filter((line) => !/^ {4}#/.test(line)),
    );
    for (const others of commands.slice(1)) expect(others).toEqual(commands[0]);
  });
});

it('pages made from the source name every limit and option, as they are now', () => {
  const done = spawnSync(process.execPath, [join(ROOT, 'scripts/server-doc.mjs'), '--check'], { encoding: 'utf8' });
  expect(`${done.stdout}${done.stderr}`).toBe('');
  const page = read('docs/limits.md');
  for (const name of Object.keys(DEFAULT_LIMITS)) expect(page, name).toContain(`\`${name}\``);
});
