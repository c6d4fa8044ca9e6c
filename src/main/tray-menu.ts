/** What the icon in the system's tray says and offers, without the icon. */
import type { Language, RegistrationState } from '../shared/ipc.ts';

export interface TrayState {
  readonly id: string;
  readonly sharing: boolean;
  readonly registration: RegistrationState['state'];
  /** Names of those who work on this computer. */
  readonly controlledBy: readonly string[];
  /** Tunnels that are up or on their way. */
  readonly tunnels: number;
}

export type TrayAction = 'open' | 'share' | 'unshare' | 'disconnect' | 'quit';

/** A line without an action only says something. */
export type TrayEntry = { readonly label: string; readonly action?: TrayAction } | 'separator';

type Words = Readonly<
  Record<'ready' | 'offline' | 'off' | 'controlled' | 'tunnel' | 'tunnels' | TrayAction | 'stays', string>
>;

const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    ready: 'Ready, ID {id}',
    offline: 'Not reachable at the moment',
    off: 'Not shared',
    controlled: '{name} is connected',
    tunnel: '1 tunnel is on',
    tunnels: '{count} tunnels are on',
    open: 'Open LiteDesk',
    share: 'Share this computer',
    unshare: 'Stop sharing',
    disconnect: 'Disconnect everybody',
    quit: 'Quit',
    stays: 'LiteDesk goes on in the background. Start it again to see its window.',
  },
  'zh-CN': {
    ready: '就绪，ID {id}',
    offline: '目前无法访问',
    off: '未共享',
    controlled: '{name} 已连接',
    tunnel: '1 条隧道已启用',
    tunnels: '{count} 条隧道已启用',
    open: '打开 LiteDesk',
    share: '共享本机',
    unshare: '停止共享',
    disconnect: '断开所有人',
    quit: '退出',
    stays: 'LiteDesk 在后台继续运行。再次启动即可显示窗口。',
  },
  de: {
    ready: 'Bereit, ID {id}',
    offline: 'Zurzeit nicht erreichbar',
    off: 'Nicht freigegeben',
    controlled: '{name} ist verbunden',
    tunnel: '1 Tunnel ist an',
    tunnels: '{count} Tunnel sind an',
    open: 'LiteDesk öffnen',
    share: 'Diesen Computer freigeben',
    unshare: 'Nicht mehr freigeben',
    disconnect: 'Alle trennen',
    quit: 'Beenden',
    stays: 'LiteDesk läuft im Hintergrund weiter. Starten Sie es noch einmal, um das Fenster zu sehen.',
  },
};

/** The status as one line. */
export function trayStatus({ id, sharing, registration }: TrayState, language: Language): string {
  const words = WORDS[language];
  if (!sharing) return words.off;
  const grouped = /^\d{9,}$/.test(id) ? id.replace(/\B(?=(\d{3})+$)/g, ' ') : id;
  return registration === 'ready' ? words.ready.replace('{id}', grouped) : words.offline;
}

export function trayMenu(state: TrayState, language: Language): TrayEntry[] {
  const words = WORDS[language];
  const { controlledBy, tunnels, sharing } = state;
  const entry = (action: TrayAction): TrayEntry => ({ label: words[action], action });
  return [
    { label: trayStatus(state, language) },
    ...controlledBy.map((name) => ({ label: words.controlled.replace('{name}', name) })),
    ...(tunnels === 0 ? [] : [{ label: tunnels === 1 ? words.tunnel : words.tunnels.replace('{count}', String(tunnels)) }]),
    'separator',
    entry('open'),
    ...(controlledBy.length === 0 ? [] : [entry('disconnect')]),
    entry(sharing ? 'unshare' : 'share'),
    'separator',
    entry('quit'),
  ];
}

/** Said when the last window closes and the program goes on. */
export function staysWords(language: Language): string {
  return WORDS[language].stays;
}
