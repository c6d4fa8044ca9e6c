/** A stand-in for the preload bridge: every state of every window without a peer. Development and screenshots only. */
import type { ErrorData } from '../errors.ts';
import type {
  HomeState,
  IncomingSession,
  LiteDeskApi,
  Language,
  Result,
  SessionInfo,
  SessionPortCommand,
  SessionPortMessage,
  SessionState,
} from '../../shared/ipc.ts';
import { mockRoute } from './mock-route.ts';
import { mockTunnels } from './mock-tunnels.ts';

const NOW = Date.now();
const MINUTE = 60_000;

const OFFLINE: ErrorData = {
  code: 'SERVER_NO_ANSWER',
  stage: 'server',
  message: 'desk.example.org:21116 did not answer within 3 s over UDP and TCP.',
  hint: 'Check the address in the settings and whether the server is running.',
};
const NOT_FOUND: ErrorData = {
  code: 'ID_NOT_FOUND',
  stage: 'lookup',
  message: 'The server desk.example.org does not know the ID 987654321.',
  hint: 'Check the ID, and that both computers use the same server.',
};
const PLAINTEXT: ErrorData = {
  code: 'HANDSHAKE_PLAINTEXT_REFUSED',
  stage: 'handshake',
  message: 'The other side offers no key, so the connection would not be encrypted.',
  hint: 'Set the same server key on both computers.',
};

const KEY_CHANGED: ErrorData = {
  code: 'HANDSHAKE_KEY_CHANGED',
  stage: 'handshake',
  message: '401882731 is not the computer that was connected before.',
  hint: 'Compare the fingerprints.',
};

const INCOMING: IncomingSession = {
  sessionId: 'in-1',
  peerId: '401882731',
  peerName: 'anna@notebook',
  peerPlatform: 'Windows',
  kind: 'desktop',
  path: 'udp',
  remoteAddress: '203.0.113.7:49152',
  encrypted: true,
  standing: 'known',
  state: 'open',
  sinceMs: NOW - 12 * MINUTE,
};

function home(scene: string, language: Language): HomeState {
  const base: HomeState = {
    id: '123456789',
    oneTimePassword: 'k7mq4xh2',
    nat: 'asymmetric',
    natVerdict: 'usual',
    natFacts: {
      ...{ udp: 'yes', tcp: 'yes', 'ipv4-translated': 'yes', ipv6: 'no', 'port-kept': 'yes', 'mapping-varies-by-port': 'no' },
      ...{ 'answers-from-another-port-come-in': 'no', hairpin: 'yes' },
    },
    fingerprint: '3F2A-91C0-77BE-04D1',
    registration: { state: 'ready', server: 'desk.example.org', transport: 'udp', latencyMs: 18 },
    settings: {
      server: 'desk.example.org',
      key: 'Ok3uHx0bYv0N3bC0q8ZlXrM1c9vQ3o2k5cJ5b2f1x2E=',
      language,
      shareEnabled: true,
      hasPermanentPassword: true,
      approveMode: 'both',
      directAccess: true,
      directAccessPort: 21118,
      lanDiscovery: true,
      portMapping: true,
      plaintextPeers: ['555666777'],
    },
    incoming: [],
    recentPeers: [
      {
        id: '401882731',
        name: 'notebook-anna',
        platform: 'Windows',
        lastUsedMs: NOW - 2 * MINUTE,
        remembered: true,
      },
      {
        id: '88123004',
        name: 'build-server.internal.example.org',
        platform: 'Linux',
        lastUsedMs: NOW - 300 * MINUTE,
        remembered: false,
      },
      { id: '1334455667', name: '', platform: 'Mac OS', lastUsedMs: NOW - 9000 * MINUTE, remembered: false },
    ],
    hostedServer: null,
    version: '0.1.0',
  };
  switch (scene) {
    case 'first-run':
      return {
        ...base,
        id: '',
        oneTimePassword: '',
        nat: 'unknown',
        natVerdict: null,
        natFacts: null,
        registration: { state: 'no-server' },
        settings: { ...base.settings, server: '', key: '', hasPermanentPassword: false, plaintextPeers: [] },
        recentPeers: [],
      };
    case 'hosting':
      return {
        ...base,
        registration: { state: 'ready', server: '192.168.1.20', transport: 'udp', latencyMs: null },
        hostedServer: {
          address: '192.168.1.20:21116',
          key: base.settings.key,
          invitation: `litedesk://192.168.1.20?key=${encodeURIComponent(base.settings.key)}#4f2a`,
        },
      };
    case 'offline':
      return {
        ...base,
        nat: 'symmetric',
        natVerdict: 'no-udp-random',
        registration: { state: 'offline', server: 'desk.example.org', error: OFFLINE, retryInMs: 8000 },
      };
    case 'registering':
      return {
        ...base,
        nat: 'unknown',
        natVerdict: null,
        natFacts: null,
        registration: { state: 'registering', server: 'desk.example.org', attempt: 3 },
      };
    case 'off':
      return { ...base, registration: { state: 'off' }, settings: { ...base.settings, shareEnabled: false } };
    case 'incoming':
      return {
        ...base,
        incoming: [
          INCOMING,
          {
            ...INCOMING,
            sessionId: 'in-2',
            peerId: '',
            peerName: '',
            kind: 'port-forward',
            path: 'direct',
            encrypted: false,
            remoteAddress: '192.168.1.44:50112',
          },
        ],
      };
    case 'asking':
      return { ...base, incoming: [{ ...INCOMING, state: 'asking' }] };
    case 'asking-plain':
      return { ...base, incoming: [{ ...INCOMING, state: 'asking', encrypted: false }] };
    default:
      return base;
  }
}

