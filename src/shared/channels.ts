/** Names of the IPC channels. The preload knows no others, the main process answers no others. */

/** Renderer → main, answered; arguments and answers are checked with `COMMANDS` of schemas.ts. */
export const COMMAND_NAMES = [
  'getHome',
  'copyText',
  'renewPassword',
  'changeSettings',
  'connect',
  'forgetPeer',
  'discoverLan',
  'hostServer',
  'stopHostedServer',
  'quit',
  'answerIncoming',
  'closeIncoming',
  'getTunnels',
  'saveTunnel',
  'removeTunnel',
  'restoreTunnel',
  'runTunnel',
  'openViewer',
  'saveRule',
  'removeRule',
  'getSession',
  'givePassword',
  'getRoute',
  'giveCode',
  'trustKey',
  'allowPlaintext',
  'switchDisplay',
  'ctrlAltDel',
  'setFullScreen',
  'closeSession',
] as const;
export type CommandName = (typeof COMMAND_NAMES)[number];

export const commandChannel = (name: CommandName): string => `litedesk:command:${name}`;

/** Main → renderer. */
export const HOME_EVENT = 'litedesk:event:home';
export const TUNNELS_EVENT = 'litedesk:event:tunnels';
export const SESSION_EVENT = 'litedesk:event:session';
export const ROUTE_EVENT = 'litedesk:event:route';
export const STATS_EVENT = 'litedesk:event:stats';
/** Renderer → main: asks for the session's port; main → renderer: the port itself. */
export const SESSION_PORT = 'litedesk:session-port';
/** Main → capture window: the port for capture commands and encoded frames. */
export const CAPTURE_PORT = 'litedesk:capture-port';

/** How a window learns what it is for: an argument of its process, `--litedesk-window={"kind":…}`. */
export const WINDOW_ARGUMENT = '--litedesk-window=';
