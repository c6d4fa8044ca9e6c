/** Answers the commands of the windows: sender checked, arguments checked, errors as data. */
import { ipcMain } from 'electron';
import { LiteDeskError } from '../core/errors.ts';
import type { ErrorData } from '../core/errors.ts';
import { COMMAND_NAMES, commandChannel } from '../shared/channels.ts';
import type { CommandName } from '../shared/channels.ts';
import { COMMANDS } from '../shared/schemas.ts';
import type { CommandAnswer, CommandArgs, WindowKind } from '../shared/schemas.ts';
import type { Windows } from './windows.ts';

export type Handlers = {
  [K in CommandName]: (sender: WindowKind, ...args: CommandArgs<K>) => Promise<CommandAnswer<K>> | CommandAnswer<K>;
};

/** Which windows may use which command; a session or accept window only for its own session. */
const HOME = ['home'] as const;
const SESSION = ['session'] as const;
const ALLOWED: Record<CommandName, readonly WindowKind['kind'][]> = {
  getHome: ['home', 'session', 'accept', 'host-bar'],
  copyText: ['home', 'session'],
  renewPassword: HOME,
  changeSettings: HOME,
  // A session window that ended offers to connect again.
  connect: ['home', 'session'],
  forgetPeer: HOME,
  discoverLan: HOME,
  hostServer: HOME,
  stopHostedServer: HOME,
  quit: HOME,
  answerIncoming: ['accept', 'home'],
  closeIncoming: ['home', 'accept', 'host-bar'],
  getTunnels: HOME,
  saveTunnel: HOME,
  removeTunnel: HOME,
  restoreTunnel: HOME,
  runTunnel: HOME,
  openViewer: HOME,
  saveRule: HOME,
  removeRule: HOME,
  getSession: SESSION,
  givePassword: SESSION,
  getRoute: SESSION,
  giveCode: SESSION,
  trustKey: SESSION,
  allowPlaintext: SESSION,
  switchDisplay: SESSION,
  ctrlAltDel: SESSION,
  setFullScreen: SESSION,
  closeSession: SESSION,
};

function mayUse(name: CommandName, sender: WindowKind, args: readonly unknown[]): boolean {
  if (!ALLOWED[name].includes(sender.kind)) return false;
  const own = sender.kind === 'session' || sender.kind === 'accept';
  const about = own && name !== 'getHome' && name !== 'copyText' && name !== 'connect';
  return !about || args[0] === sender.sessionId;
}

function toErrorData(error: unknown): ErrorData {
  if (error instanceof LiteDeskError) return error.toData();
  return {
    code: 'INTERNAL',
    stage: 'session',
    message: `Something unexpected happened: ${error instanceof Error ? error.message : String(error)}`,
    hint: 'Try again; if it happens again, restart LiteDesk.',
  };
}

const refused: ErrorData = {
  code: 'COMMAND_REFUSED',
  stage: 'usage',
  message: 'This window may not do that.',
  hint: 'Use the main window.',
};

/** Installs all commands; the returned function removes them. */
export function answerCommands(windows: Windows, handlers: Handlers, log: (line: string) => void): () => void {
  for (const name of COMMAND_NAMES) {
    const handler = handlers[name] as (sender: WindowKind, ...args: unknown[]) => unknown;
    ipcMain.handle(commandChannel(name), async (event, ...given: unknown[]) => {
      const sender = windows.senderOf(event);
      const args = COMMANDS[name].args.safeParse(given);
      if (!sender || !args.success || !mayUse(name, sender.kind, args.data)) {
        log(`refused the command ${name} from ${sender?.kind.kind ?? event.senderFrame?.url ?? 'nowhere'}`);
        return { ok: false, error: refused };
      }
      try {
        return { ok: true, value: await handler(sender.kind, ...args.data) };
      } catch (error) {
        return { ok: false, error: toErrorData(error) };
      }
    });
  }
  return () => {
    for (const name of COMMAND_NAMES) ipcMain.removeHandler(commandChannel(name));
  };
}
