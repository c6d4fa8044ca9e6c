import { startTransition, useEffect, useState } from 'react';
import type { ErrorData } from '../errors.ts';
import type { Step } from './steps.ts';
import type { SessionInfo, SessionState, SessionStats } from '../../shared/ipc.ts';
import type { SessionRoute } from '../../shared/route.ts';
import { api, settle } from '../api.ts';

export interface SessionView {
  /** Null until the first answer. */
  session: SessionState | null;
  /** Why there is no state. */
  failure: ErrorData | null;
  /** What the host told at login; stays while the session reconnects, so that the picture can stay too. */
  info: SessionInfo | null;
  stats: SessionStats | null;
  /** The way that it takes; null before the first connection. */
  route: SessionRoute | null;
  /** Steps of the running attempt in the order they came. */
  steps: readonly Step[];
  /** Counts the states, so that the same answer twice can be told from one. */
  changes: number;
}

const EMPTY: SessionView = { session: null, failure: null, info: null, stats: null, route: null, steps: [], changes: 0 };

/** Follows one session. */
export function useSession(sessionId: string): SessionView {
  const [view, setView] = useState<SessionView>(EMPTY);
  useEffect(() => {
    let ended = false;
    let pushed = false;
    const take = (session: SessionState) => {
      const update = () => setView((before) => ({ ...before, failure: null, ...next(before, session) }));
      // The first picture comes close behind, and is not to wait until all of the session's controls are made.
      if (session.state === 'open') startTransition(update);
      else update();
    };
    const off = api().onSession(sessionId, (session) => {
      pushed = true;
      take(session);
    });
    const offStats = api().onStats(sessionId, (stats) => setView((before) => ({ ...before, stats })));
    const takeRoute = (route: SessionRoute) => setView((before) => ({ ...before, route }));
    const offRoute = api().onRoute(sessionId, takeRoute);
    void settle(api().getRoute(sessionId)).then((result) => {
      if (!ended && result.ok && result.value) takeRoute(result.value);
    });
    void settle(api().getSession(sessionId)).then((result) => {
      if (ended || pushed) return;
      if (result.ok) take(result.value);
      else setView((before) => ({ ...before, failure: result.error }));
    });
    return () => {
      ended = true;
      off();
      offStats();
      offRoute();
    };
  }, [sessionId]);
  return view;
}

function next(before: SessionView, session: SessionState): Partial<SessionView> {
  const changes = before.changes + 1;
  switch (session.state) {
    case 'open':
      return { session, changes, info: session.info, steps: [] };
    case 'reconnecting':
      return { session, changes, steps: [] };
    case 'connecting': {
      const { step } = session.progress;
      return { session, changes, info: null, steps: [...before.steps.filter((each) => each !== step), step] };
    }
    default:
      return { session, changes, info: null };
  }
}
