/** docs/benchmarks.md has several writers, each of a part of its own: the first has none of the marks, the others follow. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = join(import.meta.dirname, '..', 'docs', 'benchmarks.md');

/** In the order of the document. */
const MARKS = {
  traversal: '<!-- from here on written by `npm run bench:traversal -- --write` -->',
  tunnel: '<!-- from here on written by `npm run bench:tunnel -- --write` -->',
  server: '<!-- from here on written by `npm run bench:server -- --write` -->',
} as const;
const PARTS = ['main', 'traversal', 'tunnel', 'server'] as const;
export type Part = (typeof PARTS)[number];

/** Replaces one part of docs/benchmarks.md. */
export function writeSection(part: Part, text: string): void {
  const parts = read();
  parts[part] = text;
  const marked = PARTS.map((name) => {
    const body = parts[name].trim();
    if (name === 'main' || body === '') return body;
    return `${MARKS[name]}\n\n${body}`;
  });
  writeFileSync(FILE, `${marked.filter((body) => body !== '').join('\n\n')}\n`);
}

function read(): Record<Part, string> {
  const text = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '# Benchmarks\n';
  const parts: Record<Part, string> = { main: text, traversal: '', tunnel: '', server: '' };
  for (const name of ['server', 'tunnel', 'traversal'] as const) {
    const at = parts.main.indexOf(MARKS[name]);
    if (at < 0) continue;
    parts[name] = parts.main.slice(at + MARKS[name].length);
    parts.main = parts.main.slice(0, at);
  }
  return parts;
}

/** The server's part, with what all its figures share. */
export function writeServerSection(machine: string, text: string): void {
  const share =
    `One node on ${machine}. Server, load and what they are compared with are separate processes on the same cores; every ` +
    "figure stands beside its comparison from the same run. The open server's figures were taken once on a machine of this size.";
  writeSection('server', `## Server\n\n${share}\n\n${text}`);
}
