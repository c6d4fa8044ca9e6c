/** Entry of the main process. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { app, ipcMain, session } from 'electron';
import { THREADS } from '../net/index.ts';
import { Peer } from '../peer/peer.ts';
import { describeStream } from '../peer/tunnel/dialer.ts';
import { describeViolation } from '../peer/tunnel/tunnel-host.ts';
import { SESSION_PORT } from '../shared/channels.ts';
import { LiteDeskApp } from './app.ts';
import { Background } from './background.ts';
import { createDesktop } from './desktop.ts';
import { HostedServer } from './hosted-server.ts';
import { answerCommands } from './ipc.ts';
import { readOptions } from './options.ts';
import { registerPageScheme, servePages } from './pages.ts';
import { printIdentity } from './print-identity.ts';
import { AppTray } from './tray.ts';
import { createTunnels } from './tunnels/create.ts';
import { denyPermissions, lockDown } from './security.ts';
import { Windows } from './windows.ts';

/** What ends in order ends within this time, or is ended. */
const STOP_TIMEOUT_MS = 2_000;

// Read when the first of them is needed.
process.env['UV_THREADPOOL_SIZE'] ??= String(THREADS);
const log = (line: string, level: 'info' | 'debug' = 'info'): void => {
  if (level === 'info' || process.env['LITEDESK_LOG_LEVEL'] === 'debug') process.stderr.write(`litedesk: ${line}\n`);
};
const options = readOptions(process.argv, process.env);

mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
// Chromium's own files live apart from ours; the single-instance lock goes with this folder, so it is one per --data.
app.setPath('userData', join(options.dataDir, 'window'));
if (!options.withoutSandbox) app.enableSandbox();
registerPageScheme();

if (app.requestSingleInstanceLock()) {
  lockDown();
  main().catch((error: unknown) => {
    log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    app.exit(1);
  });
} else {
  log(`LiteDesk is already running with ${options.dataDir}; its window comes to the front.`);
  app.quit();
}

async function main(): Promise<void> {
  await app.whenReady();
  servePages(session.defaultSession, join(import.meta.dirname, '..', 'renderer'));
  denyPermissions(session.defaultSession, ['fullscreen', 'keyboardLock', 'pointerLock']);

  const preloadDir = join(import.meta.dirname, '..', 'preload');
  const icon = join(app.getAppPath(), 'resources', 'icon.png');
  const windows = new Windows({ preloadDir, icon });
  const desktop = await createDesktop({ preloadDir, log });
  const peer = await Peer.open({ dataDir: options.dataDir, desktop: desktop.host, log });
  const hostedServer = new HostedServer(join(options.dataDir, 'server'), log);
  peer.on('tunnel-stream', (line) => log(describeStream(line)));
  peer.on('tunnel-violation', (violation) => log(describeViolation(violation)));
  const tunnels = createTunnels(peer);
  const litedesk = new LiteDeskApp({ peer, windows, hostedServer, tunnels, quit: () => app.quit(), log });

  answerCommands(windows, litedesk.handlers(), log);
  ipcMain.on(SESSION_PORT, (event, sessionId: unknown) => {
    const sender = windows.senderOf(event);
    if (sender) litedesk.openPort(sender.kind, sessionId);
  });
  app.on('second-instance', () => litedesk.showHome());
  app.on('activate', () => litedesk.showHome());
  const background = new Background({
    peer,
    tunnels,
    hostedServer,
    showHome: () => litedesk.showHome(),
    quit: () => app.quit(),
    makeTray: (onAction) => new AppTray({ icon, onAction }),
  });
  windows.onLastClosed(() => background.lastWindowClosed());
  // Electron would end the program by itself.
  app.on('window-all-closed', () => {});

  let stopping = false;
  app.on('before-quit', (event) => {
    if (stopping) return;
    stopping = true;
    event.preventDefault();
    background.close();
    const timeout = new Promise((resolve) => setTimeout(resolve, STOP_TIMEOUT_MS));
    void Promise.race([litedesk.stop().then(() => desktop.close()), timeout]).finally(() => app.exit(0));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => app.quit());

  if (options.printId) printIdentity(peer, (line) => void process.stdout.write(`${line}\n`));
  litedesk.showHome();
  peer.start();
  tunnels.start();
}
