/** The one bridge between the pages and the program: exactly LiteDeskApi, and nothing of Electron. */
import { contextBridge, ipcRenderer } from 'electron';
import type { IpcRendererEvent } from 'electron';
import type { z } from 'zod';
import { COMMAND_NAMES, commandChannel, HOME_EVENT, ROUTE_EVENT, SESSION_EVENT, SESSION_PORT, STATS_EVENT, TUNNELS_EVENT, WINDOW_ARGUMENT } from '../shared/channels.ts';
import type { CommandName } from '../shared/channels.ts';
import type { LiteDeskApi, Result, SessionPortCommand, SessionPortMessage } from '../shared/ipc.ts';
import { routeSchema } from '../shared/route.ts';
import { COMMANDS, homeSchema, portCommandSchema, portMessageSchema, resultSchema, sessionStateSchema, statsSchema, windowSchema } from '../shared/schemas.ts';
import type { CommandAnswer, CommandArgs } from '../shared/schemas.ts';
import { tunnelsStateSchema } from '../shared/tunnels-state.ts';

const argument = process.argv.find((text) => text.startsWith(WINDOW_ARGUMENT)) ?? '';
const ownWindow = windowSchema.parse(JSON.parse(argument.slice(WINDOW_ARGUMENT.length)));

async function call<K extends CommandName>(name: K, ...args: CommandArgs<K>): Promise<Result<CommandAnswer<K>>> {
  const { args: argsSchema, answer } = COMMANDS[name];
  const checked = argsSchema.safeParse(args);
  if (!checked.success)
    return {
      ok: false,
      error: {
        code: 'ARGUMENT_INVALID',
        stage: 'usage',
        message: 'What was entered has the wrong form.',
        hint: 'Check what you entered.',
      },
    };
  const result: unknown = await ipcRenderer.invoke(commandChannel(name), ...checked.data);
  return resultSchema(answer as z.ZodType).parse(result) as Result<CommandAnswer<K>>;
}

/** Events carry `[sessionId, payload]` or `[payload]`; what does not fit the schema is dropped. */
function listen<T>(channel: string, schema: z.ZodType<T>, sessionId: string | null, listener: (value: T) => void): () => void {
  const onEvent = (_event: IpcRendererEvent, ...parts: unknown[]): void => {
    if (sessionId !== null && parts.shift() !== sessionId) return;
    const parsed = schema.safeParse(parts[0]);
    if (parsed.success) listener(parsed.data);
  };
  ipcRenderer.on(channel, onEvent);
  return () => ipcRenderer.off(channel, onEvent);
}

function openPort(
  sessionId: string,
  onMessage: (message: SessionPortMessage) => void,
): Promise<(command: SessionPortCommand) => void> {
  return new Promise((resolve) => {
    ipcRenderer.once(SESSION_PORT, (event) => {
      const [port] = event.ports;
      if (!port) return;
      port.onmessage = ({ data }) => {
        // Acknowledged in any case: main counts what is on its way, to bound it.
        port.postMessage({ type: 'taken', count: 1 });
        const parsed = portMessageSchema.safeParse(data);
        if (parsed.success) onMessage(parsed.data);
      };
      resolve((command) => {
        const parsed = portCommandSchema.safeParse(command);
        if (parsed.success) port.postMessage(parsed.data);
      });
    });
    ipcRenderer.send(SESSION_PORT, sessionId);
  });
}

const commands = Object.fromEntries(
  COMMAND_NAMES.map((name) => [name, (...args: unknown[]) => call(name, ...(args as CommandArgs<typeof name>))]),
) as unknown as { [K in CommandName]: LiteDeskApi[K] };

const api: LiteDeskApi = {
  window: ownWindow,
  ...commands,
  onHome: (listener) => listen(HOME_EVENT, homeSchema, null, listener),
  onTunnels: (listener) => listen(TUNNELS_EVENT, tunnelsStateSchema, null, listener),
  onSession: (sessionId, listener) => listen(SESSION_EVENT, sessionStateSchema, sessionId, listener),
  onRoute: (sessionId, listener) => listen(ROUTE_EVENT, routeSchema, sessionId, listener),
  onStats: (sessionId, listener) => listen(STATS_EVENT, statsSchema, sessionId, listener),
  openSessionPort: openPort,
};

contextBridge.exposeInMainWorld('litedesk', api);
