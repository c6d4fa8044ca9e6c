// Writes docs/limits.md, docs/limits-native-link.md and the table of options in docs/server-options.md from the source, so that none is missing.
// Usage: node scripts/server-doc.mjs [--check]; needs a Node that runs TypeScript (devDependencies.node).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { INEFFECTIVE, OPTIONS, STOCK_LIMITS } from '../src/server/config.ts';
import { DEFAULT_LIMITS } from '../src/server/limits.ts';

const root = resolve(import.meta.dirname, '..');
const linkConstants = new Map(Object.entries(await import('../src/core/native/multipath-limits.ts')));
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function limitsPage() {
  const source = readFileSync(join(root, 'src/server/limits.ts'), 'utf8');
  const body = /DEFAULT_LIMITS = \{([^]*?)\n\};/.exec(source)?.[1] ?? '';
  const rows = [];
  let why = '';
  let names = [];
  const flush = () => {
    if (names.length > 0)
      rows.push(`| ${names.map((name) => `\`${name}\``).join('<br>')} | ${names.map((name) => shown(DEFAULT_LIMITS[name])).join('<br>')} | ${cell(why)} |`);
    names = [];
  };
  for (const match of body.matchAll(/\/\*\*([^]*?)\*\/|^  (\w+): .*,$/gm)) {
    if (match[2]) names.push(match[2]);
    else {
      flush();
      why = match[1].replaceAll(/^\s*\* ?/gm, '').replaceAll(/\s+/g, ' ').trim();
    }
  }
  flush();
  return `# Limits of the server

Every queue, map, wait and rate of the server has a bound with a name. \`--limit NAME=VALUE\` changes one (it may be
repeated), \`LITEDESK_LIMIT=NAME=VALUE,…\` in the environment does the same, and \`"limit": {"NAME": VALUE}\` in the file that
\`--config\` names. \`litedesk admin limits\` shows those of a running server. ms are milliseconds, Bps bits a second; lines
with several names explain them together. This page is made from the source by \`node scripts/server-doc.mjs\`.

| name | default | what it bounds, and why so |
|---|---|---|
${rows.join('\n')}
`;
}

/** The bounds of a link over several paths: one exported constant each, with its reason above it. */
function linkLimits() {
  const source = readFileSync(join(root, 'src/core/native/multipath-limits.ts'), 'utf8');
  const rows = [...source.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*export const (\w+) =/g)].map(([, why, name]) => {
    const value = linkConstants.get(name);
    const text = typeof value === 'number' ? shown(value) : Object.entries(value).map(([part, of]) => `${part} ${shown(of)}`).join('<br>');
    return `| \`${name}\` | ${text} | ${cell(why.replaceAll(/^\s*\* ?/gm, '').replaceAll(/\s+/g, ' ').trim())} |`;
  });
  return `# Limits of a session over several paths

The bounds and intervals of the [native link](native-link.md), which no option changes. This page is made from the source by
\`node scripts/server-doc.mjs\`.

| name | value | what it bounds, and why so |
|---|---|---|
${rows.join('\n')}
`;
}

function shown(value) {
  if (value >= 1024 && value % 1024 === 0) {
    const units = ['', ' Ki', ' Mi', ' Gi'];
    let unit = 0;
    let rest = value;
    while (rest % 1024 === 0 && unit < 3) {
      rest /= 1024;
      unit++;
    }
    return `${value.toLocaleString('en-US')} (${rest}${units[unit]})`;
  }
  return value.toLocaleString('en-US');
}

function optionsTable() {
  const stock = (option) => {
    const names = (option.info.stock ?? []).map((name) => `\`${name.toUpperCase().replaceAll('-', '_')}\``);
    const flags = (option.info.flags ?? []).map((flag) => `\`--${flag}\``);
    return [...flags, ...names].join(', ');
  };
  const rows = OPTIONS.map((option) => {
    const { info, flag } = option;
    const short = info.short ? `\`-${info.short}\` ` : '';
    return `| ${short}\`--${flag}${info.arg ? ` ${cell(info.arg)}` : ''}\` | ${cell(info.help)} | ${stock(option)} |`;
  });
  const limits = Object.entries(STOCK_LIMITS).map(([name, { limit }]) => `| \`${name.toUpperCase().replaceAll('-', '_')}\` | \`--limit ${limit}=…\` |`);
  const none = INEFFECTIVE.map(({ name, why }) => `| \`${name.toUpperCase().replaceAll('-', '_')}\` | ${cell(why)} |`);
  return `| option | what it does | also known as |
|---|---|---|
${rows.join('\n')}

Settings of hbbr that are limits here (its units are kept in its variables: Mbit/s, seconds):

| variable | here |
|---|---|
${limits.join('\n')}

Accepted without effect, with one warning:

| variable | why |
|---|---|
${none.join('\n')}`;
}

const optionsFile = join(root, 'docs', 'server-options.md');
const [before, after] = ['<!-- options -->', '<!-- /options -->'];
const text = existsSync(optionsFile) ? readFileSync(optionsFile, 'utf8') : `# Options of \`litedesk server\`\n\n${before}\n${after}\n`;
const pages = new Map([
  [join(root, 'docs', 'limits.md'), limitsPage()],
  [join(root, 'docs', 'limits-native-link.md'), linkLimits()],
  [optionsFile, `${text.slice(0, text.indexOf(before) + before.length)}\n${optionsTable()}\n${text.slice(text.indexOf(after))}`],
]);
for (const [file, content] of pages) {
  if (!process.argv.includes('--check')) writeFileSync(file, content);
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== content) {
    console.error(`${file} is not what the source says; run node scripts/server-doc.mjs`);
    process.exitCode = 1;
  }
}
