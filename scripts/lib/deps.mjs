// Debian packages that a script needs: names what is missing, installs it when run as root, else says the one command.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What Electron links or loads on Linux. `a|b`: either name, newer Debian and Ubuntu carry the t64 ones. */
export const ELECTRON_PACKAGES = [
  'libnss3',
  'libatk-bridge2.0-0|libatk-bridge2.0-0t64',
  'libgtk-3-0|libgtk-3-0t64',
  'libgbm1',
  'libasound2|libasound2t64',
  'libnotify4',
  'libsecret-1-0',
];
export const DISPLAY_PACKAGES = ['xvfb'];

/** Full path of a program on PATH, or null. */
export function findProgram(name) {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    if (dir === '') continue;
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

export function isRoot() {
  return process.getuid?.() === 0;
}

function installed(name) {
  const answer = spawnSync('dpkg-query', ['-W', '-f=${Status}', name], { encoding: 'utf8' });
  return answer.status === 0 && answer.stdout.includes('install ok installed');
}

function available(name) {
  const answer = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' });
  return answer.status === 0 && /Candidate: (?!\(none\))/.test(answer.stdout);
}

/** Those of `list` that are not installed; empty where there is no dpkg. */
function missingDebianPackages(list) {
  if (findProgram('dpkg-query') === null) return [];
  return list.filter((entry) => !entry.split('|').some(installed));
}

/**
 * Makes sure that the packages are there. Root: lists them on stdout and installs them. Otherwise throws with the one
 * command to paste. Where the system has no apt it throws with the plain names.
 */
export function ensureDebianPackages(list, purpose = 'this command') {
  const missing = missingDebianPackages(list);
  if (missing.length === 0) return;
  if (findProgram('apt-get') === null) throw new Error(`${purpose} needs these packages: ${missing.join(' ')}`);
  const choose = () => missing.map((entry) => entry.split('|').find(available) ?? entry.split('|')[0]);
  if (!isRoot())
    throw new Error(`${purpose} needs packages that are not installed. Paste this and start again:\n\n  sudo apt-get install -y ${choose().join(' ')}\n`);
  console.log(`Installing Debian packages for ${purpose}: ${missing.map((entry) => entry.split('|')[0]).join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => spawnSync('apt-get', ['-q', ...args], { env, stdio: ['ignore', 2, 2] }).status === 0;
  const install = () => apt('install', '-y', '--no-install-recommends', ...choose());
  // A fresh container has no package lists; an old one has stale ones.
  if (!install() && !(apt('update') && install()))
    throw new Error(`apt-get could not install: ${choose().join(' ')}`);
}
