import { useEffect } from 'react';
import { AcceptWindow } from './accept/accept-window.tsx';
import { api } from './api.ts';
import { HomeWindow } from './home/home-window.tsx';
import { HostBarWindow } from './host-bar/host-bar-window.tsx';
import { useI18n } from './i18n/use-i18n.ts';
import { SessionWindow } from './session/session-window.tsx';
import { startHome } from './state/home-store.ts';

/** Shows what this window is for. Every kind follows the home state: it carries the language. */
export function App() {
  const { language } = useI18n();
  useEffect(() => startHome(api()), []);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);

  const kind = api().window;
  switch (kind.kind) {
    case 'home':
      return <HomeWindow />;
    case 'session':
      return <SessionWindow sessionId={kind.sessionId} />;
    case 'accept':
      return <AcceptWindow sessionId={kind.sessionId} />;
    case 'host-bar':
      return <HostBarWindow />;
  }
}
