import type { SessionState } from '../../shared/ipc.ts';
import { api, settle } from '../api.ts';
import { formatId } from '../home/format-id.ts';
import type { PlainKey } from '../i18n/translate.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Panel } from './panel.tsx';
import styles from './panel.module.css';
import { type Step, type StepState, STEPS, stepStates } from './steps.ts';

const STATE_WORDS: Readonly<Record<StepState, PlainKey>> = {
  done: 'session.stepDone',
  current: 'session.stepCurrent',
  pending: 'session.stepPending',
  skipped: 'session.stepSkipped',
};

interface ConnectingPanelProps {
  sessionId: string;
  session: Extract<SessionState, { state: 'connecting' }>;
  steps: readonly Step[];
}

export function ConnectingPanel({ sessionId, session, steps }: ConnectingPanelProps) {
  const { t } = useI18n();
  const { step, detail } = session.progress;
  const states = stepStates(steps);
  return (
    <Panel
      title={t('session.connectingTo', { id: formatId(session.peerId) })}
      icon="monitor"
      data-testid="session-connecting"
    >
      <ol className={styles.steps}>
        {STEPS.map((each) => {
          const state = states.get(each) ?? 'pending';
          return (
            <li
              key={each}
              className={styles.step}
              data-state={state}
              aria-current={state === 'current' ? 'step' : undefined}
            >
              <span className={styles.stepMark} aria-hidden="true" />
              <span>
                {t(`session.step.${each}`)}
                <span className="visually-hidden">, {t(STATE_WORDS[state])}</span>
                {state === 'current' && detail !== '' && <span className={styles.stepDetail}>{detail}</span>}
              </span>
            </li>
          );
        })}
      </ol>
      <p role="status" className="visually-hidden">
        {t(`session.step.${step}`)}
      </p>
      <div className={styles.actions}>
        <Button onClick={() => void settle(api().closeSession(sessionId))} data-testid="session-cancel">
          {t('common.cancel')}
        </Button>
      </div>
    </Panel>
  );
}
