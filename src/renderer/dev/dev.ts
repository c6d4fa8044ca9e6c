/** `dev/?window=session&scene=password&lang=de&codec=vp9`: the real windows over the stand-in bridge. */
import type { Language, LiteDeskApi } from '../../shared/ipc.ts';
import { type FakeCodec, streamFakeDesktop } from './fake-desktop.ts';
import { makeMock } from './mock.ts';

const query = new URLSearchParams(location.search);
const languages: readonly Language[] = ['en', 'zh-CN', 'de'];
const codecs: readonly FakeCodec[] = ['vp8', 'vp9', 'av1', 'h264'];

function windowOf(kind: string | null): LiteDeskApi['window'] {
  switch (kind) {
    case 'session':
      return { kind, sessionId: 's1' };
    case 'accept':
      return { kind, sessionId: 'in-1' };
    case 'host-bar':
      return { kind };
    default:
      return { kind: 'home' };
  }
}

const language = languages.find((each) => each === query.get('lang')) ?? 'en';
const scene = query.get('scene') ?? '';
const bridge = makeMock(windowOf(query.get('window')), scene, language);
window.litedesk = bridge;
Object.assign(window, { mock: bridge.mock });
await import('../main.tsx');

const codec = codecs.find((each) => each === query.get('codec')) ?? 'vp9';
if (bridge.window.kind === 'session' && scene !== 'no-picture') {
  const desktop = streamFakeDesktop(codec, 0, (message) => bridge.mock.post(message));
  const answer = bridge.mock.commands;
  setInterval(() => {
    if (answer.some((command) => command.type === 'refresh')) desktop.refresh();
  }, 500);
}