const INFO: SessionInfo = {
  hostname: 'notebook-anna',
  username: 'anna',
  platform: 'Linux',
  displays: [
    { x: 0, y: 0, width: 1280, height: 720, name: 'HDMI-1' },
    { x: 1280, y: 0, width: 1280, height: 720, name: 'DP-1' },
  ],
  currentDisplay: 0,
  path: 'udp',
  encrypted: true,
  peerVerified: true,
  keyboardAllowed: true,
};

function session(scene: string): SessionState {
  const peerId = '401882731';
  switch (scene) {
    case 'connecting':
      return { state: 'connecting', peerId, progress: { step: 'lookup', detail: '' } };
    case 'password':
      return { state: 'password', peerId, reason: 'required', message: '' };
    case 'password-wrong':
      return { state: 'password', peerId, reason: 'wrong', message: '' };
    case 'waiting':
      return { state: 'password', peerId, reason: 'waiting-accept', message: '' };
    case 'two-factor':
      return { state: 'password', peerId, reason: 'two-factor', message: '' };
    case 'key-changed':
      return { state: 'key-question', peerId, error: KEY_CHANGED, known: '3F2A-91C0-77BE-04D1', offered: '81D0-5A7C-E2F4-9B36' };
    case 'downgrade':
      return { state: 'key-question', peerId, error: { ...KEY_CHANGED, code: 'HANDSHAKE_DOWNGRADE_REFUSED' }, known: '', offered: '' };
    case 'plaintext':
      return { state: 'plaintext-question', peerId, error: PLAINTEXT };
    case 'plain-open':
      return {
        state: 'open',
        peerId,
        info: { ...INFO, encrypted: false, peerVerified: false, displays: [] },
      };
    case 'unverified':
      return { state: 'open', peerId, info: { ...INFO, peerVerified: false, keyboardAllowed: false } };
    case 'failed':
      return { state: 'closed', peerId: '987654321', error: NOT_FOUND, reason: '' };
    case 'closed':
      return { state: 'closed', peerId, error: null, reason: 'Closed by the other side' };
    default:
      return { state: 'open', peerId, info: INFO };
  }
}

const ok = <T>(value: T): Promise<Result<T>> => Promise.resolve({ ok: true, value });

export interface MockControl {
  /** Everything the session window sent over its port. */
  readonly commands: SessionPortCommand[];
  /** Commands of the home and session windows, by name. */
  readonly calls: string[];
  setHome(change: Partial<HomeState>): void;
  setSession(state: SessionState): void;
  /** Sends something to the session window. */
  post(message: SessionPortMessage): void;
}

