// Writes docs/errors.md from the error factories in src/, so that no code is without its wording and next step.
// Usage: node scripts/errors-doc.mjs [--check]
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const rows = new Map();

function* files(dir) {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) {
      if (name !== 'generated' && name !== 'renderer') yield* files(path);
    } else if (/\.ts$/.test(name) && !/\.test\.ts$/.test(name)) yield path;
  }
}

// What stands in for a value may hold a template of its own.
const value = /\$\{(?:[^`{}]|`[^`]*`|\{[^{}]*\})*\}/;
const literal = new RegExp(`(?:'((?:[^'\\\\]|\\\\.)*)'|\`((?:[^\`\\\\$]|\\\\.|${value.source})*)\`|"((?:[^"\\\\]|\\\\.)*)")`);
const plain = (text) =>
  text.replace(new RegExp(value.source, 'g'), '…').replace(/\\'/g, "'").replace(/\|/g, '\\|').trim();
const textOf = (source, name) => {
  const match = new RegExp(`${name}:\\s*(?:[\\w\\s.()?!=> '"&|-]*\\?\\s*)?${literal.source}`).exec(source);
  // What the caller says differs from case to case.
  return plain(match?.[1] ?? match?.[2] ?? match?.[3] ?? '') || '…';
};

for (const file of [...files(join(root, 'src'))].sort()) {
  const source = readFileSync(file, 'utf8');
  for (const match of source.matchAll(/code:\s*(?:'([A-Z][A-Z0-9_]{4,})'|`([A-Z][A-Z0-9_]*)\$\{\w+\}`)/g)) {
    const code = match[1] ?? `${match[2]}…`;
    const near = source.slice(match.index, match.index + 900);
    const end = near.indexOf('\n  }');
    const body = end > 0 ? near.slice(0, end + 4) : near;
    const [, named, given] = /\bstage(?::\s*'([a-z]+)'|(,))/.exec(body) ?? [];
    const stage = given ? 'any' : named;
    if (!stage || (rows.get(code)?.message ?? '…') !== '…') continue;
    rows.set(code, { stage, message: textOf(body, 'message'), hint: textOf(body, 'hint') });
  }
  const unread = /\bcode: \w[^,;'`{}]*\? '[A-Z]+_[^\n]*\n\s*stage: /.exec(source);
  if (unread) throw new Error(`${file}: a code that depends on something is not found by whoever looks for it: ${unread[0]}`);
  // Families: make('CODE', message, hint), of one stage or of that which is given.
  const stage = /(?:function make\(|const make = \()[^]{0,200}?\bstage(?:: '([a-z]+)'|, message)/.exec(source)?.[1] ?? 'any';
  for (const match of source.matchAll(new RegExp(`make\\(\\s*'([A-Z][A-Z0-9_]{4,})',\\s*${literal.source},\\s*${literal.source}`, 'g')))
    if (!rows.has(match[1])) {
      const [, code, ...texts] = match;
      const [message = '', hint = ''] = texts.filter((text) => text !== undefined).map(plain);
      rows.set(code, { stage, message, hint });
    }
}

const order = ['any', 'usage', 'dns', 'server', 'register', 'lookup', 'punch', 'relay', 'handshake', 'login', 'session'];
const sorted = [...rows].sort(([a, x], [b, y]) => order.indexOf(x.stage) - order.indexOf(y.stage) || a.localeCompare(b));
const text = `# Error codes

Every failure that a person or a script sees has a stable code, the stage at which it happened, a sentence about the cause
and one about the next step. This page is made from the source by \`node scripts/errors-doc.mjs\`.

| code | stage | what happened | what to do |
|---|---|---|---|
${sorted.map(([code, row]) => `| \`${code}\` | ${row.stage} | ${row.message} | ${row.hint} |`).join('\n')}
`;
const target = join(root, 'docs', 'errors.md');
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('docs/errors.md is not what the source says; run node scripts/errors-doc.mjs');
    process.exit(1);
  }
} else writeFileSync(target, text);
