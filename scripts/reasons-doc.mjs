// Writes the table of decisions in docs/observability.md from src/server/observe/reasons.ts.
// Usage: node scripts/reasons-doc.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const source = readFileSync(join(root, 'src', 'server', 'observe', 'reasons.ts'), 'utf8');
const target = join(root, 'docs', 'observability.md');
const rows = [...source.matchAll(/^ {2}'?([a-z0-9-]+)'?: \{\s*kind: '([a-z]+)',\s*text:\s*(?:'((?:[^'\\]|\\.)*)'|"([^"]*)")/gm)].map(
  ([, name, kind, single, double]) => `| \`${name}\` | ${kind} | ${(single ?? double).replaceAll("\\'", "'")} |`,
);
const before = readFileSync(target, 'utf8');
const after = before.replace(
  /<!-- decisions -->[^]*<!-- end -->/,
  `<!-- decisions -->\n| name | kind | what happened |\n|---|---|---|\n${rows.join('\n')}\n<!-- end -->`,
);
if (process.argv.includes('--check')) {
  if (before !== after) {
    console.error('docs/observability.md is not what the source says; run node scripts/reasons-doc.mjs');
    process.exit(1);
  }
} else writeFileSync(target, after);