/** Makes the bridge for one window in one scene. */
export function makeMock(
  window: LiteDeskApi['window'],
  scene: string,
  language: Language,
): LiteDeskApi & { mock: MockControl } {
  let homeState = home(scene, language);
  let sessionState = session(scene);
  const homeListeners = new Set<(state: HomeState) => void>();
  const sessionListeners = new Set<(state: SessionState) => void>();
  const commands: SessionPortCommand[] = [];
  const calls: string[] = [];
  let port: ((message: SessionPortMessage) => void) | null = null;
  const setHome = (change: Partial<HomeState>) => {
    homeState = { ...homeState, ...change };
    for (const listener of homeListeners) listener(homeState);
  };
  const setSession = (state: SessionState) => {
    sessionState = state;
    for (const listener of sessionListeners) listener(state);
  };
  const called = (name: string): Promise<Result<null>> => {
    calls.push(name);
    return ok(null);
  };
  return {
    window,
    mock: { commands, calls, setHome, setSession, post: (message) => port?.(message) },
    getHome: () =>
      scene === 'loading'
        ? new Promise(() => undefined)
        : scene === 'broken'
          ? Promise.resolve({ ok: false, error: OFFLINE })
          : ok(homeState),
    onHome: (listener) => {
      homeListeners.add(listener);
      return () => homeListeners.delete(listener);
    },
    ...mockTunnels(scene, (name) => calls.push(name)),
    copyText: (text) => called(`copyText ${text}`),
    renewPassword: () => {
      setHome({ oneTimePassword: 'w3np8tza' });
      return called('renewPassword');
    },
    changeSettings: (change) => {
      if (change.server === 'bad') return Promise.resolve({ ok: false, error: OFFLINE });
      const { permanentPassword, invitation, ...rest } = change;
      const settings = { ...homeState.settings, ...rest };
      if (permanentPassword !== undefined) settings.hasPermanentPassword = permanentPassword !== '';
      if (invitation !== undefined) settings.server = 'invited.example.org';
      setHome({ settings });
      calls.push(`changeSettings ${JSON.stringify(change)}`);
      return ok(settings);
    },
    connect: (target) => {
      calls.push(`connect ${target}`);
      return target === '404' ? Promise.resolve({ ok: false, error: NOT_FOUND }) : ok('s1');
    },
    forgetPeer: (id) => {
      setHome({ recentPeers: homeState.recentPeers.filter((peer) => peer.id !== id) });
      return called(`forgetPeer ${id}`);
    },
    discoverLan: () =>
      ok([
        { id: '77001122', name: 'workshop', platform: 'Linux', address: '192.168.1.31' },
        { id: '77001123', name: 'reception-desk', platform: 'Windows', address: '192.168.1.32' },
      ]),
    hostServer: () => {
      const { hostedServer } = home('hosting', language);
      setHome({ hostedServer });
      return called('hostServer');
    },
    stopHostedServer: () => {
      setHome({ hostedServer: null });
      return called('stopHostedServer');
    },
    quit: () => called('quit'),
    answerIncoming: (_id, accept) => called(`answerIncoming ${accept}`),
    closeIncoming: (id) => {
      setHome({ incoming: homeState.incoming.filter((each) => each.sessionId !== id) });
      return called(`closeIncoming ${id}`);
    },
    getSession: () => ok(sessionState),
    onSession: (_id, listener) => {
      sessionListeners.add(listener);
      return () => sessionListeners.delete(listener);
    },
    onStats: (_id, listener) => {
      const tell = () =>
        listener({
          path: scene === 'relayed' || scene === 'searching' ? 'relay' : scene === 'lan' ? 'lan' : 'udp',
          rttMs: 23.4,
          codec: 'vp9',
          fps: 29.7,
          bitrateBps: 2_413_000,
        });
      const timer = setInterval(tell, 1000);
      setTimeout(tell, 0);
      return () => clearInterval(timer);
    },
    ...mockRoute(scene, (name) => calls.push(name)),
    givePassword: (_id, password, remember) => {
      setTimeout(() => setSession(session(password === 'wrong' ? 'password-wrong' : 'open')), 300);
      return called(`givePassword ${password} ${remember}`);
    },
    allowPlaintext: () => {
      setSession(session('plain-open'));
      return called('allowPlaintext');
    },
    switchDisplay: (_id, display) => {
      if (sessionState.state === 'open')
        setSession({ ...sessionState, info: { ...sessionState.info, currentDisplay: display } });
      return called(`switchDisplay ${display}`);
    },
    ctrlAltDel: () => called('ctrlAltDel'),
    setFullScreen: (_id, on) => called(`setFullScreen ${on}`),
    closeSession: () => {
      setSession(session('closed'));
      return called('closeSession');
    },
    openSessionPort: async (_id, onMessage) => {
      port = onMessage;
      return (command) => commands.push(command);
    },
  };
}
