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

const literal = /(?:'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\]|\\.)*)")/;
const plain = (text) =>
  text.replace(/\$\{[^}]*(?:\{[^}]*\}[^}]*)*\}/g, '…').replace(/\\'/g, "'").replace(/\|/g, '\\|').trim();
const textOf = (source, name) => {
  const match = new RegExp(`${name}:\\s*(?:[\\w.()?!= '"&|-]*\\?\\s*)?${literal.source}`).exec(source);
  return plain(match?.[1] ?? match?.[2] ?? match?.[3] ?? '');
};

for (const file of [...files(join(root, 'src'))].sort()) {
  const source = readFileSync(file, 'utf8');
  for (const match of source.matchAll(/code:\s*'([A-Z][A-Z0-9_]{4,})'/g)) {
    const near = source.slice(match.index, match.index + 900);
    const end = near.indexOf('\n  }');
    const body = end > 0 ? near.slice(0, end + 4) : near;
    const stage = /stage:\s*'([a-z]+)'/.exec(body)?.[1];
    if (!stage || rows.has(match[1])) continue;
    rows.set(match[1], { stage, message: textOf(body, 'message'), hint: textOf(body, 'hint') });
  }
  // Families of one stage: make('CODE', message, hint).
  const family = /function make\([^]*?\}\n/.exec(source)?.[0] ?? '';
  const stage = /stage: '([a-z]+)'/.exec(family)?.[1] ?? 'server';
  for (const match of source.matchAll(new RegExp(`make\\(\\s*'([A-Z][A-Z0-9_]{4,})',\\s*${literal.source},\\s*${literal.source}`, 'g')))
    if (!rows.has(match[1])) {
      const [, code, ...texts] = match;
      const [message = '', hint = ''] = texts.filter((text) => text !== undefined).map(plain);
      rows.set(code, { stage, message, hint });
    }
}

const order = ['usage', 'dns', 'server', 'register', 'lookup', 'punch', 'relay', 'handshake', 'login', 'session'];
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
