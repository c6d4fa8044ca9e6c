import type { Ref } from 'react';
import type { SessionInfo, SessionStats } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { PATH_WORDS } from '../i18n/words.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icons.tsx';
import styles from './bar.module.css';
import type { ViewMode } from './session-window.tsx';
import { bitrate } from './units.ts';

interface SessionBarProps {
  ref: Ref<HTMLDivElement>;
  sessionId: string;
  name: string;
  info: SessionInfo;
  stats: SessionStats | null;
  mode: ViewMode;
  onMode: (mode: ViewMode) => void;
  fullScreen: boolean;
  onTypeText: () => void;
  routeShown: boolean;
  onRoute: () => void;
}

export function SessionBar({ ref, ...props }: SessionBarProps) {
  const { t, language } = useI18n();
  const { sessionId, info, stats, mode, fullScreen } = props;
  return (
    <div
      ref={ref}
      className={styles.bar}
      role="toolbar"
      aria-label={t('session.bar')}
      data-testid="session-bar"
    >
      <span
        className={styles.security}
        data-safe={info.encrypted}
        title={info.encrypted ? t('session.encrypted') : t('session.notEncrypted')}
      >
        <Icon name={info.encrypted ? 'lock' : 'unlock'} />
        <span className="visually-hidden">
          {info.encrypted ? t('session.encrypted') : t('session.notEncrypted')}
        </span>
      </span>
      <span className={styles.name}>{props.name}</span>
      <dl className={styles.numbers}>
        <div className={styles.number}>
          <dt className="visually-hidden">{t('session.path')}</dt>
          <dd data-testid="session-path" data-value={stats?.path ?? info.path}>
            <button
              type="button"
              className={styles.pathButton}
              title={t('route.show')}
              aria-expanded={props.routeShown}
              aria-haspopup="dialog"
              onClick={props.onRoute}
              data-testid="session-route"
            >
              {t(PATH_WORDS[stats?.path ?? info.path])}
            </button>
          </dd>
        </div>
        <Fact label={t('session.rtt')} testId="session-rtt">
          {stats === null || stats.rttMs === null ? '–' : `${Math.max(1, Math.round(stats.rttMs))} ms`}
        </Fact>
        <Fact label={t('session.codec')} testId="session-codec">
          {stats === null || stats.codec === '' ? '–' : stats.codec.toUpperCase()}
        </Fact>
        <Fact label={t('session.fps')} testId="session-fps">
          {stats === null ? '–' : `${Math.round(stats.fps)} fps`}
        </Fact>
        <Fact label={t('session.bitrate')} testId="session-bitrate" extra>
          {stats === null ? '–' : bitrate(language, stats.bitrateBps)}
        </Fact>
      </dl>
      {!info.keyboardAllowed && <span className={styles.chip}>{t('session.viewOnly')}</span>}
      <span className={styles.tools}>
        {info.displays.length > 1 && (
          <span className={styles.displays} role="group" aria-label={t('session.displays')}>
            {info.displays.map((display, index) => (
              <button
                key={`${display.name} ${index}`}
                type="button"
                className={styles.displayButton}
                aria-pressed={index === info.currentDisplay}
                aria-label={t('session.display', { number: index + 1 })}
                title={`${t('session.display', { number: index + 1 })} · ${display.width} × ${display.height}`}
                onClick={() => void settle(api().switchDisplay(sessionId, index))}
                data-testid={`session-display-${index}`}
              >
                {index + 1}
              </button>
            ))}
          </span>
        )}
        <Button
          look="quiet"
          icon={mode === 'fit' ? 'actual' : 'fit'}
          label={mode === 'fit' ? t('session.actualSize') : t('session.fit')}
          onClick={() => props.onMode(mode === 'fit' ? 'actual' : 'fit')}
          data-testid="session-mode"
        />
        <Button
          look="quiet"
          icon="text"
          label={t('session.typeText')}
          aria-haspopup="dialog"
          disabled={!info.keyboardAllowed}
          onClick={props.onTypeText}
          data-testid="session-type-text"
        />
        <Button
          look="quiet"
          icon="keyboard"
          label={t('session.cad')}
          disabled={!info.keyboardAllowed}
          onClick={() => void settle(api().ctrlAltDel(sessionId))}
          data-testid="session-cad"
        />
        <Button
          look="quiet"
          icon={fullScreen ? 'leaveFullScreen' : 'fullScreen'}
          label={fullScreen ? t('session.leaveFullScreen') : t('session.fullScreen')}
          aria-pressed={fullScreen}
          onClick={() => void settle(api().setFullScreen(sessionId, !fullScreen))}
          data-testid="session-full-screen"
        />
        <Button
          look="danger"
          icon="power"
          className={styles.disconnect}
          onClick={() => void settle(api().closeSession(sessionId))}
          data-testid="session-disconnect"
        >
          {t('session.disconnect')}
        </Button>
      </span>
    </div>
  );
}

interface FactProps {
  label: string;
  testId: string;
  data?: string;
  /** The first to go when there is little room. */
  extra?: boolean;
  children: string;
}

function Fact({ label, testId, data, extra = false, children }: FactProps) {
  return (
    <div className={styles.number} data-extra={extra} title={label}>
      <dt className="visually-hidden">{label}</dt>
      <dd data-testid={testId} data-value={data}>
        {children}
      </dd>
    </div>
  );
}
