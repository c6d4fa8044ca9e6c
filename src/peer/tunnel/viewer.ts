/** The viewer programs of this computer for the remote desktop protocols that a tunnel can carry. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LiteDeskError } from '../../core/errors.ts';
import { formatHostPort } from '../../net/index.ts';
import type { ListenAddress } from './listener.ts';

export const VIEWERS = ['rdp', 'vnc'] as const;
export type ViewerKind = (typeof VIEWERS)[number];

interface Viewer {
  readonly program: string;
  readonly args: (host: string, port: number) => string[];
}

/** The best first. */
const PROGRAMS: Readonly<Record<ViewerKind, Partial<Record<NodeJS.Platform | 'other', readonly Viewer[]>>>> = {
  rdp: {
    win32: [{ program: 'mstsc.exe', args: (host, port) => [`/v:${host}:${port}`] }],
    darwin: [{ program: 'open', args: (host, port) => [`rdp://full%20address=s:${host}:${port}`] }],
    other: [
      // The certificate is that of the other computer, and this end is called localhost: the tunnel is what proves it.
      { program: 'xfreerdp3', args: (host, port) => [`/v:${host}:${port}`, '/cert:tofu', '+clipboard'] },
      { program: 'xfreerdp', args: (host, port) => [`/v:${host}:${port}`, '/cert:tofu', '+clipboard'] },
      { program: 'remmina', args: (host, port) => ['-c', `rdp://${host}:${port}`] },
      { program: 'rdesktop', args: (host, port) => [`${host}:${port}`] },
    ],
  },
  vnc: {
    win32: [{ program: 'vncviewer.exe', args: (host, port) => [`${host}::${port}`] }],
    darwin: [{ program: 'open', args: (host, port) => [`vnc://${host}:${port}`] }],
    other: [
      { program: 'vncviewer', args: (host, port) => [`${host}::${port}`] },
      { program: 'xtightvncviewer', args: (host, port) => [`${host}::${port}`] },
      { program: 'remmina', args: (host, port) => ['-c', `vnc://${host}:${port}`] },
      { program: 'gvncviewer', args: (host, port) => [`${host}::${port}`] },
    ],
  },
};

/** Starts the first viewer that is there on a tunnel's port; it lives on by itself. Throws LiteDeskError VIEWER_NOT_FOUND. */
export async function startViewer(
  kind: ViewerKind,
  address: ListenAddress,
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Promise<string> {
  const viewers = PROGRAMS[kind][platform] ?? PROGRAMS[kind].other ?? [];
  const viewer = viewers.find(({ program }) => isThere(program, env));
  if (!viewer) throw notFound(kind, address, viewers);
  const host = address.host === '0.0.0.0' || address.host === '::' ? '127.0.0.1' : address.host;
  const child = spawn(viewer.program, viewer.args(host, address.port), { detached: true, stdio: 'ignore', env });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', () => reject(notFound(kind, address, viewers)));
  });
  child.unref();
  return viewer.program;
}

function isThere(program: string, env: NodeJS.ProcessEnv): boolean {
  return (env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function notFound(kind: ViewerKind, address: ListenAddress, viewers: readonly Viewer[]): LiteDeskError {
  return new LiteDeskError({
    code: 'VIEWER_NOT_FOUND',
    stage: 'usage',
    message: `No viewer for ${kind.toUpperCase()} was found on this computer.`,
    hint: `Install one (${viewers.map(({ program }) => program).join(', ')}), or point yours at ${formatHostPort(address)}.`,
  });
}
