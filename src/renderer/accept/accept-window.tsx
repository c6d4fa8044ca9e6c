import { useEffect, useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { IncomingSession } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { formatId } from '../home/format-id.ts';
import { nameOf } from '../i18n/words.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { useHome } from '../state/home-store.ts';
import { Button } from '../ui/button.tsx';
import { ErrorNotice } from '../ui/error-notice.tsx';
import { Icon } from '../ui/icons.tsx';
import styles from './accept.module.css';

export function AcceptWindow({ sessionId }: { sessionId: string }) {
  const { t } = useI18n();
  const home = useHome((store) => store.home);
  const session = home?.incoming.find((each) => each.sessionId === sessionId && each.state === 'asking');
  useEffect(() => {
    document.title = t('accept.title');
  }, [t]);
  return (
    <main className={styles.window} data-testid="accept-window">
      {session !== undefined && <Question session={session} />}
      {session === undefined && (
        <p role="status" className={styles.gone}>
          {home === null ? t('app.loading') : t('accept.gone')}
        </p>
      )}
    </main>
  );
}

/** What is only claimed is normal with other programs, so it is not painted red. */
const STANDING_STYLE = { known: styles.safe, new: '', unproven: '', changed: styles.unsafe } as const;

function Question({ session }: { session: IncomingSession }) {
  const { t } = useI18n();
  const [error, setError] = useState<ErrorData | null>(null);
  const [busy, setBusy] = useState(false);
  const name = nameOf(session, t);

  const answer = async (accept: boolean) => {
    if (busy) return;
    setBusy(true);
    const result = await settle(api().answerIncoming(session.sessionId, accept));
    setBusy(false);
    if (!result.ok) setError(result.error);
  };
  return (
    <div
      role="alertdialog"
      aria-labelledby="accept-question"
      aria-describedby="accept-warning"
      className={styles.question}
      onKeyDown={(event) => {
        if (event.key === 'Escape') void answer(false);
      }}
    >
      <div className={styles.head}>
        <span className={styles.icon}>
          <Icon name="person" />
        </span>
        <h1 id="accept-question" className={styles.title}>
          {session.kind === 'desktop'
            ? t('accept.question', { name })
            : t('accept.questionKind', { name, kind: t(`kind.${session.kind}`) })}
        </h1>
      </div>
      <dl className={styles.facts}>
        {session.peerId !== '' && (
          <>
            <dt>{t('accept.id')}</dt>
            <dd>{formatId(session.peerId)}</dd>
            <dt>{t('accept.identity')}</dt>
            <dd className={STANDING_STYLE[session.standing]} data-testid="accept-standing">
              {t(`accept.standing.${session.standing}`)}
            </dd>
          </>
        )}
        {session.peerPlatform !== '' && (
          <>
            <dt>{t('accept.platform')}</dt>
            <dd>{session.peerPlatform}</dd>
          </>
        )}
        <dt>{t('accept.address')}</dt>
        <dd>{session.remoteAddress}</dd>
        <dt>{t('accept.security')}</dt>
        <dd className={session.encrypted ? styles.safe : styles.unsafe}>
          <Icon name={session.encrypted ? 'lock' : 'warning'} />
          {session.encrypted ? t('accept.encrypted') : t('accept.notEncrypted')}
        </dd>
      </dl>
      <p id="accept-warning" className={styles.warning}>
        {t('accept.warning')}
      </p>
      {error !== null && <ErrorNotice error={error} />}
      <div className={styles.actions}>
        <Button look="plain" autoFocus onClick={() => void answer(false)} data-testid="accept-no">
          {t('accept.no')}
        </Button>
        <Button look="primary" onClick={() => void answer(true)} data-testid="accept-yes">
          {t('accept.yes')}
        </Button>
      </div>
    </div>
  );
}
