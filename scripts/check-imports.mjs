// Holds the one-way import rule of docs/architecture.md: each layer may import itself and the layers listed for it.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ALLOWED = {
  core: ['core'],
  net: ['net', 'core'],
  peer: ['peer', 'net', 'core', 'shared'],
  server: ['server', 'net', 'core', 'shared'],
  shared: ['shared', 'core'],
  cli: ['cli', 'peer', 'server', 'net', 'core', 'shared'],
  // The window can host a server for the LAN (README), so main may start one.
  main: ['main', 'peer', 'server', 'net', 'core', 'shared'],
  preload: ['preload', 'shared'],
  renderer: ['renderer', 'shared'],
};
const root = resolve(import.meta.dirname, '..', 'src');
const problems = [];

function* files(dir) {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) {
      if (name !== 'generated') yield* files(path);
    } else if (/\.tsx?$/.test(name)) yield path;
  }
}

for (const file of files(root)) {
  const layer = relative(root, file).split('/')[0];
  const isTest = /\.test\.tsx?$/.test(file);
  for (const match of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?['"]([^'"]+)['"]/g)) {
    const target = match[1];
    if (target === 'electron' && layer !== 'main' && layer !== 'preload')
      problems.push(`${relative(root, file)}: only main and preload import electron`);
    if (!target.startsWith('.')) {
      if (layer === 'core' && !isTest && /^node:(net|dgram|fs|http|https|dns|child_process|timers)/.test(target))
        problems.push(`${relative(root, file)}: core does no I/O, but imports ${target}`);
      continue;
    }
    const other = relative(root, resolve(dirname(file), target)).split('/')[0];
    if (other === '..' || (isTest && other !== 'main')) continue;
    if (!(ALLOWED[layer] ?? []).includes(other))
      problems.push(`${relative(root, file)}: ${layer} must not import ${other} (${target})`);
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
