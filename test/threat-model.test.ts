/** docs/threat-model.md names a test for each attack; this holds it to that. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const docs = join(import.meta.dirname, '..', 'docs');
const page = readFileSync(join(docs, 'threat-model.md'), 'utf8');
const rows = [...page.matchAll(/^\| .* \| .* \| \[[\w.-]+\]\(([\w./-]+)\) › (.+) \|$/gm)];

test('every attack of the threat model has the test that it names', () => {
  const titles = new Map<string, string[]>();
  const missing: string[] = [];
  for (const [, file = '', title = ''] of rows) {
    const path = resolve(docs, file);
    if (!titles.has(path)) titles.set(path, titlesOf(path));
    if (!titles.get(path)?.some((known) => known.startsWith(title))) missing.push(`${file} › ${title}`);
  }
  expect(missing).toEqual([]);
  expect(rows.length).toBeGreaterThanOrEqual(20);
});

test('every attack that is tested is named', () => {
  const attacks = join(docs, '..', 'src/net/attacks');
  const named = rows.map(([, , title]) => title ?? '');
  for (const name of readdirSync(attacks).filter((file) => file.endsWith('.test.ts')))
    for (const title of titlesOf(join(attacks, name)))
      expect(
        named.some((prefix) => title.startsWith(prefix)),
        title,
      ).toBe(true);
});

function titlesOf(path: string): string[] {
  const source = readFileSync(path, 'utf8');
  return [...source.matchAll(/(?:\b(?:test|it)\(|^\s*\]\)\(|\btitle:)\s*(['"])((?:\\.|(?!\1).)*)\1/gm)].map(
    ([, , title]) => title ?? '',
  );
}
