/** docs/benchmarks.md has two writers; the server's part is its last. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const MARK = '<!-- from here on written by `npm run bench:server -- --write` -->';

/** The part of `npm run bench:server` in `file`, with its mark; '' when there is none. */
export function serverSection(file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const at = text.indexOf(MARK);
  return at < 0 ? '' : text.slice(at);
}

export function writeServerSection(file: string, machine: string, text: string): void {
  const all = existsSync(file) ? readFileSync(file, 'utf8') : '# Benchmarks\n';
  const before = all.slice(0, all.length - serverSection(file).length).trimEnd();
  const share =
    `One node on ${machine}. Server, load and what they are compared with are separate processes on the same cores; every ` +
    'figure stands beside its comparison from the same run. The open server\'s figures were taken once on a machine of this size.';
  writeFileSync(file, `${before}\n\n${MARK}\n\n## Server\n\n${share}\n\n${text.trimEnd()}\n`);
}
