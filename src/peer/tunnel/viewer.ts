/** The remote desktop and VNC viewers that may be on this computer, and how each is told where to connect. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LiteDeskError } from '../../core/errors.ts';

export type ViewerKind = 'rdp' | 'vnc';

interface Viewer {
  readonly program: string;
  readonly args: (host: string, port: string) => string[];
}

/** With one colon, what follows is the number of a display. */
const twoColons = (host: string, port: string): string[] => [`${host}::${port}`];
const remmina = (kind: ViewerKind): Viewer => ({ program: 'remmina', args: (host, port) => ['-c', `${kind}://${host}:${port}`] });
// A host's own certificate is the rule with RDP; there is no terminal to ask on, so the first one is kept and compared.
const freerdp = (program: string): Viewer => ({ program, args: (host, port) => [`/v:${host}:${port}`, '/cert:tofu', '/dynamic-resolution'] });

const VIEWERS: Readonly<Record<'linux' | 'win32' | 'darwin', Readonly<Record<ViewerKind, readonly Viewer[]>>>> = {
  linux: {
    rdp: [freerdp('xfreerdp3'), freerdp('xfreerdp'), remmina('rdp')],
    vnc: [{ program: 'xtigervncviewer', args: twoColons }, { program: 'vncviewer', args: twoColons }, { program: 'gvncviewer', args: twoColons }, remmina('vnc')],
  },
  win32: {
    rdp: [{ program: 'mstsc.exe', args: (host, port) => [`/v:${host}:${port}`] }],
    vnc: [{ program: 'vncviewer.exe', args: twoColons }, { program: 'tvnviewer.exe', args: twoColons }],
  },
  darwin: {
    rdp: [{ program: 'open', args: (host, port) => [`rdp://full%20address=s:${host}:${port}`] }],
    vnc: [{ program: 'open', args: (host, port) => [`vnc://${host}:${port}`] }],
  },
};

/** The first viewer of that kind that `has` knows, as a command; null where there is none. `address` is `ip:port`. */
export function viewerCommand(
  kind: ViewerKind,
  address: string,
  platform: NodeJS.Platform,
  has: (program: string) => boolean,
): { program: string; args: string[] } | null {
  const viewers = VIEWERS[platform === 'win32' || platform === 'darwin' ? platform : 'linux'][kind];
  const viewer = viewers.find(({ program }) => has(program));
  const colon = address.lastIndexOf(':');
  return viewer ? { program: viewer.program, args: viewer.args(address.slice(0, colon), address.slice(colon + 1)) } : null;
}

/** Whether a program is in the folders of `path`. */
function inPath(path: string): (program: string) => boolean {
  return (program) =>
    path.split(delimiter).some((folder) => {
      try {
        accessSync(join(folder, program), constants.X_OK);
        return folder !== '';
      } catch {
        return false;
      }
    });
}

export function hasViewer(kind: ViewerKind): boolean {
  return viewerCommand(kind, '', process.platform, inPath(process.env.PATH ?? '')) !== null;
}

/** Starts it, apart from this program. Errors: VIEWER_MISSING, VIEWER_FAILED. */
export async function openViewer(kind: ViewerKind, address: string): Promise<void> {
  const command = viewerCommand(kind, address, process.platform, inPath(process.env.PATH ?? ''));
  if (!command) throw viewerMissing(kind);
  const child = spawn(command.program, command.args, { stdio: 'ignore', detached: true });
  child.unref();
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(viewerFailed(command.program, cause)));
  });
}

function viewerMissing(kind: ViewerKind): LiteDeskError {
  return new LiteDeskError({
    code: 'VIEWER_MISSING',
    stage: 'usage',
    message: `There is no ${kind.toUpperCase()} viewer on this computer.`,
    hint: 'Install one, or copy the address into the one you have.',
  });
}

function viewerFailed(program: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'VIEWER_FAILED',
      stage: 'usage',
      message: `The viewer ${program} could not be started.`,
      hint: 'Start it yourself and give it the address of the tunnel.',
    },
    { cause },
  );
}
