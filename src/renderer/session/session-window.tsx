import { useEffect, useRef, useState } from 'react';
import type { SessionDisplay, SessionPortCommand } from '../../shared/ipc.ts';
import { api } from '../api.ts';
import { formatId } from '../home/format-id.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Icon } from '../ui/icons.tsx';
import { ClosedPanel } from './closed-panel.tsx';
import type { Codec } from './codec.ts';
import { ConnectingPanel } from './connecting-panel.tsx';
import { DOT_CURSOR } from './cursors.ts';
import type { Point } from './geometry.ts';
import { KeyPanel } from './key-panel.tsx';
import { PasswordPanel } from './password-panel.tsx';
import { PlaintextPanel } from './plaintext-panel.tsx';
import { ReconnectingPanel } from './reconnecting-panel.tsx';
import { RoutePanel } from './route-panel.tsx';
import { ScreenView } from './screen-view.tsx';
import { SessionBar } from './session-bar.tsx';
import { SessionMedia } from './session-media.ts';
import styles from './session.module.css';
import { TwoFactorPanel } from './two-factor-panel.tsx';
import { TypeTextDialog } from './type-text-dialog.tsx';
import { useSession } from './use-session.ts';

export type ViewMode = 'fit' | 'actual';

/** What the media side reports; React state, since it changes seldom. */
interface MediaView {
  geometry: ReadonlyMap<number, SessionDisplay>;
  picture: { width: number; height: number } | null;
  cursor: string;
  remoteCursor: Point | null;
  unsupported: Codec | null;
}
const NO_MEDIA: MediaView = {
  geometry: new Map(),
  picture: null,
  cursor: DOT_CURSOR,
  remoteCursor: null,
  unsupported: null,
};

export function SessionWindow({ sessionId }: { sessionId: string }) {
  const { t } = useI18n();
  const { session, failure, info, stats, route, steps, changes } = useSession(sessionId);
  const { media, view } = useMedia(sessionId);
  const [mode, setMode] = useState<ViewMode>('fit');
  const [typing, setTyping] = useState(false);
  const [routeShown, setRouteShown] = useState(false);
  const fullScreen = useFullScreen();
  const bar = useRef<HTMLDivElement>(null);

  const peerId = session?.peerId ?? '';
  const name = info?.hostname !== undefined && info.hostname !== '' ? info.hostname : formatId(peerId);
  useEffect(() => {
    if (name !== '') document.title = t('session.windowTitle', { name });
  }, [name, t]);
  useEffect(() => {
    if (info !== null) media.show(info.currentDisplay);
  }, [media, info]);

  const current = info?.currentDisplay ?? 0;
  const display = view.geometry.get(current) ?? info?.displays[current];
  const send = (command: SessionPortCommand) => media.send(command);

  return (
    <div
      className={styles.window}
      data-bar={info !== null}
      data-full-screen={fullScreen}
      data-state={session?.state ?? 'loading'}
    >
      {info !== null && (
        <SessionBar
          ref={bar}
          sessionId={sessionId}
          name={name}
          info={info}
          stats={stats}
          mode={mode}
          onMode={setMode}
          fullScreen={fullScreen}
          onTypeText={() => setTyping(true)}
          routeShown={routeShown}
          onRoute={() => setRouteShown(!routeShown)}
        />
      )}
      {info !== null && route !== null && routeShown && (
        <RoutePanel route={route} rttMs={stats?.rttMs ?? null} there={name} onClose={() => setRouteShown(false)} />
      )}
      {info !== null && !info.encrypted && (
        <p className={styles.danger} role="alert" data-testid="session-plaintext-banner">
          <Icon name="warning" />
          {t('session.plaintextBanner')}
        </p>
      )}
      {info !== null && info.encrypted && !info.peerVerified && (
        <p className={styles.caution} role="status" data-testid="session-unverified-banner">
          <Icon name="warning" />
          {t('session.unverified')}
        </p>
      )}
      {info !== null && (
        <ScreenView
          media={media}
          display={display ?? { x: 0, y: 0, name: '', width: 0, height: 0 }}
          picture={view.picture}
          mode={mode}
          cursor={view.cursor}
          remoteCursor={view.remoteCursor}
          active={session?.state === 'open' && info.keyboardAllowed && !typing && !routeShown}
          fineWheel={info.platform !== 'Linux'}
          label={t('session.canvas', { name })}
          onLeave={() => bar.current?.querySelector('button')?.focus()}
        />
      )}
      {info !== null && view.unsupported !== null && (
        <p className={styles.message} role="alert">
          {t('session.noDecoder', { codec: view.unsupported.toUpperCase() })}
        </p>
      )}
      {info !== null && view.picture === null && view.unsupported === null && session?.state === 'open' && (
        <p className={styles.message} role="status">
          {t('session.noPicture')}
        </p>
      )}
      {session?.state === 'connecting' && (
        <ConnectingPanel sessionId={sessionId} session={session} steps={steps} />
      )}
      {session?.state === 'password' &&
        (session.reason === 'two-factor' ? (
          <TwoFactorPanel sessionId={sessionId} peerId={session.peerId} answers={changes} />
        ) : (
          <PasswordPanel sessionId={sessionId} session={session} answers={changes} />
        ))}
      {session?.state === 'key-question' && <KeyPanel sessionId={sessionId} session={session} />}
      {session?.state === 'plaintext-question' && <PlaintextPanel sessionId={sessionId} session={session} />}
      {session?.state === 'reconnecting' && (
        <ReconnectingPanel key={changes} sessionId={sessionId} session={session} />
      )}
      {session?.state === 'closed' && <ClosedPanel sessionId={sessionId} session={session} />}
      {session === null && failure !== null && (
        <ClosedPanel
          sessionId={sessionId}
          session={{ state: 'closed', peerId: '', error: failure, reason: '' }}
        />
      )}
      {session === null && failure === null && (
        <p className={styles.message} role="status">
          {t('app.loading')}
        </p>
      )}
      {typing && (
        <TypeTextDialog
          onClose={() => setTyping(false)}
          onSend={(text) => {
            send({ type: 'text', text });
            setTyping(false);
          }}
        />
      )}
    </div>
  );
}

/** The media side lives as long as the window: decoding abilities have to be known before the login. */
function useMedia(sessionId: string): { media: SessionMedia; view: MediaView } {
  const [view, setView] = useState<MediaView>(NO_MEDIA);
  const [media] = useState(
    () =>
      new SessionMedia(api(), sessionId, {
        onPicture: (picture) =>
          setView((before) => {
            const same = before.picture?.width === picture.width && before.picture.height === picture.height;
            return same && before.unsupported === null ? before : { ...before, picture, unsupported: null };
          }),
        onGeometry: (display, geometry) =>
          setView((before) => ({ ...before, geometry: new Map(before.geometry).set(display, geometry) })),
        onCursor: (cursor) => setView((before) => ({ ...before, cursor })),
        onCursorPosition: (remoteCursor) => setView((before) => ({ ...before, remoteCursor })),
        onUnsupported: (unsupported) => setView((before) => ({ ...before, unsupported })),
      }),
  );
  useEffect(() => {
    media.start();
    return () => media.close();
  }, [media]);
  return { media, view };
}

/** The window manager may change it too, so the display mode is asked and not remembered. */
function useFullScreen(): boolean {
  const [on, setOn] = useState(() => matchMedia('(display-mode: fullscreen)').matches);
  useEffect(() => {
    const query = matchMedia('(display-mode: fullscreen)');
    const follow = () => setOn(query.matches);
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);
  return on;
}
